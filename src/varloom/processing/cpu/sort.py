"""Step: batches of alignments, or one that is not sorted, become one that is sorted by position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.processing.programs import Stage, pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SORT_MEMORY = 256
"""Megabytes in each thread that samtools sorts in memory before it writes to the disk."""


def sort_batches(batches: Sequence[Path], output: Path, work: Path, threads: int, on_life: Callable[[], None]) -> None:
    """Join batches of one header, and sort.

    Args:
        batches: at least one; mates are fixed already.
        output: the BAM to make.
        work: a folder for what does not fit in memory.
        threads: how many sort.
        on_life: see `pipe`.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    listed = work / "batches.txt"
    listed.write_text("".join(f"{path}\n" for path in batches), encoding="utf-8")
    pipe([Stage.samtools("cat", "--no-PG", "-b", listed, "-o", "-"), _sorted("-", output, work, threads)], on_life)


def sort_alignment(
    source: Path,
    reference: Path,
    output: Path,
    *,
    work: Path,
    threads: int,
    on_life: Callable[[], None],
    before: Sequence[Stage] = (),
    needs_mates: bool,
) -> None:
    """Sort a BAM or CRAM.

    Args:
        source: in any order.
        reference: its FASTA, for CRAM.
        output: the BAM to make.
        work: a folder for what does not fit in memory.
        threads: how many work.
        on_life: see `pipe`.
        before: programs that read the source and write BAM for those that follow.
        needs_mates: whether duplicates will be marked, for which each read has to know its mate's qualities.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    stages = list(before)
    given = "-" if stages else source
    if needs_mates:
        stages += [
            Stage.samtools("collate", "--no-PG", "-u", "-O", "-T", work / "collate", "--reference", reference, given),
            Stage.samtools("fixmate", "--no-PG", "-m", "-p", "-u", "-", "-"),
        ]
        given = "-"
    pipe([*stages, _sorted(given, output, work, threads, reference=reference)], on_life)


def _sorted(source: object, output: Path, work: Path, threads: int, *, reference: Path | None = None) -> Stage:
    given = ("--reference", reference) if reference is not None else ()
    memory = f"{SORT_MEMORY}M"
    return Stage.samtools(
        "sort", "--no-PG", "-l", 1, "-m", memory, "-@", threads - 1, "-T", work / "sort", *given, "-o", output, source
    )
