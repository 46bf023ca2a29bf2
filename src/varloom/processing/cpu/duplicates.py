"""Step: duplicates are marked, by the places of both mates; none is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.processing.programs import Pipe, Stage, pipe, pipes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def mark_duplicates(source: Path, output: Path, work: Path, threads: int, on_life: Callable[[], None]) -> None:
    """Mark the duplicates in a sorted BAM, and index the result (`.bai`).

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    marking = Stage.samtools("markdup", "--no-PG", "-@", threads - 1, "-T", work / "markdup", source, output)
    pipes([Pipe((marking,)), Pipe((_indexing(output, threads),))], on_life)


def index(alignment: Path, threads: int, on_life: Callable[[], None]) -> None:
    """Index a sorted BAM, where contigs are not too long for `.bai`.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    pipe([_indexing(alignment, threads)], on_life)


def _indexing(alignment: Path, threads: int) -> Stage:
    return Stage.samtools("index", "-b", "-@", threads - 1, alignment)
