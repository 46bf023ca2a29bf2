"""Whole lines out of portions of text: first one by one for a header, then many at once for the threads that parse."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from varloom.errors import Place, safe_excerpt
from varloom.reader.decompression import DamagedStreamError
from varloom.reader.problems import COMPRESSION_TRUNCATED, LINE_TOO_LONG, FileRefused, refusal
from varloom.reader.roomy_text import RoomyText

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

    from varloom.errors import ErrorKind

LINE_LIMIT = 128 << 20
"""The longest line in bytes; a longer one is refused, so that memory stays bounded."""

_LONG = 4 << 20


class Broken(Exception):  # noqa: N818 - it ends the text, and becomes a FileRefused once its line is known
    """The text ends before its time; `refusal` says so with the number of the line that could not be read."""

    def __init__(self, kind: ErrorKind, message: str, excerpt: str | None = None, *, ends: bool = True) -> None:
        super().__init__(message)
        self._kind = kind
        self._message = message
        self._excerpt = excerpt
        self._ends = ends

    def refusal(self, line: int) -> FileRefused:
        """What to tell about the line."""
        message = self._message.replace("{line}", f"{line:,}")
        if self._ends:
            message += " " + _last_good(line)
        return refusal(self._kind, message, Place(line=line, excerpt=self._excerpt))


class Lines(NamedTuple):
    """Consecutive whole lines, in pieces or in a buffer with room; the last one ends with a line feed."""

    text: list[bytes | bytearray] | RoomyText

    def placed(self, margin: int = 1) -> tuple[bytes | bytearray | mmap, int, int]:
        """Bytes among which they stand, from where to where; at least so many bytes follow."""
        if isinstance(self.text, RoomyText):
            return self.text.buffer, self.text.start, self.text.end
        joined = self.joined(margin)
        return joined, 0, len(joined) - margin

    def joined(self, margin: int = 1) -> bytes | bytearray:
        """All of them at once, and so many zero bytes behind them, which a kernel may look at."""
        pieces: Sequence[bytes | bytearray | memoryview] = (
            [self.text.view()] if isinstance(self.text, RoomyText) else self.text
        )
        first = pieces[0]
        if isinstance(first, bytearray):
            # A line of many megabytes: it is in memory once, and stays so.
            for piece in pieces[1:]:
                first += piece
            first += bytes(margin)
            return first
        return b"".join([*pieces, bytes(margin)])


class TextPortions(Protocol):
    """A text in pieces; see Portions."""

    @property
    def end_marker_missing(self) -> bool: ...  # noqa: D102 - described there
    def __iter__(self) -> Iterator[list[bytes] | RoomyText]: ...


class WholeLines:
    """The lines of a file; `cut` tells, after all were taken, whether the last one had no line end.

    All whole lines before a fault are handed out before it is raised, as Broken.
    """

    def __init__(self, portions: TextPortions) -> None:
        self.cut = False
        self._portions = portions
        self._coming = iter(portions)
        self._carry: list[bytes | bytearray] = []
        self._carried = 0
        self._header = b""
        self._header_at = 0

    # --- one by one -------------------------------------------------------------------------------------------------

    def next_line(self) -> bytes | None:
        """The next line without its line feed; None at the end. Raises Broken."""
        end = self._header.find(b"\n", self._header_at)
        if end < 0:
            lines = next(self, None)
            if lines is None:
                return None
            self._header = bytes(lines.joined()[:-1])
            self._header_at, end = 0, self._header.find(b"\n")
        line = self._header[self._header_at : end]
        self._header_at = end + 1
        return line

    # --- many at once -----------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Lines]:
        return self

    def __next__(self) -> Lines:
        """The next lines; those that `next_line` did not take come first. Raises Broken."""
        if self._header_at < len(self._header):
            rest, self._header = self._header[self._header_at :], b""
            return Lines([rest])
        try:
            for portion in self._coming:
                lines = self._cut_off(portion)
                if lines is not None:
                    return lines
        except DamagedStreamError as damage:
            raise Broken(damage.kind, damage.message) from damage
        return self._last()

    def _cut_off(self, portion: list[bytes] | RoomyText) -> Lines | None:
        """The whole lines up to the last line feed of a portion; what follows it is carried on."""
        if isinstance(portion, RoomyText):
            cut = portion.cut_off(b"".join(self._carry)) if self._carried <= portion.start else None
            if cut is not None:
                lines, rest = cut
                self._carry, self._carried = [rest], len(rest)
                return Lines(lines)
            portion = [bytes(portion.view())]
        if self._carried + sum(map(len, portion)) > LINE_LIMIT:
            self._refuse_long_line(portion)
        for index in range(len(portion) - 1, -1, -1):
            end = portion[index].rfind(b"\n") + 1
            if end:
                pieces = [*self._carry, *portion[:index], portion[index][:end]]
                self._carry = [portion[index][end:], *portion[index + 1 :]]
                self._carried = sum(map(len, self._carry))
                return Lines(pieces)
        self._carry_on(portion)
        return None

    def _refuse_long_line(self, portion: list[bytes]) -> None:
        """Raise Broken when the line that is carried on would become too long."""
        size = self._carried
        for piece in portion:
            end = piece.find(b"\n")
            size += len(piece) if end < 0 else end
            if size > LINE_LIMIT:
                first = self._carry[0] if self._carried else portion[0]
                message = f"Line {{line}} is longer than {LINE_LIMIT >> 20} MiB."
                raise Broken(LINE_TOO_LONG, message, safe_excerpt(bytes(first[:1000])), ends=False)
            if end >= 0:
                return

    def _carry_on(self, portion: list[bytes]) -> None:
        self._carry.extend(portion)
        self._carried += sum(map(len, portion))
        if self._carried > _LONG:
            whole = self._carry[0] if isinstance(self._carry[0], bytearray) else bytearray(self._carry[0])
            for piece in self._carry[1:]:
                whole += piece
            self._carry = [whole]

    def _last(self) -> Lines:
        """The last line, which has no line feed."""
        if not self._carried:
            raise StopIteration
        pieces, self._carry, self._carried = [*self._carry, b"\n"], [], 0
        if self._portions.end_marker_missing:
            message = "The file lacks the marker that ends a bgzip file, and line {line} breaks off."
            raise Broken(COMPRESSION_TRUNCATED, message, safe_excerpt(bytes(pieces[0][:1000])))
        self.cut = True
        return Lines(pieces)


def _last_good(line: int) -> str:
    if line == 1:
        return "Not even the first line could be read whole."
    return f"The last line that could be read whole is line {line - 1:,}."
