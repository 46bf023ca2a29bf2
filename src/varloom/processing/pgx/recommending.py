"""What CPIC recommends for the phenotypes of a sample, drug by drug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from varloom.annotation.refs.pgx_content import GeneDrug, PgxContent, Recommendation

LEVELS = frozenset({"A", "A/B", "B"})
"""Of CPIC, at which it is held that prescribing should or can be changed."""


_NSAIDS = ("celecoxib", "flurbiprofen", "ibuprofen", "lornoxicam", "meloxicam", "piroxicam", "tenoxicam")
_STANDS_FOR: Mapping[tuple[str, str, str], frozenset[str]] = {
    **{(drug, "CYP2C9", "intermediate metabolizer"): frozenset({"1.5"}) for drug in _NSAIDS},
    ("atomoxetine", "CYP2D6", "intermediate metabolizer"): frozenset({"1.0"}),
}
"""Where CPIC's recommendation depends on the activity score, and tables by phenotype have that of one score: which.
CYP2C9 *2/*2 and *1/*3 (1.0) need less of an NSAID than *1/*2 (1.5), or another drug, and all are intermediate.
Source: CPIC's guidelines for NSAIDs (2020) and for atomoxetine (2019)."""


class Told(NamedTuple):
    """What is told of a gene of a sample.

    Attributes:
        phenotype: as it is reported; None if it is withheld or unknown.
        words: the same in the words of every release, in lower case.
        withheld: whether it is unknown because it is withheld, or because the gene was seen to differ from the
            reference and nobody can tell what that means. Such a gene is not one without a result, for which CPIC gives
            recommendations by the other gene alone.
        activity_score: as it is reported; None if there is none.
        is_given: whether it was called elsewhere, be its phenotype known or not.
    """

    phenotype: str | None
    words: frozenset[str] = frozenset()
    withheld: bool = False
    activity_score: str | None = None
    is_given: bool = False


class Recommendations:
    """Those of the first release that has any."""

    def __init__(self, contents: Iterable[PgxContent]) -> None:
        content = next((one for one in contents if one.recommendations), None)
        self.source = content.source if content is not None else None
        self._pairs: dict[tuple[str, str], GeneDrug] = {}
        self._rows: dict[str, list[Recommendation]] = {}
        if content is not None:
            self._pairs = {(pair.gene, pair.drug.lower()): pair for pair in content.pairs}
            for row in content.recommendations:
                self._rows.setdefault(row.drug, []).append(row)
        self._genes = {
            drug: sorted({gene for row in rows for gene in row.phenotypes}) for drug, rows in self._rows.items()
        }

    def knows(self, gene: str) -> bool:
        """Whether CPIC has assessed the gene with any drug."""
        return any(of == gene for of, _ in self._pairs)

    def for_sample(self, told: Mapping[str, Told]) -> list[dict[str, Any]]:
        """All drugs that have to do with a gene of the sample, by name; see `docs/reference/pgx-json.md`."""
        found = [self._drug(drug, genes, told) for drug, genes in self._genes.items() if told.keys() & set(genes)]
        found += self._guidelines_alone(told)
        return sorted((one for one in found if one is not None), key=lambda one: str(one["drug"]).lower())

    def _drug(self, drug: str, genes: Sequence[str], told: Mapping[str, Told]) -> dict[str, Any] | None:
        known = {gene: told[gene] for gene in genes if gene in told and told[gene].phenotype}
        withheld = [gene for gene in genes if gene in told and told[gene].withheld]
        row = self._row(drug, known) if known and not withheld else None
        if not known and not withheld:
            return None
        if withheld:
            state = "withheld"
        elif row is not None and row.text:
            state = "given"
        else:
            state = "none" if len(known) == len(genes) else "unknown"
        return {
            "drug": drug,
            "state": state,
            "genes": [_of_gene(gene, told.get(gene)) for gene in genes],
            "recommendation": row.text if row is not None else None,
            "strength": row.strength if row is not None else None,
            **self._origin(drug, genes),
        }

    def _row(self, drug: str, known: Mapping[str, Told]) -> Recommendation | None:
        """The row that fits: a gene that is not known needs a row that says so."""
        fitting = [
            row
            for row in self._rows[drug]
            if all(
                _fits(want, known.get(g)) and _stands(drug, g, want, known.get(g)) for g, want in row.phenotypes.items()
            )
        ]
        return fitting[0] if fitting else None

    def _origin(self, drug: str, genes: Sequence[str]) -> dict[str, Any]:
        pairs = [self._pairs[gene, drug.lower()] for gene in genes if (gene, drug.lower()) in self._pairs]
        return {
            "cpic_level": ", ".join(dict.fromkeys(pair.level for pair in pairs)) or None,
            "guideline": next((pair.guideline for pair in pairs if pair.guideline), None),
            "pmids": list(dict.fromkeys(pmid for pair in pairs for pmid in pair.pmids)),
            "source": self.source,
        }

    def _guidelines_alone(self, told: Mapping[str, Told]) -> list[dict[str, Any]]:
        """Drugs whose guideline gives no recommendation by phenotype alone, such as the dose of warfarin."""
        drugs: dict[str, list[str]] = {}
        for pair in self._pairs.values():
            if pair.guideline and pair.level in LEVELS and pair.drug not in self._rows:
                drugs.setdefault(pair.drug, []).append(pair.gene)
        return [
            {
                "drug": drug,
                "state": "guideline",
                "genes": [_of_gene(gene, told.get(gene)) for gene in genes],
                "recommendation": None,
                "strength": None,
                **self._origin(drug, genes),
            }
            for drug, genes in drugs.items()
            if any(gene in told and (told[gene].phenotype or told[gene].is_given) for gene in genes)
        ]


def _fits(wanted: str | None, told: Told | None) -> bool:
    if wanted is None:
        return told is None
    return told is not None and (wanted.lower() in told.words or wanted.lower() == (told.phenotype or "").lower())


def _stands(drug: str, gene: str, phenotype: str | None, told: Told | None) -> bool:
    """Whether the recommendation for a phenotype is that for the activity score as well; see `_STANDS_FOR`."""
    scores = _STANDS_FOR.get((drug.lower(), gene, (phenotype or "").lower()))
    return scores is None or (told is not None and told.activity_score in scores)


def _of_gene(gene: str, told: Told | None) -> dict[str, Any]:
    return {"gene": gene, "phenotype": told.phenotype if told else None, "withheld": bool(told and told.withheld)}
