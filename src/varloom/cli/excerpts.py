"""Where in a line of a file a fault is: the excerpt with a mark under the place."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

TAB = "\u21e5"
"""What an excerpt shows in place of a tab; see `varloom.errors.safe_excerpt`."""
CUT = "\u2026"
_SEPARATORS = (TAB, ",", ";", "|")
_LEAST = 12
"""The least characters of an excerpt that say anything."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A piece of a line, and the part of it that is at fault, in characters; `length` is 0 where none is known."""

    text: str
    start: int = 0
    length: int = 0

    def mark(self) -> str:
        """The line to print below the text: carets under the part, or nothing."""
        if not self.length:
            return ""
        before, part = self.text[: self.start], self.text[self.start : self.start + self.length]
        return " " * width_of(before) + "^" * max(1, width_of(part))


def marked(excerpt: str, *, column: int | None, field: str | None, tabular: bool, width: int | None) -> Marked:
    """The excerpt, cut to `width` cells of the terminal around the part at fault.

    Args:
        excerpt: of an error: a line of the file with its tabs shown as symbols, or one field of it.
        column: the column at fault, from 1, if known.
        field: the name of the field at fault, if known.
        tabular: whether separators other than tabs may divide the line, as in a CSV.
        width: of the terminal; None for no limit.
    """
    start, length = _part(excerpt, column, field, tabular=tabular)
    if width is None or width_of(excerpt) <= width:
        return Marked(excerpt, start, length)
    return _cut(Marked(excerpt, start, length), max(_LEAST, width))


def _part(excerpt: str, column: int | None, field: str | None, *, tabular: bool) -> tuple[int, int]:
    """Start and length of the part at fault; (0, 0) when it cannot be told or lies behind the end of the excerpt."""
    used = [separator for separator in (_SEPARATORS if tabular else (TAB,)) if separator in excerpt]
    whole_line = bool(used) or (field is None and not tabular)
    if column is not None and whole_line and len(used) <= 1:
        cells = excerpt.split(used[0]) if used else [excerpt]
        if column > len(cells):
            return (0, 0) if excerpt.endswith(CUT) else (len(excerpt), 1)
        start = sum(len(cell) + 1 for cell in cells[: column - 1])
        return start, max(1, len(cells[column - 1].removesuffix(CUT)))
    if used or tabular or excerpt.startswith("#") or (column is None and field is None):
        return 0, 0
    return 0, len(excerpt)


def _cut(whole: Marked, width: int) -> Marked:
    """A window of the text that shows the part at fault, or its start, with some of what stands before it."""
    first = whole.start
    room = max(width // 3, width - 2 - width_of(whole.text[first:]))  # for what stands before the part
    while first and (room := room - width_of(whole.text[first - 1])) > 0:
        first -= 1
    before = CUT if first else ""
    shown = before
    for char in whole.text[first:]:
        if width_of(shown) + width_of(char) > width - 1:
            shown += CUT
            break
        shown += char
    start = whole.start - first + len(before)
    return Marked(shown, start, min(whole.length, max(1, len(shown) - start)))


def width_of(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
