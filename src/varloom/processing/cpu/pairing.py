"""Making pairs of what pybwa aligns: which read is which mate, and which pairs are proper.

pybwa aligns interleaved reads as pairs, but leaves the flags READ1, READ2 and PROPER_PAIR out; callers ignore reads
without them and find nothing. The rule for proper pairs is bwa's own (`mem_pestat`, `mem_sam_pe` of bwa 0.7.19): the
distance between the 5' ends, and the orientation, are among those of the batch's unique pairs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pysam import AlignedSegment

_PROPER, _REVERSE, _UNMAPPED = 0x2, 0x10, 0x4
_FIRST, _SECOND = 0x40, 0x80

_LONGEST = 10_000
"""The longest distance that counts when the distribution is estimated."""
_UNIQUE = 0.8
"""A read is unique when its second best score is at most this share of the best."""
_FEWEST, _FEWEST_SHARE = 10, 0.05
"""An orientation with fewer pairs, or with a smaller share of the most frequent one's, is no orientation of pairs."""


class Distance(NamedTuple):
    """How two mates lie.

    Attributes:
        orientation: 0 both forward, 1 towards each other, 2 away from each other, 3 both reverse: seen from the first.
        bases: between their 5' ends.
    """

    orientation: int
    bases: int


class Bounds(NamedTuple):
    """The distances of proper pairs, both included."""

    low: int
    high: int


def distance(one: AlignedSegment, other: AlignedSegment) -> Distance:
    """How two mates on one contig lie."""
    one_reverse, other_reverse = one.flag & _REVERSE, other.flag & _REVERSE
    first = (one.reference_end or 0) - 1 if one_reverse else one.reference_start
    second = (other.reference_end or 0) - 1 if other_reverse else other.reference_start
    ahead = second < first if one_reverse else second > first
    same = 0 if bool(one_reverse) == bool(other_reverse) else 1
    return Distance(same ^ (0 if ahead else 3), abs(second - first))


def bounds(distances: Iterable[Distance]) -> dict[int, Bounds]:
    """The distances of proper pairs by orientation, from those of unique pairs; none where there are too few."""
    by_orientation: dict[int, list[int]] = {}
    for one in distances:
        if 0 < one.bases <= _LONGEST:
            by_orientation.setdefault(one.orientation, []).append(one.bases)
    most = max(map(len, by_orientation.values()), default=0)
    return {
        orientation: _bounds(sorted(found))
        for orientation, found in by_orientation.items()
        if len(found) >= _FEWEST and len(found) >= most * _FEWEST_SHARE
    }


def _bounds(found: Sequence[int]) -> Bounds:
    quarter, three = (found[int(share * len(found) + 0.499)] for share in (0.25, 0.75))
    spread = three - quarter
    low, high = max(1, int(quarter - 2 * spread + 0.499)), int(three + 2 * spread + 0.499)
    usual = [bases for bases in found if low <= bases <= high]
    mean = sum(usual) / len(usual)
    deviation = math.sqrt(sum((bases - mean) ** 2 for bases in usual) / len(usual))
    low, high = int(quarter - 3 * spread + 0.499), int(three + 3 * spread + 0.499)
    low, high = min(low, int(mean - 4 * deviation + 0.499)), max(high, int(mean + 4 * deviation + 0.499))
    return Bounds(max(1, low), high)


def repair(reads: Sequence[list[AlignedSegment]]) -> None:
    """Set the flags of pairs; reads are mates in turn, each with all its alignments."""
    placed = [_placed(one, other) for one, other in zip(reads[::2], reads[1::2], strict=True)]
    proper = bounds(lying for pair in placed if pair is not None for lying, is_unique in (pair,) if is_unique)
    for number, pair in enumerate(placed):
        added = 0
        if pair is not None:
            within = proper.get(pair[0].orientation)
            if within is not None and within.low <= pair[0].bases <= within.high:
                added = _PROPER
        for record in reads[2 * number]:
            record.flag |= _FIRST | added
        for record in reads[2 * number + 1]:
            record.flag |= _SECOND | added


def _placed(one: list[AlignedSegment], other: list[AlignedSegment]) -> tuple[Distance, bool] | None:
    """How the best alignments of two mates lie, and whether both are unique; None unless they share a contig."""
    first, second = one[0], other[0]
    if (first.flag | second.flag) & _UNMAPPED or first.reference_id != second.reference_id:
        return None
    return distance(first, second), _is_unique(first) and _is_unique(second)


def _is_unique(record: AlignedSegment) -> bool:
    try:
        return int(record.get_tag("XS")) <= _UNIQUE * int(record.get_tag("AS"))
    except KeyError:  # there is no second best one
        return True
