"""Which files are reads, by what they are called: before anything of them is here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_FILES = 64
"""Of one job: sixteen lanes of pairs are half of them."""

_READS = re.compile(r"\.(fastq|fq)(\.(gz|bgz|bgzf))?$|\.(bam|cram|ubam)$", re.IGNORECASE)
_INDEX = re.compile(r"\.(bai|crai|csi)$", re.IGNORECASE)


def are_reads(name: str) -> bool:
    """Whether a file is called as FASTQ, BAM or CRAM are."""
    return _READS.search(name) is not None


def goes_with_reads(name: str) -> bool:
    """Whether a file may be one of several that are reads together: an index of an alignment may, too."""
    return are_reads(name) or _INDEX.search(name) is not None


def any_are_reads(names: Iterable[str]) -> bool:
    """Whether one of the files is called as reads are."""
    return any(are_reads(name) for name in names)
