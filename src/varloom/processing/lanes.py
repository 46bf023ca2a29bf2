"""Which files belong together: provisional."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.processing.model import Lane, Reads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.processing.model import ReadsFile


def reads_of(files: Sequence[ReadsFile]) -> Reads:
    """The reads of the files."""
    if files[0].name.endswith((".bam", ".cram")):
        return Reads(alignment=files[0])
    return Reads(lanes=(Lane(files[0], files[1] if len(files) > 1 else None),))
