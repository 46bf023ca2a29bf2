"""Step: a lane with both mates in turn (interleaved FASTQ) becomes two files, as Parabricks takes pairs."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError, counted
from varloom.processing.fastq import LaneReader
from varloom.processing.model import Lane, ReadsFile
from varloom.processing.problems import PROGRAM_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from varloom.processing.checkpoints import Checkpoints
    from varloom.processing.model import Report

_LEVEL = 1
"""Of compression: the files are read once."""


def separated(lanes: Sequence[Lane], reads: Sequence[int], kept: Checkpoints, work: Path, report: Report) -> list[Lane]:
    """The lanes, none of them interleaved; each lane that was is a step of its own.

    Args:
        lanes: their reads have been held to the format, and their mates against each other.
        reads: of each lane, how many it has.
        kept: where the files of mates stay until `forget`.
        work: an existing folder, for files that are not whole yet.
        report: told how many bytes of the interleaved files are read.

    Raises:
        VarloomError: `disk_full`; `program_failed` when a file is not what was checked.
    """
    found = []
    for number, (lane, expected) in enumerate(zip(lanes, reads, strict=True), 1):
        if not lane.is_interleaved:
            found.append(lane)
            continue
        names = [f"separated{number}_{mate}.fastq.gz" for mate in (1, 2)]
        made = [work / name for name in names]
        told = kept.step(f"separated{number}", partial(_separate, lane, made, kept, report))
        if told["reads"] != expected:
            message = f"{counted(told['reads'], 'read')} of {expected:,} were separated: {lane.first.name} has changed."
            raise VarloomError(PROGRAM_FAILED, message)
        first, second = (ReadsFile(kept.folder / name, lane.first.name) for name in names)
        found.append(Lane(first, second))
    return found


def forget(kept: Checkpoints) -> None:
    """Remove the files of mates, once the reads are aligned."""
    for path in kept.folder.glob("separated*.fastq.gz"):
        path.unlink(missing_ok=True)


def _separate(lane: Lane, made: Sequence[Path], kept: Checkpoints, report: Report) -> dict[str, Any]:
    """Write both files, a piece at a time; each is packed by a thread of its own."""
    total, done = lane.first.path.stat().st_size, 0
    report(0, total, "bytes of reads separated")
    with (
        gzip.open(made[0], "wb", compresslevel=_LEVEL) as ones,
        gzip.open(made[1], "wb", compresslevel=_LEVEL) as others,
        LaneReader(lane, lambda read: report(read, total, "bytes of reads separated"), is_checked=True) as reader,
        ThreadPoolExecutor(2) as threads,
    ):
        for lines in reader.pieces():
            done += len(lines) // 4
            writing = [
                threads.submit(file.write, _text(lines, mate)) for mate, file in enumerate((ones, others)) if lines
            ]
            for one in writing:
                one.result()
    for path in made:
        kept.keep(path, path.name)
    return {"reads": done}


def _text(lines: list[bytes], mate: int) -> bytes:
    """The reads of one mate, 0 or 1, of lines that have eight for each pair."""
    half: list[bytes] = [b""] * (len(lines) // 2)
    for line in range(4):
        half[line::4] = lines[4 * mate + line :: 8]
    return b"\n".join(half) + b"\n"
