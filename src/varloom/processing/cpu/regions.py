"""How the genome is cut so that variants can be called in parallel, and the result is that of one run.

A cut lies only where no read does, between or within contigs: then no read, no cap of the depth and no pair of
overlapping mates is seen on both of its sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_READS, LEAST_READS = 2_000_000, 100_000
"""Of one region: calling the one takes some minutes, calling the other some seconds."""
_REGIONS_PER_THREAD = 4
_LOOK_AHEAD = 200_000
"""Bases in which a place without reads is looked for."""


class Region(NamedTuple):
    """A part of a contig; positions are 1-based and both included."""

    contig: str
    first: int
    last: int

    def line(self) -> str:
        """As the files of regions have it that bcftools reads."""
        return f"{self.contig}\t{self.first}\t{self.last}\n"


def reads_per_region(alignment: Path, threads: int) -> int:
    """How many reads a region should have, so that all threads end at about the same time."""
    import pysam

    with pysam.AlignmentFile(str(alignment), "rb") as bam:
        fair = bam.mapped // (_REGIONS_PER_THREAD * threads)
    return min(MOST_READS, max(LEAST_READS, fair))


def regions(alignment: Path, reads_per_region: int) -> list[tuple[Region, ...]]:
    """Groups of regions, in the order of the reference: each is called at once. Contigs without reads are left out.

    Args:
        alignment: a sorted BAM with its index.
        reads_per_region: about how many reads a group has.
    """
    import pysam

    groups: list[tuple[Region, ...]] = []
    gathered: list[Region] = []
    weight = 0.0
    with pysam.AlignmentFile(str(alignment), "rb") as bam:
        for contig in bam.get_index_statistics():
            if not contig.mapped:
                continue
            length = bam.get_reference_length(contig.contig)
            for region, share in _cut(bam, contig.contig, length, contig.mapped / reads_per_region):
                gathered.append(region)
                weight += share * contig.mapped
                if weight >= reads_per_region:
                    groups.append(tuple(gathered))
                    gathered, weight = [], 0.0
    if gathered:
        groups.append(tuple(gathered))
    return groups


def _cut(bam: object, contig: str, length: int, parts: float) -> Iterator[tuple[Region, float]]:
    """A contig in about so many regions of about equal length, with the share of its length that each has."""
    step = max(1, int(length / max(1.0, parts)))
    first, wanted = 1, 1 + step
    while wanted < length:
        gap = _gap(bam, contig, wanted, min(length, wanted + min(_LOOK_AHEAD, step)))
        if gap is not None:
            yield Region(contig, first, gap - 1), (gap - first) / length
            first = gap
        wanted = max(wanted, first) + step
    yield Region(contig, first, length), (length - first + 1) / length


def _gap(bam: object, contig: str, first: int, last: int) -> int | None:
    """The first position from `first` to `last` that no read lies on, 1-based; None if there is none."""
    reached = first - 1  # the last position that is known to be covered
    for read in bam.fetch(contig, first - 1, last):  # type: ignore[attr-defined]
        if read.reference_start > reached:  # 0-based: the position after `reached` is free
            break
        reached = max(reached, read.reference_end or 0)
    return reached + 1 if reached + 1 <= last else None
