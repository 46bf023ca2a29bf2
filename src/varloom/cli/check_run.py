"""Checks many files, one after another or several at a time; a file that cannot be read keeps no other back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from varloom.cli.problems import COMMAND_FAILED
from varloom.cli.readable_file import STDIN, on_disk
from varloom.errors import Problem, VarloomError
from varloom.reader.checking import CheckResult, check_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from varloom.cli.check_progress import CheckProgress
    from varloom.cli.check_sources import Source
    from varloom.reader import ReadOptions, ReadProgress


def check_all(
    sources: Sequence[Source], options: ReadOptions, *, jobs: int, progress: CheckProgress
) -> Iterator[CheckResult]:
    """The results in the order of the sources, each as soon as it and all before it are known."""
    if jobs > 1 and len(sources) > 1:
        from varloom.cli.check_processes import check_in_processes

        return check_in_processes(sources, options, min(jobs, len(sources)), progress)
    return _in_turn(sources, options, progress)


def _in_turn(sources: Sequence[Source], options: ReadOptions, progress: CheckProgress) -> Iterator[CheckResult]:
    for index, source in enumerate(sources):
        yield check_source(source, options, progress.of(index))


def check_source(source: Source, options: ReadOptions, on_progress: Callable[[ReadProgress], None]) -> CheckResult:
    """Check one file; whatever happens to it becomes a result."""
    if source.problem:
        return refused(source, source.problem)
    try:
        with on_disk(source.name) as path:
            name = None if source.name == STDIN else Path(source.name).name
            result = check_file(path, name=name, options=options, on_progress=on_progress)
    except VarloomError as error:
        return refused(source, Problem(error.kind, error.message, place=error.place, resolution=error.resolution))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one file must not keep the other files back
        return refused(source, Problem(COMMAND_FAILED, f"The check failed: {type(error).__name__}: {error}"))
    return result._replace(path=source.name)


def refused(source: Source, problem: Problem) -> CheckResult:
    """The result for a file that could not be checked."""
    return CheckResult(
        source.name,
        ok=False,
        format=None,
        records=None,
        variants=None,
        samples=None,
        seconds=0.0,
        problems=(problem,),
    )
