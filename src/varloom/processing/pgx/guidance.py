"""Which recommendations of CPIC's guidelines are for a sample, looked up as PharmCAT does it.

A recommendation names whom it is for: by gene a phenotype, an activity score (genes that have one: CYP2C9, CYP2D6,
DPYD), an allele that is there or not (HLA), alleles with their copies, or `No Result`, which stands for a gene that
nothing is known of. Those for exact alleles go before those for phenotypes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from varloom.annotation.refs.pgx_content import Advice, Guideline, PgxContent
    from varloom.processing.pgx.told import LookupKey, Told

NO_RESULT = "No Result"
_NO_SCORE = "n/a"
_SCORE = re.compile(r"(?P<bound>[>\u2265]?)\s*(?P<number>\d+(\.\d+)?)")
_PRESENCE = re.compile(r"(?P<allele>\*\S+) (?P<state>positive|negative)")
_INDETERMINATE = "indeterminate"

Value = str | Mapping[str, float]


class Guided(NamedTuple):
    """What the guidance says of one drug.

    Attributes:
        drug: as it is written in the guidance.
        genes: that it depends on.
        withheld: whether it is withheld, since a gene of it is.
        advice: what is recommended, each an object of `pgx.json`; empty if it is withheld.
        named: by gene, for genes without a phenotype in words: what they were looked up by (`*57:01 positive`).
        url: of the guideline.
        pmids: of its publications.
    """

    drug: str
    genes: tuple[str, ...]
    withheld: bool
    advice: tuple[dict[str, Any], ...]
    named: Mapping[str, str]
    url: str | None
    pmids: tuple[str, ...]


class _OfDrug(NamedTuple):
    """A guideline, and those of its recommendations that are for one drug."""

    drug: str
    guideline: Guideline
    advice: tuple[Advice, ...]
    genes: tuple[str, ...]


class Guidance:
    """The guidelines of the first release that has any.

    Attributes:
        source: who published them, with the version; None if none are installed.
    """

    def __init__(self, contents: Iterable[PgxContent]) -> None:
        content = next((one for one in contents if one.guidelines), None)
        self.source: str | None = None
        self._drugs: dict[str, list[_OfDrug]] = {}
        if content is None:
            return
        self.source = content.source + (f", version {content.version}" if content.version else "")
        for guideline in content.guidelines:
            for one in _by_drug(guideline):
                self._drugs.setdefault(one.drug.lower(), []).append(one)

    def for_sample(self, told: Mapping[str, Told]) -> Iterator[Guided]:
        """The drugs with a recommendation for this sample, or with one that is withheld."""
        for guidelines in self._drugs.values():
            found = [one for one in (_guided(of_drug, told) for of_drug in guidelines) if one is not None]
            if found:
                yield _together(found)


def _by_drug(guideline: Guideline) -> Iterator[_OfDrug]:
    drugs = dict.fromkeys(drug for one in guideline.advice for drug in one.drugs)
    for drug in drugs:
        advice = tuple(one for one in guideline.advice if drug in one.drugs and one.lookup)
        genes = dict.fromkeys(gene for one in advice for key in one.lookup for gene in key)
        if advice:
            yield _OfDrug(drug, guideline, advice, tuple(sorted(genes)))


def _guided(of_drug: _OfDrug, told: Mapping[str, Told]) -> Guided | None:
    """What a guideline says of a drug; None if nothing."""
    _, guideline, _, genes = of_drug
    withheld = any(gene in told and told[gene].withheld for gene in genes)
    keys = {gene: told[gene].keys if gene in told else () for gene in genes}
    if withheld:
        return Guided(of_drug.drug, genes, True, (), {}, guideline.url, guideline.pmids)
    matched = _matched(of_drug, keys) if any(keys.values()) else {}
    if not matched:
        return None
    named = {
        gene: ", ".join(dict.fromkeys(str(key[gene]) for used in matched.values() for key in used if gene in key))
        for gene in genes
        if keys[gene] and told[gene].phenotype is None
    }
    advice = tuple(_as_json(guideline, of_drug.advice[number], used) for number, used in sorted(matched.items()))
    return Guided(of_drug.drug, genes, False, advice, named, guideline.url, guideline.pmids)


def _together(found: Sequence[Guided]) -> Guided:
    """Of several guidelines for one drug: withheld if any is."""
    if len(found) == 1:
        return found[0]
    withheld = any(one.withheld for one in found)
    return Guided(
        found[0].drug,
        tuple(sorted({gene for one in found for gene in one.genes})),
        withheld,
        () if withheld else tuple(advice for one in found for advice in one.advice),
        {gene: text for one in found for gene, text in one.named.items()},
        next((one.url for one in found if one.url), None),
        tuple(dict.fromkeys(pmid for one in found for pmid in one.pmids)),
    )


def _matched(of_drug: _OfDrug, keys: Mapping[str, tuple[LookupKey, ...]]) -> dict[int, list[Mapping[str, Value]]]:
    """The recommendations that fit, by their number, each with the lookups of it that do."""
    exact: list[tuple[int, Mapping[str, Value]]] = []
    others: list[tuple[int, Mapping[str, Value]]] = []
    for number, one in enumerate(of_drug.advice):
        for key in one.lookup:
            by_alleles = all(isinstance(value, Mapping) for value in key.values())
            (exact if by_alleles else others).append((number, key))
    options = [_options(keys[gene], with_names=bool(exact) or gene.startswith("HLA-")) for gene in of_drug.genes]
    found: dict[int, list[Mapping[str, Value]]] = {}
    for chosen in product(*options):
        known = dict(zip(of_drug.genes, chosen, strict=True))
        here = [entry for entry in exact if _fit(entry[1], known)] or [
            entry for entry in others if _fit(entry[1], known)
        ]
        for number, key in here:
            if key not in found.setdefault(number, []):
                found[number].append(key)
    return found


def _options(keys: tuple[LookupKey, ...], *, with_names: bool) -> list[LookupKey | None]:
    """The ways in which a gene is looked up; None alone: nothing is known of it."""
    if not keys:
        return [None]
    return list(dict.fromkeys(keys if with_names else (key._replace(names=()) for key in keys)))


def _fit(lookup: Mapping[str, Value], known: Mapping[str, LookupKey | None]) -> bool:
    return all(_fits(value, known[gene]) for gene, value in lookup.items())


def _fits(value: Value, key: LookupKey | None) -> bool:
    if isinstance(value, Mapping):
        return key is not None and bool(key.names) and Counter(key.names) == Counter(value)
    if key is None or value == NO_RESULT:
        return key is None and value == NO_RESULT
    if value == _NO_SCORE:
        return key.score is None and _INDETERMINATE in key.words
    if (wanted := _SCORE.fullmatch(value)) is not None:
        score = _SCORE.fullmatch((key.score or "").replace(">=", "\u2265"))
        return (
            score is not None
            and score["bound"] == wanted["bound"]
            and float(score["number"]) == float(wanted["number"])
        )
    if key.names and (presence := _PRESENCE.fullmatch(value)) is not None:
        is_there = any(presence["allele"] in name for name in key.names)
        # Of one allele alone nobody can say what the other chromosome lacks.
        return is_there if presence["state"] == "positive" else not is_there and len(key.names) > 1
    return value.lower() in key.words


def _as_json(guideline: Guideline, advice: Advice, used: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    return {
        "recommendation": advice.text,
        "strength": advice.strength,
        "population": advice.population,
        "implications": list(advice.implications),
        "lookup": [dict(key) for key in used],
        "guideline": {
            "id": guideline.id,
            "name": guideline.name,
            "url": guideline.url,
            "version": guideline.version,
        },
    }
