"""When a phenotype is not given although the gene is called, and what would settle it.

It is withheld whenever something that is not known could make it another one: positions, or the phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.processing.pgx import single_variants
from varloom.processing.pgx.gene_call import Status
from varloom.processing.pgx.phenotypes import INDETERMINATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from varloom.annotation.refs.pgx_content import GeneDefinition, Locus
    from varloom.processing.pgx.gene_call import GeneCall
    from varloom.processing.pgx.phenotypes import Phenotypes

MOST_LISTED = 25
"""How many possible diplotypes are named; all are counted."""
_MOST_IN_WORDS = 3


def why_undecided(gene: str, decided: Sequence[tuple[str, ...]], phenotypes: Phenotypes) -> dict[str, Any] | None:
    """Why there is no phenotype where equally possible diplotypes have different ones; None if they have not."""
    told = list(dict.fromkeys(phenotypes.of(gene, names).phenotype or INDETERMINATE for names in decided))
    if len(told) < 2:
        return None
    return {
        "reason": f"Withheld: equally possible diplotypes mean {' or '.join(told)}. The phase would tell.",
        "settled_by": [],
        "settled_by_phase": True,
        "possible_phenotypes": told,
        "possible_diplotypes": ["/".join(names) for names in decided[:MOST_LISTED]],
        "possible_diplotypes_count": len(decided),
    }


def why_undocumented(
    definition: GeneDefinition, call: GeneCall, phenotypes: Phenotypes, decided: Sequence[tuple[str, ...]]
) -> dict[str, Any] | None:
    """Why there is no phenotype where bases that nobody has documented count as the reference.

    They may do any harm. None where there are none of them, or where the known alleles mean the same phenotype already
    as with an allele without function in place of one of them.
    """
    if call.status is not Status.CALLED or not call.undocumented or not decided:
        return None
    gene = definition.gene
    base = {phenotypes.of(gene, names).phenotype for names in decided}
    lost = phenotypes.without_function(gene, (allele.name for allele in definition.alleles))
    worse = list(
        dict.fromkeys(pair for names in decided for name in lost for pair in _with_one(gene, names, name, phenotypes))
    )
    told = [phenotypes.of(gene, names).phenotype for names in worse]
    if worse and {*told} == base:
        return None
    named = ", ".join(definition.loci[index].named for index in call.undocumented)
    return {
        "reason": f"Withheld, because no allele documents the bases at {named}, and nobody knows what they do.",
        "settled_by": [],
        "settled_by_phase": False,
        "possible_phenotypes": list(dict.fromkeys(phenotype or INDETERMINATE for phenotype in [*base, *told])),
        "possible_diplotypes": [],
        "possible_diplotypes_count": 0,
    }


def _with_one(gene: str, names: tuple[str, ...], lost: str, phenotypes: Phenotypes) -> list[tuple[str, ...]]:
    """Diplotypes with an allele without function in place of one that is there, or beside those that decide."""
    if gene in single_variants.GENES:
        return [phenotypes.lowest(gene, (*names, lost))]
    return [(*names[:place], lost, *names[place + 1 :]) for place in range(len(names))]


def why_withheld(
    definition: GeneDefinition, call: GeneCall, phenotypes: Phenotypes, decided: Sequence[tuple[str, ...]]
) -> dict[str, Any] | None:
    """Why there is no phenotype where positions are not known; None if they cannot change it.

    A position that every laboratory should test (AMP tier 1) is never done without, though no documented allele should
    be possible there: alleles that are common get into combinations that nobody has named.
    """
    if call.status is not Status.CALLED or not call.unknown:
        return None
    if definition.gene in single_variants.GENES:
        return _by_variants(definition, call, phenotypes, decided)
    if call.possible is None:
        return _told(definition, call.unknown, [])
    other = _other(definition, call, phenotypes)
    tested = [index for index in call.unknown if definition.loci[index].position in definition.tier1]
    if not other and not tested:
        return None
    loci = {index for found in other.values() for index in found}
    uncovered = [index for index in tested if index not in loci]
    base = _meanings(definition.gene, phenotypes, (one.names for one in call.diplotypes))
    for names in _of_tested(definition, call, uncovered):
        if not _meanings(definition.gene, phenotypes, [names]) <= base:
            other.setdefault(names, frozenset(uncovered))
    listed = [("/".join(names), phenotypes.of(definition.gene, names).phenotype) for names in other]
    return _told(definition, sorted(loci | set(tested)) or call.unknown, listed)


def _meanings(gene: str, phenotypes: Phenotypes, diplotypes: Iterable[tuple[str, ...]]) -> frozenset[object]:
    """The phenotypes of diplotypes; for a gene without any the diplotypes themselves: they are all there is to tell."""
    if not phenotypes.has(gene):
        return frozenset(diplotypes)
    return frozenset(phenotypes.of(gene, names).phenotype for names in diplotypes)


def _other(definition: GeneDefinition, call: GeneCall, phenotypes: Phenotypes) -> dict[tuple[str, ...], frozenset[int]]:
    """The possible diplotypes of another phenotype, with the positions at which they differ from the reference."""
    base = _meanings(definition.gene, phenotypes, (one.names for one in call.diplotypes))
    return {
        one.names: one.loci
        for one in call.possible or ()
        if not _meanings(definition.gene, phenotypes, [one.names]) <= base
    }


def _of_tested(definition: GeneDefinition, call: GeneCall, tested: Sequence[int]) -> list[tuple[str, ...]]:
    """What the diplotypes would be with an allele that has something else than the reference at a tier 1 position."""
    found: list[tuple[str, ...]] = []
    for allele in definition.alleles:
        if any(allele.cells.get(index, definition.loci[index].ref) != definition.loci[index].ref for index in tested):
            name = definition.core_of.get(allele.name, allele.name)
            for one in call.diplotypes:
                found += [(*one.names[:-1], name), (name,) * len(one.names)]
    return list(dict.fromkeys(found))


def _by_variants(
    definition: GeneDefinition, call: GeneCall, phenotypes: Phenotypes, decided: Sequence[tuple[str, ...]]
) -> dict[str, Any] | None:
    """Of a gene that is called variant by variant: a variant that is not known could do more harm."""
    gene, unknown = definition.gene, frozenset(call.unknown)
    base = {phenotypes.of(gene, names).phenotype for names in decided}
    other: list[tuple[str, frozenset[int]]] = []
    for allele in definition.alleles:
        loci = frozenset(allele.cells)
        if allele.is_reference or not loci & unknown or not phenotypes.is_harmful(gene, allele.name):
            continue
        if len(loci) > 1 and not loci <= unknown:
            continue  # its other variant is known, and an allele of its own tells this one
        more = [(*names, *[allele.name] * copies) for names in decided for copies in (1, 2)]
        if {phenotypes.of(gene, phenotypes.lowest(gene, names)).phenotype for names in more} != base:
            other.append((allele.name, loci & unknown))
    if not other:
        return None
    listed = [(name, phenotypes.function(gene, name)) for name, _ in other]
    return _told(definition, sorted({index for _, loci in other for index in loci}), listed)


def _told(definition: GeneDefinition, loci: Sequence[int], listed: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    """The reason, in words and in parts; positions that should always be tested come first."""
    places = [definition.loci[index] for index in loci]
    places.sort(key=lambda locus: (locus.position not in definition.tier1, locus.position))
    named = ", ".join(locus.named for locus in places[:_MOST_IN_WORDS])
    more = f" and {len(places) - _MOST_IN_WORDS} more" if len(places) > _MOST_IN_WORDS else ""
    verb = "is" if len(places) == 1 else "are"
    return {
        "reason": f"Withheld, because {named}{more} {verb} not known and could change the phenotype.",
        "settled_by": [place_of(locus) for locus in places],
        "settled_by_phase": False,
        "possible_phenotypes": list(dict.fromkeys(phenotype or INDETERMINATE for _, phenotype in listed)),
        "possible_diplotypes": [name for name, _ in listed[:MOST_LISTED]],
        "possible_diplotypes_count": len(listed),
    }


def place_of(locus: Locus) -> dict[str, Any]:
    """A position as it stands in `pgx.json`."""
    return {
        "contig": f"chr{locus.contig}",
        "position": locus.position,
        "rsid": locus.rsid,
        "ref": locus.ref,
        "alts": list(locus.alts),
    }
