"""Which rows the ALT alleles of a record get, and where each row finds its values."""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import NamedTuple

UNSEEN = frozenset({"<NON_REF>", "<*>"})
"""Alleles that stand for any other allele; beside a real one they get no row."""
MOST_PLOIDY = 64
"""The highest ploidy that values of Number=G are read with; pooled samples have up to some dozens."""


class AlleleShape(NamedTuple):
    """How a record with `alternates` ALT alleles is split into `rows` rows, one at least.

    `kept` holds the index of the ALT allele of each row, from 1; a record without ALT has the one row 0.
    """

    alternates: int
    kept: tuple[int, ...]
    rows: int


@lru_cache(maxsize=4096)
def shape_of(alternates: int, kept: tuple[int, ...]) -> AlleleShape:
    """The shared shape of this kind; comparing and hashing stay cheap."""
    return AlleleShape(alternates, kept, len(kept))


NO_ALTERNATE = shape_of(0, (0,))
ONE_ALTERNATE = shape_of(1, (1,))


def split_alleles(alt: str) -> tuple[AlleleShape, list[str | None]]:
    """The shape of a record and the ALT allele of each row, from the text of its ALT column."""
    if alt == ".":
        return NO_ALTERNATE, [None]
    if "," not in alt:
        return ONE_ALTERNATE, [alt]
    alleles = alt.split(",")
    kept = tuple(index for index, allele in enumerate(alleles, 1) if allele not in UNSEEN)
    if not kept:
        kept = tuple(range(1, len(alleles) + 1))
    return shape_of(len(alleles), kept), [alleles[index - 1] for index in kept]


@lru_cache(maxsize=4096)
def genotype_places(shape: AlleleShape, count: int) -> tuple[tuple[int, ...], ...] | None:
    """Where the genotypes of each row's allele stand among `count` values of a Number=G field.

    For ploidy p and allele k these are the p+1 genotypes with 0, 1 ... p copies of k and else the reference: 00, 0k,
    kk for a diploid. The ploidy is what makes `count` right for all alleles; None when none up to `MOST_PLOIDY` does.
    Order: VCF 4.5 section 1.6.2, the genotype a1 <= ... <= ap stands at the sum of C(ai + i - 1, i).
    """
    if shape.alternates == 0:
        return ((0,),) if count == 1 else None
    alleles = shape.alternates + 1
    ploidy = 1
    while ploidy < MOST_PLOIDY and comb(alleles + ploidy - 1, ploidy) < count:
        ploidy += 1
    if comb(alleles + ploidy - 1, ploidy) != count:
        return None
    return tuple(
        tuple(_place((0,) * (ploidy - copies) + (allele,) * copies) for copies in range(ploidy + 1))
        for allele in shape.kept
    )


def _place(genotype: tuple[int, ...]) -> int:
    return sum(comb(allele + index - 1, index) for index, allele in enumerate(genotype, 1))
