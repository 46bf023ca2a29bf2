"""What CPIC recommends for the phenotypes of a sample, drug by drug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.processing.pgx.guidance import Guidance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from varloom.annotation.refs.pgx_content import GeneDrug, PgxContent, Recommendation
    from varloom.processing.pgx.guidance import Guided
    from varloom.processing.pgx.told import Told

LEVELS = frozenset({"A", "A/B", "B"})
"""Of CPIC, at which it is held that prescribing should or can be changed."""


_NSAIDS = ("celecoxib", "flurbiprofen", "ibuprofen", "lornoxicam", "meloxicam", "piroxicam", "tenoxicam")
_STANDS_FOR: Mapping[tuple[str, str, str], float] = {
    **{(drug, "CYP2C9", "intermediate metabolizer"): 1.5 for drug in _NSAIDS},
    ("atomoxetine", "CYP2D6", "intermediate metabolizer"): 1.0,
}
"""Where CPIC's recommendation depends on the activity score, and tables by phenotype have that of one score: which.
CYP2C9 *2/*2 and *1/*3 (1.0) need less of an NSAID than *1/*2 (1.5), or another drug, and all are intermediate.
Source: CPIC's guidelines for NSAIDs (2020) and for atomoxetine (2019)."""


class Recommendations:
    """Those of the first release that has any, and those of the guidance, which tell their strength.

    Attributes:
        source: of what is recommended; None if nothing is installed.
        strength_source: of how strong it is; None if nothing tells it.
    """

    def __init__(self, contents: Sequence[PgxContent]) -> None:
        content = next((one for one in contents if one.recommendations), None)
        self._guidance = Guidance(contents)
        self.strength_source = self._guidance.source
        self._tables = content.source if content is not None else None
        self.source = "; ".join(one for one in (self.strength_source, self._tables) if one is not None) or None
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
        by_drug = {str(one["drug"]).lower(): one for one in found if one is not None}
        for guided in self._guidance.for_sample(told):
            name = guided.drug.lower()
            by_drug[name] = self._guided(guided, by_drug.get(name), told)
        return [by_drug[name] for name in sorted(by_drug)]

    def _guided(self, guided: Guided, tabled: dict[str, Any] | None, told: Mapping[str, Told]) -> dict[str, Any]:
        """What the guidance says of a drug, in place of what the tables say: it is by the same guideline, and newer."""
        pairs = self._origin(guided.drug, guided.genes)
        strengths = dict.fromkeys(one["strength"] for one in guided.advice)
        texts = dict.fromkeys(one["recommendation"] for one in guided.advice)
        return {
            "drug": tabled["drug"] if tabled is not None else guided.drug,
            "state": "withheld" if guided.withheld else "given",
            "genes": [
                {
                    **_of_gene(gene, told.get(gene)),
                    **({"phenotype": guided.named[gene]} if gene in guided.named else {}),
                }
                for gene in guided.genes
            ],
            # Where populations are told different things, neither of them stands for all.
            "recommendation": next(iter(texts)) if len(texts) == 1 else _by_population(guided.advice),
            "strength": next(iter(strengths)) if len(strengths) == 1 else None,
            "guidance": list(guided.advice),
            "cpic_level": pairs["cpic_level"],
            "guideline": guided.url or pairs["guideline"],
            "pmids": list(guided.pmids) or pairs["pmids"],
            "source": self.strength_source,
        }

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
            "guidance": [],
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
            "source": self._tables,
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
                "guidance": [],
                **self._origin(drug, genes),
            }
            for drug, genes in drugs.items()
            if any(gene in told and (told[gene].phenotype or told[gene].keys) for gene in genes)
        ]


def _fits(wanted: str | None, told: Told | None) -> bool:
    if wanted is None:
        return told is None
    return told is not None and (wanted.lower() in told.words or wanted.lower() == (told.phenotype or "").lower())


def _stands(drug: str, gene: str, phenotype: str | None, told: Told | None) -> bool:
    """Whether the recommendation for a phenotype is that for the activity score as well; see `_STANDS_FOR`."""
    score = _STANDS_FOR.get((drug.lower(), gene, (phenotype or "").lower()))
    return score is None or (told is not None and bool(told.keys) and all(key.score == str(score) for key in told.keys))


def _by_population(advice: Sequence[Mapping[str, Any]]) -> str | None:
    """All of it on one line, each with whom it is for."""
    return " ".join(f"{one['population'] or 'Not limited'}: {one['recommendation']}" for one in advice) or None


def _of_gene(gene: str, told: Told | None) -> dict[str, Any]:
    return {"gene": gene, "phenotype": told.phenotype if told else None, "withheld": bool(told and told.withheld)}


def is_to_act_on(drug: Mapping[str, Any], genes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a drug depends on a phenotype that CPIC marks as abnormal, or on an allele of HLA that is there.

    Args:
        drug: of a sample in `pgx.json`.
        genes: of the same sample.
    """
    abnormal = {gene["gene"] for gene in genes if gene["abnormal"]}
    return any(
        gene["phenotype"]
        and (gene["gene"] in abnormal or (gene["gene"].startswith("HLA-") and " positive" in gene["phenotype"]))
        for gene in drug["genes"]
    )
