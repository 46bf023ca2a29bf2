"""Says what a reader did with a malformed file, by its exit status, its messages and the records that it gave."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from record_comparison import Difference, Record, differences, is_missing, records_of

if TYPE_CHECKING:
    from malformation_cases import Case

_NOTED = re.compile(r"\[[EW]::|\bwarn|\berror|\binvalid|\bfail", re.IGNORECASE)


class Verdict(Enum):
    """How a reader treats a file, from the best to the worst; the values are the marks in the table."""

    REFUSED_LINE = "refused, names the line"
    REFUSED_POSITION = "refused, names the position"
    REFUSED_FILE = "refused"
    REFUSED_NO_PLACE = "refused, no line"
    AS_IS = "as is"
    NOTED = "as is, warns"
    CHANGED_NOTED = "**changed**, warns"
    CHANGED = "**changed**"
    LOST_NOTED = "**records lost**, warns"
    LOST = "**records lost**"
    CRASH = "**crash**"
    HANG = "**hangs**"


@dataclass(frozen=True, slots=True)
class Run:
    """How a process ended: its status (negative: the signal; None: out of time), its messages and its records."""

    status: int | None
    messages: str
    records: list[Record]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table."""

    verdict: Verdict
    detail: str = ""

    def __str__(self) -> str:
        return self.verdict.value + (f": {self.detail}" if self.detail else "")


def judge(case: Case, ended: Run) -> Cell:
    """Say what a reader did with a file."""
    if ended.status is None:
        return Cell(Verdict.HANG)
    if ended.status < 0 or "panicked" in ended.messages.lower():
        name = signal.Signals(-ended.status).name if ended.status < 0 else "panic"
        return Cell(Verdict.CRASH, name)
    if ended.status > 0:
        return Cell(_refusal(case, ended.messages))
    noted = bool(_NOTED.search(ended.messages))
    expected = records_of(case.truth)
    if (lost := len(expected) - len(ended.records)) > 0:
        return Cell(Verdict.LOST_NOTED if noted else Verdict.LOST, f"{lost:,} of {len(expected):,}")
    details = [_told(one) for one in differences(expected, ended.records)]
    if len(ended.records) > len(expected):
        details.append(f"{len(ended.records) - len(expected):,} records more")
    if details:
        more = f" and {len(details) - 2} more" if len(details) > 2 else ""
        return Cell(Verdict.CHANGED_NOTED if noted else Verdict.CHANGED, "; ".join(details[:2]) + more)
    return Cell(Verdict.NOTED if noted else Verdict.AS_IS)


def _refusal(case: Case, messages: str) -> Verdict:
    if case.line is None:
        return Verdict.REFUSED_FILE
    if re.search(rf"\bline\W{{0,3}}{case.line}\b", messages, re.IGNORECASE):
        return Verdict.REFUSED_LINE
    cells = case.content.decode("utf-8", "replace").splitlines()[case.line - 1 : case.line] if case.line else []
    position = cells[0].split("\t")[1:2] if cells else []
    named = position and re.search(rf"(?<![\d.]){re.escape(position[0])}(?![\d.])", messages)
    return Verdict.REFUSED_POSITION if named else Verdict.REFUSED_NO_PLACE


def _told(difference: Difference) -> str:
    cell = f"`{difference.cell}`"
    if difference.dropped:
        return f"{cell} dropped"
    given = difference.given
    if is_missing(given):
        return f"{cell} `{_shown(difference.text)}` → nothing"
    text = ",".join("." if is_missing(one) else str(one) for one in given) if isinstance(given, list) else str(given)
    if given is True:
        text = "set"
    return f"{cell} `{_shown(difference.text)}` → `{_shown(text)}`" if difference.text else f"{cell} nothing → `{text}`"


def _shown(text: str) -> str:
    """A value for a cell of the table: one line, bytes that are no text as escapes, no bars."""
    safe = "".join(char if char.isprintable() and char not in "|`" else _escape(char) for char in text)
    return safe if len(safe) <= 24 else safe[:23] + "…"


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code:02x}"
