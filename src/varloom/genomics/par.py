"""The pseudoautosomal regions, which X and Y share. Source: the assembly regions of GRCh37.p13 and GRCh38.p14."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from varloom.genomics.assemblies import Assembly


class SharedRegion(NamedTuple):
    """A region of Y, 1-based and inclusive, and where it begins on X."""

    first: int
    last: int
    first_on_x: int


PSEUDOAUTOSOMAL: Mapping[Assembly, tuple[SharedRegion, ...]] = {
    "GRCh37": (SharedRegion(10_001, 2_649_520, 60_001), SharedRegion(59_034_050, 59_363_566, 154_931_044)),
    "GRCh38": (SharedRegion(10_001, 2_781_479, 10_001), SharedRegion(56_887_903, 57_217_415, 155_701_383)),
}

SINGLE_COPY_OF_Y: Mapping[Assembly, tuple[tuple[int, int], ...]] = {
    "GRCh37": ((14_812_000, 15_811_900), (16_632_000, 16_951_900)),
    "GRCh38": ((12_700_000, 13_700_000), (14_520_000, 14_840_000)),
}
"""Stretches of Y that neither X nor Y itself has again, 1-based and inclusive: X-degenerate sequence, from USP9Y to
TMSB4Y and around NLGN4Y. Source: the classes of sequence of Skaletsky et al., Nature 2003, 423:825; the places of these
genes in the assemblies."""


def on_x(position: NDArray[np.int64], assembly: Assembly) -> NDArray[np.int64]:
    """Where positions of Y are on X; 0 for those outside of the shared regions."""
    there = np.zeros_like(position)
    for region in PSEUDOAUTOSOMAL[assembly]:
        inside = (position >= region.first) & (position <= region.last)
        there[inside] = position[inside] - region.first + region.first_on_x
    return there
