"""A small genome with an X and a Y, whose pseudoautosomal regions are known, and reads of people with any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import simulated_reads as simulated

from varloom.processing.ploidy import Measures

if TYPE_CHECKING:
    from pathlib import Path

X, Y = 40_001, 30_001
SHARED_X, SHARED_Y, SINGLE_Y = (1, 6000), (1, 6000), (6001, 30_000)
MEASURES = Measures("GRCh38", X, Y, (SHARED_X,), (SHARED_Y,), (SINGLE_Y,))
"""To be appended to `varloom.processing.ploidy.KNOWN`."""
LENGTHS = {"chr1": 40_000, "chrX": X, "chrY": Y, "chrM": 16_569}


def genome(seed: int = 21) -> dict[str, str]:
    """Its Y has unknown bases where X has the shared region, as genomes for analysis do."""
    contigs = simulated.genome(LENGTHS, seed)
    contigs["chrY"] = "N" * SHARED_Y[1] + contigs["chrY"][SHARED_Y[1] :]
    return contigs


def reads(
    contigs: dict[str, str],
    variants: list[simulated.Variant],
    copies: tuple[int, int],
    *,
    depth: float = 24,
    spans: list[tuple[str, int, int]] | None = None,
):
    """Pairs of somebody with so many copies of X and of Y. A variant of a part with one copy is on copy 0 or on none.

    Args:
        contigs: the genome.
        variants: of the person.
        copies: of X, and of Y.
        depth: of two copies.
        spans: what is sequenced of a panel; None: all.
    """
    made = simulated.copies_of(contigs, variants)
    for name, bases in contigs.items():
        every = [(name, 0, len(bases))] if spans is None else [one for one in spans if one[0] == name]
        if name == "chrX":
            yield from _of_x(made, every, copies[0], depth)
        elif name == "chrY":
            sets = [made[0]] * copies[1]
            own = [(one, max(first, SHARED_Y[1] + 100), last) for one, first, last in every]
            yield from _named(simulated.pairs(sets, own, depth, seed=8), name)
        elif name == "chrM":  # a third of its molecules are those of copy 0
            yield from _named(simulated.pairs([*made, made[1]], every, depth * 2, seed=9), name)
        else:
            yield from _named(simulated.pairs(made, every, depth, seed=9), name)


def _of_x(made, spans, copies, depth):
    """One copy of the shared region is that of Y."""
    middle = SHARED_X[1]
    shared = [(name, first, min(last, middle)) for name, first, last in spans if first < middle]
    own = [(name, max(first, middle), last) for name, first, last in spans if last > middle]
    yield from _named(simulated.pairs(made, shared, depth, seed=4), "shared")
    yield from _named(simulated.pairs((made * 2)[:copies], own, depth, seed=5), "own")


def _named(pairs, where):
    """Names that are no other group's."""
    for title, first, second in pairs:
        yield f"{title}{where}", first, second


def write(folder: Path, name: str, pairs) -> tuple[Path, Path]:
    return simulated.write_pairs(folder, name, pairs)
