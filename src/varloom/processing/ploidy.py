"""How many copies of each part of the genome a sample has: of X and Y by its sex chromosomes, of the mitochondrion one.

The genome is known by the lengths of its contigs X and Y, whatever they are called. On any other genome all has two
copies. The pseudoautosomal regions have two in everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.genomics.assemblies import LENGTHS
from varloom.genomics.contigs import MITOCHONDRION_LENGTH, bare_name
from varloom.genomics.par import PSEUDOAUTOSOMAL, SINGLE_COPY_OF_Y
from varloom.processing.model import SexChromosomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from varloom.genomics.assemblies import Assembly

_MITOCHONDRIA = frozenset({MITOCHONDRION_LENGTH, 16571})
"""Lengths: of the rCRS, and of `chrM` of UCSC's hg19."""
_OF_TWO = "*\t*\t*\tM\t2\n"


class Span(NamedTuple):
    """A part of a contig; positions are 1-based and both included."""

    contig: str
    first: int
    last: int


class Layout(NamedTuple):
    """The sex chromosomes of a genome.

    Attributes:
        assembly: whose they are.
        x: the contig, by its name there; None where the genome lacks it.
        y: likewise.
        shared: the pseudoautosomal regions, of X and of Y.
        own_x: X without these.
        own_y: Y without these.
        single_y: stretches of Y that are nowhere else, by which its depth is told.
    """

    assembly: Assembly
    x: str | None
    y: str | None
    shared: tuple[Span, ...]
    own_x: tuple[Span, ...]
    own_y: tuple[Span, ...]
    single_y: tuple[Span, ...]

    @property
    def own(self) -> tuple[Span, ...]:
        """Where a sample with XY has one copy."""
        return (*self.own_x, *self.own_y)


class Measures(NamedTuple):
    """Of an assembly: lengths, the pseudoautosomal regions on each, and single-copy stretches of Y."""

    assembly: Assembly
    x_length: int
    y_length: int
    shared_x: tuple[tuple[int, int], ...]
    shared_y: tuple[tuple[int, int], ...]
    single_y: tuple[tuple[int, int], ...]


def _measures(assembly: Assembly) -> Measures:
    shared = PSEUDOAUTOSOMAL[assembly]
    which = ("GRCh37", "GRCh38").index(assembly)
    return Measures(
        assembly,
        LENGTHS["X"][which],
        LENGTHS["Y"][which],
        tuple((one.first_on_x, one.first_on_x + one.last - one.first) for one in shared),
        tuple((one.first, one.last) for one in shared),
        SINGLE_COPY_OF_Y[assembly],
    )


KNOWN = [_measures("GRCh37"), _measures("GRCh38")]
"""The genomes whose pseudoautosomal regions are known."""


def layout_of(contigs: Mapping[str, int]) -> Layout | None:
    """The sex chromosomes of a genome with these contigs; None where they are not those of a known assembly."""
    by_bare = {bare_name(name): name for name in contigs}
    x, y = by_bare.get("X"), by_bare.get("Y")
    for known in KNOWN:
        has_x, has_y = (
            (x is not None and contigs[x] == known.x_length),
            (y is not None and contigs[y] == known.y_length),
        )
        if (x is None and y is None) or (x is not None and not has_x) or (y is not None and not has_y):
            continue
        shared_x = [Span(x, *one) for one in known.shared_x] if x is not None else []
        shared_y = [Span(y, *one) for one in known.shared_y] if y is not None else []
        return Layout(
            known.assembly,
            x,
            y,
            (*shared_x, *shared_y),
            tuple(_between(x, known.x_length, known.shared_x)) if x is not None else (),
            tuple(_between(y, known.y_length, known.shared_y)) if y is not None else (),
            tuple(Span(y, *one) for one in known.single_y) if y is not None else (),
        )
    return None


def _between(contig: str, length: int, without: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """What is left of a contig."""
    first = 1
    for begin, end in sorted(without):
        if first < begin:
            yield Span(contig, first, begin - 1)
        first = end + 1
    if first <= length:
        yield Span(contig, first, length)


def mitochondrion_of(contigs: Mapping[str, int]) -> str | None:
    """The name of the human mitochondrion among the contigs."""
    return next((name for name, length in contigs.items() if bare_name(name) == "MT" and length in _MITOCHONDRIA), None)


class Ploidy(NamedTuple):
    """The copies that a sample is called with.

    Attributes:
        one: parts of which it has one copy.
        none: parts of which it has none.
        mitochondrion: the contig that has one copy in a cell's terms, and many molecules that may differ.
    """

    one: tuple[Span, ...] = ()
    none: tuple[Span, ...] = ()
    mitochondrion: str | None = None

    def write(self, path: Path) -> Path:
        """As `bcftools call --ploidy-file` reads it, for its one kind of sample."""
        counted = [*((span, 1) for span in self.one), *((span, 0) for span in self.none)]
        lines = (f"{span.contig}\t{span.first}\t{span.last}\tM\t{copies}\n" for span, copies in counted)
        path.write_text("".join(lines) + _OF_TWO, encoding="utf-8")
        return path


def ploidy_of(contigs: Mapping[str, int], used: str | None) -> Ploidy:
    """The copies of a sample with these sex chromosomes (`xx`, `xy`; None: not told, all is called as two)."""
    layout, mitochondrion = layout_of(contigs), mitochondrion_of(contigs)
    if layout is None or used is None:
        return Ploidy(mitochondrion=mitochondrion)
    if used == SexChromosomes.XY:
        return Ploidy(one=layout.own, mitochondrion=mitochondrion)
    absent = (Span(layout.y, 1, contigs[layout.y]),) if layout.y is not None else ()
    return Ploidy(none=absent, mitochondrion=mitochondrion)


def settled(figures: Mapping[str, Any], given: SexChromosomes) -> dict[str, Any]:
    """What a sample is called with, from its coverage and from what was given.

    Args:
        figures: see `varloom.processing.quality.sex_chromosomes.estimate`.
        given: what the user says.

    Returns:
        The figures with `given`, `used` (`xx`, `xy` or null), `contradiction` (whether what was given does not fit) and
        `variants_diploid` (whether variants of X and Y are called as two copies in any case). Where it does not fit,
        nothing is used: a heterozygous variant would be lost where one copy is called.
    """
    contradiction = given is not SexChromosomes.AUTO and not _fits(figures, given)
    used = figures["told"] if given is SexChromosomes.AUTO else given.value
    if contradiction or not figures["is_known_genome"]:
        used = None
    return {**figures, "given": given.value, "used": used, "contradiction": contradiction, "variants_diploid": not used}


def _fits(figures: Mapping[str, Any], given: SexChromosomes) -> bool:
    """Whether the depths can be those of what was given, with room for a Y that some cells have lost."""
    if figures["told"] is not None:
        return bool(figures["told"] == given)
    x, y = figures["x_ratio"], figures["y_ratio"]
    if x is None or y is None or not figures["is_even"]:
        return True
    if given is SexChromosomes.XX:
        return bool(0.75 < x < 1.25 and y < 0.25)
    return bool(0.25 < x < 0.75 and y < 0.75)
