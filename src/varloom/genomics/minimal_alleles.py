"""One way to write each small variant: as far to the left as it goes, and no base more than needed.

Source: Tan, Abecasis and Kang, "Unified representation of genetic variants", Bioinformatics 31 (2015) 2202.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Alleles(NamedTuple):
    """A variant of one contig: the 1-based position of the first base of REF, and the alleles in upper case."""

    position: int
    ref: str
    alt: str


def trimmed(position: int, ref: str, alt: str) -> Alleles:
    """Without the bases that both alleles end with, then without those that both begin with; each keeps one at least.

    The position moves over bases that are written out only: an indel stays where it is in a repeat.
    """
    end = _common_end(ref, alt)
    start = 0
    most = min(len(ref), len(alt)) - 1 - end
    while start < most and ref[start] == alt[start]:
        start += 1
    return Alleles(position + start, ref[start : len(ref) - end], alt[start : len(alt) - end])


def left_aligned(position: int, ref: str, alt: str, base_at: Callable[[int], str]) -> Alleles:
    """As `trimmed`, and moved to the left as far as the reference lets it.

    `base_at` gives the base at a 1-based position, in upper case, and an empty text where there is none: alleles stay
    where no base stands before them. So do equal alleles.
    """
    if ref == alt:
        return trimmed(position, ref, alt)
    end = _common_end(ref, alt)
    ref, alt = ref[: len(ref) - end], alt[: len(alt) - end]
    while ref[-1] == alt[-1]:
        before = base_at(position - 1) if position > 1 else ""
        if not before:
            break
        position -= 1
        ref, alt = before + ref[:-1], before + alt[:-1]
    return trimmed(position, ref, alt)


def _common_end(ref: str, alt: str) -> int:
    """How many bases both end with, when each keeps one."""
    most = min(len(ref), len(alt)) - 1
    end = 0
    while end < most and ref[-1 - end] == alt[-1 - end]:
        end += 1
    return end
