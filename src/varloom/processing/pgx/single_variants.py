"""DPYD and RYR1, whose alleles are single variants of which a chromosome may carry several.

Rules of CPIC, as PharmCAT applies them. Where the genotypes allow one pair of sequences only, all variants of each
chromosome are told: `[c.498G>A + c.2582A>G]/c.2846A>T`. Else the variants are listed, twice where both copies have
them, and no diplotype is told. DPYD HapB3 is called by its intronic variant, by the exonic one only where the intronic
one is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from varloom.processing.pgx.matching import AlleleTable, Matcher

GENES = frozenset({"DPYD", "RYR1"})
HAPB3 = "c.1129-5923C>G, c.1236G>A (HapB3)"
_INTRON_ALONE = "c.1129-5923C>G"
_EXON_RSID, _INTRON_RSID = "rs56038477", "rs75017182"


class Variants(NamedTuple):
    """What was found.

    Attributes:
        diplotypes: the names of both chromosomes, if they can be told apart.
        variants: if not: the variants, twice where on both copies; the reference alone if there are none.
        notes: in sentences.
    """

    diplotypes: tuple[tuple[str, ...], ...]
    variants: tuple[str, ...]
    notes: tuple[str, ...]


def call_variants(table: AlleleTable, matcher: Matcher) -> Variants:
    """The variants of each chromosome, or those of both together."""
    carriers, notes = _carriers(table, matcher)
    reference = table.alleles[table.reference].name
    if matcher.is_effectively_phased:
        sides = [_side(carriers, side, reference) for side in range(1 if matcher.is_haploid else 2)]
        sides.sort(key=lambda name: (name != reference, table.ranks.get(_rank(table, name), 0), name))
        return Variants((tuple(sides),), (), notes)
    listed = [name for name, copies in carriers.items() for _ in range(sum(copies))]
    return Variants((), tuple(listed) or (reference,), notes)


def _side(carriers: dict[str, tuple[bool, bool]], side: int, reference: str) -> str:
    names = [name for name, copies in carriers.items() if copies[side]]
    return f"[{' + '.join(names)}]" if len(names) > 1 else names[0] if names else reference


def _rank(table: AlleleTable, name: str) -> int:
    first = name.removeprefix("[").split(" + ")[0]
    return next((number for number, allele in enumerate(table.alleles) if allele.name == first), 0)


def _carriers(table: AlleleTable, matcher: Matcher) -> tuple[dict[str, tuple[bool, bool]], tuple[str, ...]]:
    """Each allele that is there, and on which of the two copies as the file orders them."""
    found: dict[str, tuple[bool, bool]] = {}
    for number in sorted(range(len(table.alleles)), key=table.ranks.__getitem__):
        allele = table.alleles[number]
        if allele.is_reference or len(allele.cells) != 1 or allele.name == _INTRON_ALONE:
            continue
        ((index, cell),) = allele.cells.items()
        if (copies := _copies(matcher, index, cell)) is not None and any(copies):
            found[allele.name] = copies
    haplotype, notes = _hapb3(table, matcher)
    found.update(haplotype)
    order = {allele.name: table.ranks[number] for number, allele in enumerate(table.alleles)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]])), notes


def _copies(matcher: Matcher, index: int, cell: str) -> tuple[bool, bool] | None:
    """Which copies have these bases at a locus; None if it is not known."""
    genotype = matcher.genotypes[index]
    if not genotype.is_known:
        return None
    first = genotype.alleles[0] == cell
    return (first, genotype.alleles[-1] == cell if len(genotype.alleles) == 2 else False)


def _hapb3(table: AlleleTable, matcher: Matcher) -> tuple[dict[str, tuple[bool, bool]], tuple[str, ...]]:
    """HapB3, or its intronic variant alone."""
    places = {locus.rsid: index for index, locus in enumerate(table.definition.loci)}
    if table.definition.gene != "DPYD" or _INTRON_RSID not in places or _EXON_RSID not in places:
        return {}, ()
    cells = next((allele.cells for allele in table.alleles if allele.name == HAPB3), {})
    if len(cells) != 2:
        return {}, ()
    intron = _copies(matcher, places[_INTRON_RSID], cells[places[_INTRON_RSID]])
    exon = _copies(matcher, places[_EXON_RSID], cells[places[_EXON_RSID]])
    if intron is None:
        if exon is None or not any(exon):
            return {}, ()
        note = f"HapB3 is told by {_EXON_RSID} alone; {_INTRON_RSID}, which does the harm, should be genotyped."
        return {HAPB3: exon}, (note,)
    notes: tuple[str, ...] = ()
    if exon is None:
        return _some({_INTRON_ALONE: intron}), notes
    if sum(exon) > sum(intron):
        notes = (f"{_EXON_RSID} and {_INTRON_RSID} contradict each other; HapB3 is called by {_INTRON_RSID}.",)
    both, alone = _split(intron, exon, in_order=matcher.is_effectively_phased)
    return _some({HAPB3: both, _INTRON_ALONE: alone}), notes


def _split(
    intron: tuple[bool, bool], exon: tuple[bool, bool], *, in_order: bool
) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Copies with both variants, and with the intronic one alone; what is not in order is counted."""
    if in_order:
        return (
            (intron[0] and exon[0], intron[1] and exon[1]),
            (intron[0] and not exon[0], intron[1] and not exon[1]),
        )
    both = min(sum(intron), sum(exon))
    alone = sum(intron) - both
    return (both > 0, both > 1), (alone > 0, alone > 1)


def _some(found: dict[str, tuple[bool, bool]]) -> dict[str, tuple[bool, bool]]:
    return {name: copies for name, copies in found.items() if any(copies)}
