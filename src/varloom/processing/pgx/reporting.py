"""A gene call as it stands in `pgx.json`: phenotypes given or withheld, positions, notes.

See `docs/reference/pgx-json.md` for every entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.errors import counted
from varloom.processing.pgx import single_variants
from varloom.processing.pgx.gene_call import Status
from varloom.processing.pgx.phenotypes import INDETERMINATE, deciding
from varloom.processing.pgx.recommending import Told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.annotation.refs.pgx_content import GeneDefinition, Locus
    from varloom.processing.pgx.gene_call import GeneCall
    from varloom.processing.pgx.genotypes import Genotype
    from varloom.processing.pgx.outside import OutsideCall
    from varloom.processing.pgx.phenotypes import Phenotypes

MOST_LISTED = 25
"""How many possible diplotypes are named; all are counted."""


class GeneReport:
    """What is said of one gene of one sample.

    Attributes:
        entry: the JSON object.
        told: what recommendations are looked up by.
    """

    def __init__(self, entry: dict[str, Any], told: Told) -> None:
        self.entry = entry
        self.told = told


def gene_report(
    definition: GeneDefinition, call: GeneCall, genotypes: Sequence[Genotype], phenotypes: Phenotypes
) -> GeneReport:
    """The report of a gene that was called from the file."""
    gene = definition.gene
    decided = _decided(gene, call, phenotypes)
    phenotype, score, reason = _phenotype(gene, decided, phenotypes)
    withheld = _undecided(gene, decided, phenotypes) or _withheld(definition, call, phenotypes, decided)
    status = str(call.status) if call.status is not Status.CALLED or withheld is None else "withheld"
    entry: dict[str, Any] = {
        "gene": gene,
        "source": "file",
        "status": status,
        "reason": call.why or (withheld or {}).get("reason") or reason,
        "copies": call.copies,
        "phased": call.is_phased,
        "effectively_phased": call.is_effectively_phased,
        "diplotypes": [_diplotype(gene, one.names, one.score, phenotypes) for one in call.diplotypes],
        "alternatives": [_diplotype(gene, one.names, one.score, phenotypes) for one in call.alternatives],
        "variants_found": [
            {"name": name, "function": phenotypes.function(gene, name), "activity": phenotypes.activity(gene, name)}
            for name in call.found
        ],
        "decided_by": ["/".join(names) for names in decided],
        "activity_score": None if withheld else score,
        "phenotype": None if withheld else phenotype,
        "phenotype_if_reference": phenotype if withheld else None,
        "activity_score_if_reference": score if withheld else None,
        "withheld": withheld,
        "positions": _positions(definition, call, genotypes),
        "not_told_apart": [list(group) for group in call.alike],
        "uncallable": list(call.uncallable) if call.status is not Status.NO_DATA else [],
        "notes": list(call.notes),
    }
    words = frozenset(word for names in decided for word in phenotypes.words(gene, names))
    given = entry["phenotype"]
    entry["abnormal"] = phenotypes.is_of_priority(gene, words) if given else None
    return GeneReport(entry, Told(given, words if given else frozenset(), withheld is not None))


def outside_report(call: OutsideCall, phenotypes: Phenotypes, replaced: bool) -> GeneReport:
    """The report of a gene that was called elsewhere."""
    meaning = phenotypes.of(call.gene, call.diplotype) if call.diplotype else None
    phenotype = call.phenotype or (meaning.phenotype if meaning else None)
    score = call.activity_score or (meaning.activity_score if meaning else None)
    notes = ["The call was made elsewhere and is taken as it was given."]
    if replaced:
        notes.append("It takes the place of what the file tells.")
    if call.phenotype and meaning and meaning.phenotype and meaning.phenotype.lower() != call.phenotype.lower():
        notes.append(f"The installed tables give {meaning.phenotype} for this diplotype.")
    entry = {
        "gene": call.gene,
        "source": "outside",
        "status": "called",
        "reason": None if phenotype else "The installed tables do not have this diplotype.",
        "copies": len(call.diplotype) or None,
        "phased": False,
        "effectively_phased": False,
        "diplotypes": [_diplotype(call.gene, call.diplotype, None, phenotypes)] if call.diplotype else [],
        "alternatives": [],
        "variants_found": [],
        "decided_by": ["/".join(call.diplotype)] if call.diplotype else [],
        "activity_score": score,
        "phenotype": phenotype,
        "phenotype_if_reference": None,
        "activity_score_if_reference": None,
        "withheld": None,
        "positions": None,
        "not_told_apart": [],
        "uncallable": [],
        "notes": notes,
    }
    words = phenotypes.words(call.gene, call.diplotype) if call.diplotype and not call.phenotype else frozenset()
    words |= {phenotype.lower()} if phenotype else frozenset()
    entry["abnormal"] = phenotypes.is_of_priority(call.gene, words)
    return GeneReport(entry, Told(phenotype, words))


def structural_report(gene: str) -> GeneReport:
    """The report of a gene that a VCF does not show."""
    why = (
        f"{gene} is not called from a VCF: copies, deletions and hybrids of the gene decide, which it does not show. "
        "Give a call made elsewhere as an outside call."
    )
    entry = {
        "gene": gene,
        "source": "none",
        "status": "not_called",
        "reason": why,
        "copies": None,
        "phased": False,
        "effectively_phased": False,
        "diplotypes": [],
        "alternatives": [],
        "variants_found": [],
        "decided_by": [],
        "activity_score": None,
        "phenotype": None,
        "phenotype_if_reference": None,
        "activity_score_if_reference": None,
        "abnormal": None,
        "withheld": None,
        "positions": None,
        "not_told_apart": [],
        "uncallable": [],
        "notes": [],
    }
    return GeneReport(entry, Told(None))


# --- phenotypes -------------------------------------------------------------------------------------------------------


def _decided(gene: str, call: GeneCall, phenotypes: Phenotypes) -> list[tuple[str, ...]]:
    """The alleles by which phenotypes are looked up, a pair for each possibility of the call."""
    if call.found:
        return [phenotypes.lowest(gene, call.found)]
    return list(dict.fromkeys(deciding(phenotypes, gene, one.names) for one in call.diplotypes))


def _phenotype(
    gene: str, decided: Sequence[tuple[str, ...]], phenotypes: Phenotypes
) -> tuple[str | None, str | None, str | None]:
    """Phenotype, activity score, and why there is none although the gene is called."""
    if not decided:
        return None, None, None
    meanings = [phenotypes.of(gene, names) for names in decided]
    told = list(dict.fromkeys(one.phenotype for one in meanings))
    scores = list(dict.fromkeys(one.activity_score for one in meanings))
    if len(told) > 1:
        return None, None, None
    if told[0] is None:
        lack = "this diplotype" if phenotypes.has(gene) else "this gene"
        return None, None, f"The installed tables have no phenotype of {lack}."
    return told[0], scores[0] if len(scores) == 1 else None, None


def _undecided(gene: str, decided: Sequence[tuple[str, ...]], phenotypes: Phenotypes) -> dict[str, Any] | None:
    """Why the phenotype is not given where equally possible diplotypes have different ones."""
    told = list(dict.fromkeys(phenotypes.of(gene, names).phenotype or INDETERMINATE for names in decided))
    if len(told) < 2:
        return None
    reason = (
        f"Withheld, because the diplotypes are equally possible and mean {' or '.join(told)}: the phase would tell."
    )
    return {
        "reason": reason,
        "settled_by": [],
        "settled_by_phase": True,
        "possible_phenotypes": told,
        "possible_diplotypes": ["/".join(names) for names in decided[:MOST_LISTED]],
        "possible_diplotypes_count": len(decided),
    }


def _withheld(
    definition: GeneDefinition, call: GeneCall, phenotypes: Phenotypes, decided: Sequence[tuple[str, ...]]
) -> dict[str, Any] | None:
    """Why the phenotype is not given: another one is possible, given the positions that are not known.

    A position that every laboratory should test (AMP tier 1) is never done without, though no documented allele should
    be possible there: alleles that are common get into combinations that nobody has named.
    """
    if call.status is not Status.CALLED or not call.unknown:
        return None
    if definition.gene in single_variants.GENES:
        return _withheld_variants(definition, call, phenotypes, decided)
    base = frozenset(_phenotype_or_none(definition.gene, phenotypes, names) for names in decided)
    if not phenotypes.has(definition.gene):
        base = frozenset(one.names for one in call.diplotypes)  # the diplotype is all that there is to tell
    other: dict[tuple[str, ...], frozenset[int]] = {}
    for one in call.possible or ():
        meaning: object = _phenotype_or_none(definition.gene, phenotypes, one.names)
        if not phenotypes.has(definition.gene):
            meaning = one.names
        if meaning not in base and one.loci:
            other[one.names] = one.loci
    if call.possible is None:
        return _why(definition, call.unknown, [], "too many positions are not known")
    tested = [index for index in call.unknown if definition.loci[index].position in definition.tier1]
    if not other and not tested:
        return None
    told = {index for found in other.values() for index in found}
    loci = sorted(told | set(tested))
    for names in _of_tested(definition, call, [index for index in tested if index not in told]):
        if _phenotype_or_none(definition.gene, phenotypes, names) not in base:
            other.setdefault(names, frozenset(tested))
    listed = [
        {"name": "/".join(names), "phenotype": phenotypes.of(definition.gene, names).phenotype} for names in other
    ]
    return _why(definition, loci, listed, None)


def _of_tested(definition: GeneDefinition, call: GeneCall, tested: Sequence[int]) -> list[tuple[str, ...]]:
    """What the diplotypes would be with an allele that has something else than the reference at a tier 1 position."""
    found = []
    for allele in definition.alleles:
        if any(allele.cells.get(index, definition.loci[index].ref) != definition.loci[index].ref for index in tested):
            name = definition.core_of.get(allele.name, allele.name)
            for one in call.diplotypes:
                found += [(*one.names[:-1], name), (name,) * len(one.names)]
    return list(dict.fromkeys(found))


def _withheld_variants(
    definition: GeneDefinition, call: GeneCall, phenotypes: Phenotypes, decided: Sequence[tuple[str, ...]]
) -> dict[str, Any] | None:
    """Of a gene that is called variant by variant: a variant that is not known could do more harm."""
    gene = definition.gene
    harmful = [
        (allele.name, frozenset(allele.cells))
        for allele in definition.alleles
        if not allele.is_reference and phenotypes.is_harmful(gene, allele.name)
    ]
    unknown = frozenset(call.unknown)
    base = [phenotypes.of(gene, names).phenotype for names in decided]
    other = []
    for name, loci in harmful:
        if not loci & unknown or (len(loci) > 1 and not loci <= unknown):
            continue
        worse = {phenotypes.of(gene, phenotypes.lowest(gene, (*names, name))).phenotype for names in decided}
        worse |= {phenotypes.of(gene, phenotypes.lowest(gene, (*names, name, name))).phenotype for names in decided}
        if worse != set(base):
            other.append((name, loci & unknown))
    if not other:
        return None
    loci_of_all = sorted({index for _, loci in other for index in loci})
    listed = [{"name": name, "phenotype": phenotypes.function(gene, name)} for name, _ in other]
    return _why(definition, loci_of_all, listed, None)


def _phenotype_or_none(gene: str, phenotypes: Phenotypes, names: Sequence[str]) -> str | None:
    return phenotypes.of(gene, names).phenotype


def _why(
    definition: GeneDefinition, loci: Sequence[int], listed: list[dict[str, Any]], because: str | None
) -> dict[str, Any]:
    first = [definition.loci[index] for index in loci]
    first.sort(key=lambda locus: (locus.position not in definition.tier1, locus.position))
    named = ", ".join(locus.named for locus in first[:3])
    more = f" and {len(first) - 3} more" if len(first) > 3 else ""
    verb = "is" if len(first) == 1 else "are"
    reason = f"Withheld, because {named}{more} {verb} not known and could change the phenotype."
    if because:
        reason = f"Withheld: {because}."
    phenotypes = list(dict.fromkeys(one["phenotype"] or INDETERMINATE for one in listed))
    return {
        "reason": reason,
        "settled_by": [_place(locus) for locus in first],
        "settled_by_phase": False,
        "possible_phenotypes": phenotypes,
        "possible_diplotypes": [one["name"] for one in listed[:MOST_LISTED]],
        "possible_diplotypes_count": len(listed),
    }


# --- parts ------------------------------------------------------------------------------------------------------------


def _diplotype(gene: str, names: Sequence[str], score: int | None, phenotypes: Phenotypes) -> dict[str, Any]:
    meaning = phenotypes.of(gene, deciding(phenotypes, gene, names))
    return {
        "name": "/".join(names),
        "alleles": [{"name": name, "function": phenotypes.function(gene, name)} for name in names],
        "score": score,
        "activity_score": meaning.activity_score,
        "phenotype": meaning.phenotype,
    }


def _positions(definition: GeneDefinition, call: GeneCall, genotypes: Sequence[Genotype]) -> dict[str, Any]:
    """Which positions took part, and which did not and why; details of positions are listed once for all samples."""
    from varloom.processing.pgx.genotypes import State

    loci = definition.loci

    def of_state(state: State) -> list[int]:
        return [loci[index].position for index, one in enumerate(genotypes) if one.state is state]

    return {
        "total": len(loci),
        "used": {str(loci[index].position): genotypes[index].text for index in call.used},
        "missing": of_state(State.ABSENT),
        "no_call": [
            {**_place(loci[index]), "why": genotypes[index].why}
            for index in call.unknown
            if genotypes[index].state in {State.NO_CALL, State.PARTIAL} or genotypes[index].is_known
        ],
        "assumed_reference": of_state(State.ASSUMED),
        "from_blocks": len(of_state(State.BLOCK)),
        "undocumented": [{**_place(loci[index]), "genotype": genotypes[index].text} for index in call.undocumented],
    }


def _place(locus: Locus) -> dict[str, Any]:
    return {
        "contig": f"chr{locus.contig}",
        "position": locus.position,
        "rsid": locus.rsid,
        "ref": locus.ref,
        "alts": list(locus.alts),
    }


def definition_as_json(definition: GeneDefinition) -> dict[str, Any]:
    """The positions of a gene, once for all samples."""
    return {
        "positions": [_place(locus) for locus in definition.loci],
        "tier1": list(definition.tier1),
        "alleles": len(definition.alleles),
    }


def summary_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many genes of a sample ended how."""
    counts = {"called": 0, "withheld": 0, "not_called": 0, "no_data": 0}
    for entry in entries:
        counts[entry["status"]] += 1
    return counts


def sentence(counts: Mapping[str, int]) -> str:
    """The same for people."""
    told = [
        f"{counted(counts['called'], 'gene')} called",
        f"{counts['withheld']} withheld",
        f"{counts['not_called']} not called",
        f"{counts['no_data']} without data",
    ]
    return ", ".join(told)
