"""What `varloom check` prints for a person: a line for each file, then its problems as compilers tell them."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from varloom.cli.excerpts import marked, width_of
from varloom.cli.output import counts
from varloom.cli.readable_file import STDIN
from varloom.errors import Severity, counted, safe_excerpt
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.reader.problems import UPLOAD_AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from varloom.errors import Problem
    from varloom.reader import CheckResult

PATH_LIMIT = 4096
"""The most characters of a path that are shown."""
WIDEST_NAME = 60
"""Names up to this width are aligned."""
EXCERPTS_OF_A_KIND = 3
"""How many errors of one code show their excerpt; the further ones are told in a line."""
_GUTTER = 9


class Warnings(StrEnum):
    """How much of the warnings is shown."""

    SHORT = "short"
    ALL = "all"
    NONE = "none"


@dataclass(slots=True)
class Report:
    """Prints results and counts them.

    Attributes:
        names: of all files, to align what follows them.
        warnings: how much of the warnings is shown.
        quiet: whether only files at fault are shown.
        strict: whether warnings are faults.
        max_problems: how many errors of a file are gathered at most.
    """

    names: Sequence[str]
    warnings: Warnings = Warnings.SHORT
    quiet: bool = False
    strict: bool = False
    max_problems: int = 20
    _width: int | None = None
    _name_width: int = 0
    _seen: Counter[str] = field(default_factory=Counter)
    _folded: int = 0
    _start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Look at the terminal, if there is one."""
        self._width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        widest = WIDEST_NAME if self._width is None else min(WIDEST_NAME, self._width // 3)
        self._name_width = min(widest, max((width_of(_shown(name)) for name in self.names), default=0))

    def tell(self, result: CheckResult) -> None:
        """Print what was found in a file."""
        at_fault = is_at_fault(result, strict=self.strict)
        self._count(result, at_fault=at_fault)
        if self.quiet and not at_fault:
            return
        self._tell_file(result, at_fault=at_fault)
        self._tell_whole(result, result.errors)
        if self.warnings is Warnings.ALL:
            self._tell_whole(result, sorted(result.warnings, key=_by_place))
        elif self.warnings is Warnings.SHORT:
            self._tell_folded(result)

    def finish(self) -> None:
        """Print the last line, when there was more than one file."""
        if self.quiet:
            return
        if self._folded:
            _print(click.style(f"{counted(self._folded, 'warning')} not shown: see --warnings all.", dim=True))
        if len(self.names) > 1:
            _print(self._summary())

    # --- a file -------------------------------------------------------------------------------------------------------

    def _tell_file(self, result: CheckResult, *, at_fault: bool) -> None:
        if at_fault:
            mark, verdict, color = "\u2717", "warned" if result.ok else "refused", "red"
        else:
            mark, verdict, color = ("!", "ok", "yellow") if result.warnings else ("\u2713", "ok", "green")
        if not _can_print(mark):
            mark = "x" if at_fault else "+" if mark != "!" else mark
        name = _shown(result.path)
        name += " " * (self._name_width - width_of(name))
        told = f"{click.style(f'{mark} {verdict:<7}', fg=color, bold=at_fault)}  {name}  {_details(result, self)}"
        _print(told.rstrip())

    def _tell_whole(self, result: CheckResult, problems: Iterable[Problem]) -> None:
        """Each problem with its excerpt and how to mend it; the same advice is given once."""
        shown: Counter[str] = Counter()
        told: set[tuple[str, ...]] = set()
        for problem in problems:
            _print(_headline(result, problem))
            shown[problem.kind.code] += 1
            if problem.place.excerpt and shown[problem.kind.code] <= EXCERPTS_OF_A_KIND:
                self._tell_excerpt(result, problem)
            steps = problem.resolution or problem.kind.resolution
            if steps not in told:
                told.add(steps)
                for step in steps:
                    if step != UPLOAD_AGAIN:
                        _print(f"{'= ':>{_GUTTER}}{step}")

    def _tell_folded(self, result: CheckResult) -> None:
        """One line for each kind of warning."""
        kinds: dict[str, list[Problem]] = {}
        for problem in sorted(result.warnings, key=_by_place):
            kinds.setdefault(problem.kind.code, []).append(problem)
        for problems in kinds.values():
            more = f" (and {len(problems) - 1:,} more of this kind)" if len(problems) > 1 else ""
            self._folded += len(problems) - 1
            _print(_headline(result, problems[0]) + click.style(more, dim=True))

    def _tell_excerpt(self, result: CheckResult, problem: Problem) -> None:
        place = problem.place
        shown = marked(
            safe_excerpt(place.excerpt or ""),
            column=place.column,
            field=place.field,
            tabular=result.format not in VARIANT_FORMATS,
            width=None if self._width is None else self._width - _GUTTER,
        )
        number = "" if place.line is None else str(place.line)
        _print(f"{number:>{_GUTTER - 3}} | {shown.text}")
        if mark := shown.mark():
            names = [f"column {place.column}"] if place.column else []
            names += [place.field] if place.field else []
            pointed = click.style(f"{mark} {safe_excerpt(', '.join(names))}", fg=_color(problem))
            _print(f"{'':>{_GUTTER - 3}} | {pointed}")

    # --- all files ----------------------------------------------------------------------------------------------------

    def _count(self, result: CheckResult, *, at_fault: bool) -> None:
        self._seen["files"] += 1
        self._seen["refused" if not result.ok else "warned" if at_fault else "ok"] += 1
        if not at_fault and result.warnings:
            self._seen["noticed"] += 1

    def _summary(self) -> str:
        seen = self._seen
        parts = []
        if seen["ok"]:
            noticed = f" ({seen['noticed']:,} with warnings)" if seen["noticed"] else ""
            parts.append(click.style(f"{seen['ok']:,} ok{noticed}", fg="green"))
        faults = [f"{seen[what]:,} {what}" for what in ("warned", "refused") if seen[what]]
        parts += [click.style(told, fg="red", bold=True) for told in faults]
        return f"{counted(seen['files'], 'file')} in {duration(time.monotonic() - self._start)}: {', '.join(parts)}"


def is_at_fault(result: CheckResult, *, strict: bool) -> bool:
    """Whether the file makes the command fail."""
    return not result.ok or (strict and bool(result.warnings))


def duration(seconds: float) -> str:
    """A time in words, as exact as a person wants it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _details(result: CheckResult, report: Report) -> str:
    """Format, counts and time of a file."""
    if result.format is None:
        return ""
    parts: list[str] = []
    if result.records is not None:
        parts.append(counts(result.records, result.variants if result.format in VARIANT_FORMATS else None))
    if result.samples is not None:
        parts.append(counted(result.samples, "sample") if result.samples else "no samples")
    if found := len(result.errors):
        full = found >= report.max_problems > 1
        parts.append(f"the first {found:,} errors" if full else counted(found, "error"))
    if result.warnings:
        parts.append(counted(len(result.warnings), "warning"))
    return f"{result.format.upper():<4} {', '.join([*parts, duration(result.seconds)])}"


def _headline(result: CheckResult, problem: Problem) -> str:
    """The line that editors and compilers' users know: file:line:column: severity[code]: message."""
    places = [place for place in (problem.place.line, problem.place.column) if place is not None]
    where = ":".join([_shown(result.path), *map(str, places if problem.place.line is not None else [])])
    severity = click.style(f"{problem.severity.value}[{problem.kind.code}]", fg=_color(problem), bold=True)
    return f"  {where}: {severity}: {problem.message}"


def _by_place(problem: Problem) -> tuple[float, float]:
    """What concerns the file or the line as a whole comes last."""
    line, column = problem.place.line, problem.place.column
    return math.inf if line is None else line, math.inf if column is None else column


def _color(problem: Problem) -> str:
    return "red" if problem.severity is Severity.ERROR else "yellow"


def _shown(name: str) -> str:
    return "<stdin>" if name == STDIN else safe_excerpt(name, PATH_LIMIT)


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _print(text: str) -> None:
    """A line on the standard output; what its encoding cannot hold is shown as a question mark."""
    if not _can_print(text):
        encoding = sys.stdout.encoding
        text = text.encode(encoding, "replace").decode(encoding)
    click.echo(text)
