"""How much disk an analysis will need, told before it begins.

The factors are those of the worst step, measured with simulated reads (docs/explanation/processing.md): of today's
sequencers, whose qualities have four values, and of those before, with forty. What was uploaded is there already and is
not counted.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.processing.problems import DISK_TOO_SMALL

if TYPE_CHECKING:
    from pathlib import Path

FASTQ_BYTES_PER_BASE = 3.5
"""While reads that were aligned are sorted: batches, sorted pieces, and the sorted BAM, all with forty qualities."""
FASTQ_BYTES_PER_BYTE = 3.7
"""The same for each byte of packed FASTQ: fewer qualities pack better in both."""
PARTED_BYTES_PER_BYTE = 5.8
"""For each byte of an unaligned BAM, with the FASTQ that is made of it."""
PARTED_BYTES_PER_BASE = 4.8
"""For each base of an unaligned CRAM."""
READY_BYTES_PER_BYTE = 2.1
"""For each byte of a BAM that needs nothing but an index: a copy, and the result."""
ALIGNED_BYTES_PER_BYTE = 3.5
"""For each byte of a BAM that is sorted, or whose duplicates are marked."""
ALIGNED_BYTES_PER_BASE = 3.0
"""For each base of a CRAM."""
CRAM_BYTES_PER_BYTE = 11.0
"""For each byte of a CRAM whose bases are not told."""
SEPARATED_BYTES_PER_BASE = 1.4
"""Of packed FASTQ, where mates in turn are written as two files."""
INDEX_BYTES_PER_BASE = 1.8
"""Of bwa's index for each base of the reference."""


def of_fastq(bases: int, packed: int | None) -> int:
    """The bytes that aligning reads takes at the worst moment, the result included.

    Args:
        bases: of the reads.
        packed: bytes of the FASTQ; None where a file of it is not packed.
    """
    by_bases = bases * FASTQ_BYTES_PER_BASE
    return int(by_bases if packed is None else min(by_bases, packed * FASTQ_BYTES_PER_BYTE))


def of_index(reference_bases: int) -> int:
    """The bytes that building bwa's index takes."""
    return int(reference_bases * INDEX_BYTES_PER_BASE)


def of_alignment(given: int, cram_bases: int | None, *, is_cram: bool, is_ready: bool) -> int:
    """The bytes that making a given alignment ready takes at the worst moment, the result included.

    Args:
        given: its bytes.
        cram_bases: of the reads of a CRAM, where that is known.
        is_cram: whether it is one.
        is_ready: whether it is sorted, and its duplicates are marked.
    """
    if not is_cram:
        return int(given * (READY_BYTES_PER_BYTE if is_ready else ALIGNED_BYTES_PER_BYTE))
    return int(given * CRAM_BYTES_PER_BYTE if cram_bases is None else cram_bases * ALIGNED_BYTES_PER_BASE)


def of_unaligned(given: int, cram_bases: int | None, *, is_cram: bool) -> int:
    """The bytes that aligning the reads of an alignment takes at the worst moment; see `of_alignment`."""
    if not is_cram:
        return int(given * PARTED_BYTES_PER_BYTE)
    return int(given * CRAM_BYTES_PER_BYTE if cram_bases is None else cram_bases * PARTED_BYTES_PER_BASE)


def hold_to(folder: Path, wanted: int) -> None:
    """Refuse to begin where there is too little space.

    Raises:
        VarloomError: `disk_too_small`.
    """
    free = shutil.disk_usage(folder).free
    if free < wanted:
        message = (
            f"The analysis needs about {_size(wanted)} at its largest step, and the disk has {_size(free)} free: "
            f"{_size(wanted - free)} too little."
        )
        raise VarloomError(DISK_TOO_SMALL, message)


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB"
