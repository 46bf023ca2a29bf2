"""Which files are reads, by what they are called: before anything of them is here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.processing.lanes import is_reads_name, mate_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_FILES = 64
"""Of one job: sixteen lanes of pairs are half of them."""

_INDEX = re.compile(r"\.(bai|crai|csi)$", re.IGNORECASE)
_ALIGNMENT_ENDS = re.compile(r"(\.(bam|cram))?(\.(bai|crai|csi))?$", re.IGNORECASE)
_LANE_ENDS = re.compile(r"([._-]S\d+)?([._-]L\d{3})?([._-](R|read_?)?\??)?([._-]\d{3})?$", re.IGNORECASE)
"""What follows a sample's name in that of a lane, in which a question mark stands for the mate."""


def are_reads(name: str) -> bool:
    """Whether a file is called as FASTQ, BAM or CRAM are."""
    return is_reads_name(name)


def goes_with_reads(name: str) -> bool:
    """Whether a file may be one of several that are reads together: an index of an alignment may, too."""
    return are_reads(name) or _INDEX.search(name) is not None


def any_are_reads(names: Iterable[str]) -> bool:
    """Whether one of the files is called as reads are."""
    return any(are_reads(name) for name in names)


def sample_of(name: str) -> str:
    """What a file of reads is of, by its name without lane, mate and extension.

    >>> sample_of("NA12878_S1_L001_R2_001.fastq.gz")
    'NA12878'
    """
    if _INDEX.search(name) or re.search(r"\.(bam|cram)$", name, re.IGNORECASE):
        return _ALIGNMENT_ENDS.sub("", name)
    lane = mate_name(name).lane
    return _LANE_ENDS.sub("", lane).strip("._- ") or lane


def sets_of(names: Sequence[str]) -> list[tuple[int, ...]]:
    """Which files become one job each, by their places: reads of one sample together, all others alone.

    An alignment is a sample by itself, with its index; FASTQ files are of one sample when their names differ in lane
    and mate alone.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for place, name in enumerate(names):
        if not goes_with_reads(name):
            key = ("alone", str(place))
        elif _INDEX.search(name) or re.search(r"\.(bam|cram)$", name, re.IGNORECASE):
            key = ("alignment", sample_of(name))
        else:
            key = ("fastq", sample_of(name))
        found.setdefault(key, []).append(place)
    return [tuple(places) for places in found.values()]
