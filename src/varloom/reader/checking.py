"""Reads a whole file only to say whether it is sound: `varloom check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varloom.reader.model import ReadOptions, ReadProgress
from varloom.reader.opening import open_reader, recognise_file, unreadable
from varloom.reader.problems import FileRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.errors import Problem

_DEFAULTS = ReadOptions()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; `records` and `variants` are None for a refused file, `format` for one that is unreadable."""

    path: str
    ok: bool
    format: str | None
    records: int | None
    variants: int | None
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Any]:
        """The object that `varloom check --json` prints."""
        return {
            "path": self.path,
            "ok": self.ok,
            "format": self.format,
            "records": self.records,
            "variants": self.variants,
            "problems": [problem.as_dict() for problem in self.problems],
        }


def check_file(
    path: Path,
    *,
    name: str | None = None,
    options: ReadOptions = _DEFAULTS,
    on_progress: Callable[[ReadProgress], None] | None = None,
) -> CheckResult:
    """Read the file to its end; never raises for what is in the file."""
    try:
        found = recognise_file(path, path.name if name is None else name).format.value
    except FileRefused as refused:
        return CheckResult(str(path), ok=False, format=None, records=None, variants=None, problems=refused.problems)
    try:
        reader = open_reader(path, name=name, options=options, on_progress=on_progress)
        for _ in reader.batches():
            pass
    except (FileRefused, OSError) as error:
        known = error if isinstance(error, FileRefused) else unreadable(error)
        return CheckResult(str(path), ok=False, format=found, records=None, variants=None, problems=known.problems)
    summary = reader.summary()
    return CheckResult(str(path), True, found, summary.records, summary.variants, summary.warnings)
