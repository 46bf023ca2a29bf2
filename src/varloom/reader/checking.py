"""Reads a whole file only to say whether it is sound: `varloom check`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.errors import Severity
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.reader.model import ReadOptions, ReadProgress
from varloom.reader.opening import open_reader, recognise_file, unreadable
from varloom.reader.problems import FileRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.errors import Problem
    from varloom.reader.model import ReadSummary

_DEFAULTS = ReadOptions()


class CheckResult(NamedTuple):
    """What a check found.

    Attributes:
        path: of the file.
        ok: whether a job would load the file; warnings do not count.
        format: what the content is; None for a file that cannot be opened.
        records: data lines or rows; None for a refused file.
        variants: rows of the table, for CSV as many as `records`; None for a refused file.
        samples: how many samples a VCF has; None for a refused file, and for a format that has none.
        seconds: how long it took.
        problems: errors of a refused file, else warnings; each by its line.
    """

    path: str
    ok: bool
    format: str | None
    records: int | None
    variants: int | None
    samples: int | None
    seconds: float
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Why the file is refused."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was noticed and loses nothing."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.WARNING)

    def as_dict(self) -> dict[str, Any]:
        """The object that `varloom check --json` prints."""
        return {
            "path": self.path,
            "ok": self.ok,
            "format": self.format,
            "records": self.records,
            "variants": self.variants,
            "samples": self.samples,
            "seconds": round(self.seconds, 3),
            "problems": [problem.as_dict() for problem in self.problems],
        }


def check_file(
    path: Path,
    *,
    name: str | None = None,
    options: ReadOptions = _DEFAULTS,
    on_progress: Callable[[ReadProgress], None] | None = None,
) -> CheckResult:
    """Read the file to its end; never raises for what is in the file, nor when it cannot be opened."""
    start = time.perf_counter()
    found: str | None = None
    summary: ReadSummary | None = None
    problems: tuple[Problem, ...] = ()
    try:
        found = recognise_file(path, path.name if name is None else name).format.value
        reader = open_reader(path, name=name, options=options, on_progress=on_progress)
        for _ in reader.batches():
            pass
        summary = reader.summary()
        problems = summary.warnings
    except FileRefused as refused:
        problems = refused.problems
    except OSError as error:
        problems = unreadable(error).problems
    return CheckResult(
        str(path),
        ok=summary is not None,
        format=found,
        records=summary.records if summary else None,
        variants=summary.variants if summary else None,
        samples=len(summary.samples) if summary and found in VARIANT_FORMATS else None,
        seconds=time.perf_counter() - start,
        problems=problems,
    )
