"""A gene call as it stands in `pgx.json`: phenotypes given or withheld, positions, notes.

See `docs/reference/pgx-json.md` for every entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.processing.pgx.gene_call import OTHER_PLOIDY, Status
from varloom.processing.pgx.genotypes import State
from varloom.processing.pgx.phenotypes import INDETERMINATE, deciding
from varloom.processing.pgx.told import LookupKey, Told
from varloom.processing.pgx.withholding import place_of, why_undecided, why_undocumented, why_withheld

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.annotation.refs.pgx_content import GeneDefinition
    from varloom.processing.pgx.gene_call import Diplotype, GeneCall
    from varloom.processing.pgx.genotypes import Genotype
    from varloom.processing.pgx.outside import OutsideCall
    from varloom.processing.pgx.phenotypes import Phenotypes

_MOST_IN_NOTE = 3
_BLANK: Mapping[str, Any] = {
    "gene": None,
    "source": None,
    "status": None,
    "reason": None,
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
"""All entries of a gene, in their order."""


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
    withheld = (
        why_undecided(gene, decided, phenotypes)
        or why_withheld(definition, call, phenotypes, decided)
        or why_undocumented(definition, call, phenotypes, decided)
    )
    status = str(call.status) if call.status is not Status.CALLED or withheld is None else "withheld"
    entry = {
        **_BLANK,
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
        "notes": [*call.notes, *_notes(gene, call, phenotype, phenotypes), *_opinions(gene, decided, phenotypes)],
    }
    words = frozenset(word for names in decided for word in phenotypes.words(gene, names))
    given = entry["phenotype"]
    entry["abnormal"] = phenotypes.is_of_priority(gene, words) if given else None
    keys = () if withheld else _lookup_keys(gene, decided, phenotypes)
    is_withheld = withheld is not None or _is_changed(call, genotypes)
    return GeneReport(entry, Told(given, words if given else frozenset(), is_withheld, keys))


def _is_changed(call: GeneCall, genotypes: Sequence[Genotype]) -> bool:
    """Whether a gene has no call although the file shows that it is not the reference: it is not as if untested."""
    is_seen = any(one.is_changed and not one.is_known for one in genotypes)
    return call.status is Status.NOT_CALLED or (call.status is Status.NO_DATA and is_seen)


def outside_report(call: OutsideCall, phenotypes: Phenotypes, *, replaced: bool, known: bool) -> GeneReport:
    """The report of a gene that was called elsewhere.

    Args:
        call: as it was given.
        phenotypes: of the releases.
        replaced: whether the file tells of the gene as well.
        known: whether any release tells anything of the gene.
    """
    meaning = phenotypes.of(call.gene, call.diplotype) if call.diplotype else None
    tabled = meaning.activity_score if meaning else None
    contradicts = call.activity_score and tabled and not _is_same(call.activity_score, tabled)
    phenotype = call.phenotype or (meaning.phenotype if meaning and not contradicts else None)
    score = call.activity_score or tabled
    if phenotype and not call.phenotype and tabled:
        score = tabled  # the same as was given, as the tables spell it
    notes = ["The call was made elsewhere and is taken as it was given."]
    if not known:
        notes.append(f"None of the installed releases knows {call.gene}: see that the symbol of the gene is right.")
    elif call.phenotype and not phenotypes.has_phenotype(call.gene, call.phenotype):
        notes.append("None of the installed tables words a phenotype of the gene so: it looks nothing up.")
    if replaced:
        notes.append("It takes the place of what the file tells.")
    for given, tabled in (
        (call.phenotype, meaning and meaning.phenotype),
        (call.activity_score, meaning and meaning.activity_score),
    ):
        if given and tabled and not _is_same(given, tabled):
            notes.append(f"The installed tables give {tabled} for this diplotype, not {given}.")
    if call.diplotype and not call.phenotype:
        notes += _opinions(call.gene, [call.diplotype], phenotypes)
    entry = {
        **_BLANK,
        "gene": call.gene,
        "source": "outside",
        "status": "called",
        "reason": None if phenotype else _why_untold(call, contradicts=bool(contradicts)),
        "copies": len(call.diplotype) or None,
        "diplotypes": [_diplotype(call.gene, call.diplotype, None, phenotypes)] if call.diplotype else [],
        "decided_by": ["/".join(call.diplotype)] if call.diplotype else [],
        "activity_score": score,
        "phenotype": phenotype,
        "notes": notes,
    }
    words = phenotypes.words(call.gene, call.diplotype) if call.diplotype and not call.phenotype else frozenset()
    words = (words | {phenotype.lower()}) if phenotype else frozenset()
    entry["abnormal"] = phenotypes.is_of_priority(call.gene, words)
    scores: Sequence[str | None] = (
        [score] if score or call.diplotype else phenotypes.scores_of(call.gene, words) or [None]
    )
    keys = tuple(LookupKey(words, one, call.diplotype) for one in scores)
    is_untold = bool(call.diplotype) and phenotype is None and phenotypes.has(call.gene)
    return GeneReport(entry, Told(phenotype, words, is_untold, () if is_untold else keys))


def _lookup_keys(gene: str, decided: Sequence[tuple[str, ...]], phenotypes: Phenotypes) -> tuple[LookupKey, ...]:
    """What guidance is looked up by, for each possibility of the call that has a phenotype."""
    return tuple(
        LookupKey(phenotypes.words(gene, names), phenotypes.of(gene, names).activity_score, names)
        for names in decided
        if phenotypes.of(gene, names).phenotype is not None
    )


def _is_same(given: str, tabled: str) -> bool:
    """Whether two phenotypes are the same, or two activity scores: `1` is `1.0`, and `>= 3` is `≥3.0`."""
    first, second = (text.replace(">=", "≥").replace(" ", "") for text in (given, tabled))
    if first.startswith("≥") and second.startswith("≥"):
        first, second = first[1:], second[1:]
    try:
        return float(first) == float(second)
    except ValueError:
        return given.lower() == tabled.lower()


def _why_untold(call: OutsideCall, *, contradicts: bool) -> str:
    if contradicts:
        return (
            "The activity score is not that of the diplotype: which of them is right cannot be told, nor the phenotype."
        )
    if call.diplotype:
        return "The installed tables do not have this diplotype."
    return "A score was given without a diplotype or a phenotype: its phenotype is not looked up."


def structural_report(gene: str) -> GeneReport:
    """The report of a gene that a VCF does not show."""
    why = (
        f"{gene} is not called from a VCF: copies, deletions and hybrids of the gene decide, which it does not show. "
        "Give a call made elsewhere as an outside call."
    )
    return GeneReport({**_BLANK, "gene": gene, "source": "none", "status": "not_called", "reason": why}, Told(None))


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


def _notes(gene: str, call: GeneCall, phenotype: str | None, phenotypes: Phenotypes) -> list[str]:
    """What is to be said of what was left out and means something else: for being rarer, or by its lower score."""
    notes = []
    if rarer := _of_another(gene, call.alternatives, phenotype, phenotypes):
        notes.append(f"Rarer, and of another phenotype: {', '.join(rarer[:_MOST_IN_NOTE])}.")
    if phenotype is not None and (lesser := _of_another(gene, call.lesser, phenotype, phenotypes)):
        listed = ", ".join(lesser[:_MOST_IN_NOTE])
        notes.append(f"Without phase these explain the genotypes, too, with a lower score: {listed}.")
    if phenotype is not None and 1 < len(call.found) == len({*call.found}):
        together = phenotypes.of(gene, phenotypes.lowest(gene, phenotypes.lowest(gene, call.found)[:1])).phenotype
        if together != phenotype:
            notes.append(f"Without phase the variants count as those of both chromosomes; on one they mean {together}.")
    return notes


def _of_another(gene: str, diplotypes: Sequence[Diplotype], phenotype: str | None, phenotypes: Phenotypes) -> list[str]:
    """Diplotypes of another phenotype, with what they mean."""
    told = ((one, phenotypes.of(gene, one.names).phenotype) for one in diplotypes)
    return [f"{one.name} ({meaning or INDETERMINATE})" for one, meaning in told if meaning != phenotype]


def _opinions(gene: str, decided: Sequence[tuple[str, ...]], phenotypes: Phenotypes) -> list[str]:
    """What is to be said where the releases do not agree."""
    other = dict.fromkeys(one for names in decided for one in phenotypes.other_opinions(gene, names))
    return [f"Another of the installed releases gives {' or '.join(other)}."] if other else []


# --- parts ------------------------------------------------------------------------------------------------------------


def _diplotype(gene: str, names: Sequence[str], score: int | None, phenotypes: Phenotypes) -> dict[str, Any]:
    meaning = phenotypes.of(gene, deciding(phenotypes, gene, names))
    return {
        "name": "/".join(names),
        "alleles": [
            {
                "name": name,
                "function": phenotypes.function(gene, name),
                "activity": phenotypes.activity(gene, name),
            }
            for name in names
        ],
        "score": score,
        "activity_score": meaning.activity_score,
        "phenotype": meaning.phenotype,
    }


def _positions(definition: GeneDefinition, call: GeneCall, genotypes: Sequence[Genotype]) -> dict[str, Any]:
    """Which positions took part, and which did not and why; details of positions are listed once for all samples."""
    loci = definition.loci

    def of_state(state: State) -> list[int]:
        return [loci[index].position for index, one in enumerate(genotypes) if one.state is state]

    return {
        "total": len(loci),
        "used": {str(loci[index].position): genotypes[index].text for index in call.used},
        "missing": of_state(State.ABSENT),
        "no_call": [
            {**place_of(loci[index]), "why": genotypes[index].why or OTHER_PLOIDY}
            for index in call.unknown
            if genotypes[index].state in {State.NO_CALL, State.PARTIAL} or genotypes[index].is_known
        ],
        "assumed_reference": of_state(State.ASSUMED),
        "from_blocks": len(of_state(State.BLOCK)),
        "undocumented": [{**place_of(loci[index]), "genotype": genotypes[index].text} for index in call.undocumented],
    }


def definition_as_json(definition: GeneDefinition) -> dict[str, Any]:
    """The positions of a gene, once for all samples."""
    return {
        "positions": [place_of(locus) for locus in definition.loci],
        "tier1": list(definition.tier1),
        "alleles": len(definition.alleles),
    }


def summary_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many genes of a sample ended how."""
    counts = {"called": 0, "withheld": 0, "not_called": 0, "no_data": 0}
    for entry in entries:
        counts[entry["status"]] += 1
    return counts
