"""How much disk an analysis will need, told before it begins."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.processing.problems import DISK_TOO_SMALL

if TYPE_CHECKING:
    from pathlib import Path

BYTES_PER_BASE = 1.3
"""Of BAM for each base of the reads, packed: sequence, qualities and tags."""
_COPIES = 2.2
"""At the worst moment two BAMs of all reads lie side by side: batches and their sorting, or sorted and marked."""
INDEX_BYTES_PER_BASE = 1.8
"""Of bwa's index for each base of the reference."""


def needed(bases: int, reference_bases: int, *, builds_index: bool) -> int:
    """The bytes that aligning so many bases takes at the worst moment, the result included."""
    return int(bases * BYTES_PER_BASE * _COPIES) + (int(reference_bases * INDEX_BYTES_PER_BASE) if builds_index else 0)


def hold_to(folder: Path, wanted: int) -> None:
    """Refuse to begin where there is too little space.

    Raises:
        VarloomError: `disk_too_small`.
    """
    free = shutil.disk_usage(folder).free
    if free < wanted:
        message = f"The analysis needs about {_size(wanted)}, and the disk has {_size(free)} free."
        raise VarloomError(DISK_TOO_SMALL, message)


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB"
