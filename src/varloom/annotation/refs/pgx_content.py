"""What a release of the kind `pgx` holds: definitions of alleles, phenotypes, recommendations. Frozen records.

Both sources, the definitions of PharmCAT and the CPIC tables of pypgx, are imported into this one form; the release has
one file, `PGX_CONTENT`. Positions are 1-based, of GRCh38; alleles are bases of its forward strand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from varloom.annotation.refs.problems import REFERENCE_DAMAGED
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PGX_CONTENT = "pgx.json"
CONTENT_VERSION = 1
"""Of the file; a newer one is refused."""


@dataclass(frozen=True, slots=True)
class Locus:
    """A position that tells alleles apart.

    Attributes:
        contig: its bare name.
        position: of the first base of `ref`.
        ref: the bases of the reference.
        alts: what else is documented here, over the same stretch as `ref`.
        rsid: of dbSNP, None if it has none.
    """

    contig: str
    position: int
    ref: str
    alts: tuple[str, ...]
    rsid: str | None

    @property
    def named(self) -> str:
        """For people: `rs12248560 (chr10:94761900)`."""
        place = f"chr{self.contig}:{self.position}"
        return f"{self.rsid} ({place})" if self.rsid else place


@dataclass(frozen=True, slots=True)
class NamedAllele:
    """An allele by its cells: the bases at the loci (by their index) that define it.

    A cell may be an IUPAC code of one letter. A locus without a cell counts as the reference allele's, but not for the
    score. The reference allele has a cell for each locus.
    """

    name: str
    cells: Mapping[int, str]
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class Priority:
    """Of these diplotypes, equally possible for unphased genotypes, one is far more frequent."""

    diplotypes: tuple[str, ...]
    pick: str


@dataclass(frozen=True, slots=True)
class GeneDefinition:
    """The alleles of a gene.

    Attributes:
        gene: its symbol.
        loci: in the order of their positions.
        alleles: the reference allele is one of them.
        core_of: how an allele is reported, by its name, where that is another one (`*45.002` as `*45`).
        required: positions without which the gene is not called.
        extra: loci that are reported and do not define alleles.
        priorities: see `Priority`.
        tier1: the positions that laboratories should test at least (AMP tier 1).
    """

    gene: str
    loci: tuple[Locus, ...]
    alleles: tuple[NamedAllele, ...]
    core_of: Mapping[str, str] = field(default_factory=dict)
    required: tuple[int, ...] = ()
    extra: tuple[Locus, ...] = ()
    priorities: tuple[Priority, ...] = ()
    tier1: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """A phenotype by the activity score: `low <= score < high`, or exactly `low` where both are equal."""

    phenotype: str
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class PhenotypeTable:
    """What the alleles of a gene do.

    Attributes:
        functions: by allele, as CPIC words it.
        activities: by allele: the activity value; an allele without one is left out.
        diplotypes: by the names of both alleles (of the only one, if the gene has one copy), sorted: the phenotype, and
            the activity score as text, None where the gene has none.
        scores: phenotypes by activity score, for genes whose diplotypes are too many to list.
        priorities: by phenotype in lower case: how CPIC would have it marked in a health record.
    """

    functions: Mapping[str, str]
    activities: Mapping[str, float]
    diplotypes: Mapping[tuple[str, ...], tuple[str, str | None]]
    scores: tuple[Score, ...] = ()
    priorities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What CPIC recommends for a drug.

    Attributes:
        drug: its name.
        phenotypes: by gene; None for a gene whose phenotype is not known.
        text: the recommendation; None where CPIC gives none for these phenotypes.
        strength: of the recommendation (`Strong`, `Moderate`, `Optional`); None where the tables do not tell it.
    """

    drug: str
    phenotypes: Mapping[str, str | None]
    text: str | None
    strength: str | None = None


@dataclass(frozen=True, slots=True)
class GeneDrug:
    """A pair of gene and drug that CPIC has assessed: the level of evidence, and where the guideline is."""

    gene: str
    drug: str
    level: str
    status: str
    guideline: str
    pmids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation of a guideline.

    Attributes:
        drugs: that it is for.
        lookup: whom it is for: any of these, each by gene: a phenotype, an activity score, `No Result`, or how many
            copies of which alleles.
        text: what is recommended, plain.
        strength: its classification as published (`Strong`, `Moderate`, `Optional`, `No recommendation`); None where
            none is told.
        population: as published (`general`, `pediatrics`, `CVI ACS PCI`); None where none is told.
        implications: of the phenotypes, plain.
    """

    drugs: tuple[str, ...]
    lookup: tuple[Mapping[str, str | Mapping[str, float]], ...]
    text: str
    strength: str | None
    population: str | None
    implications: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guideline:
    """A guideline of CPIC: its accession and name at ClinPGx, URL, version, drugs, citations and recommendations."""

    id: str
    name: str
    url: str | None
    version: int | None
    drugs: tuple[str, ...]
    pmids: tuple[str, ...]
    advice: tuple[Advice, ...]


@dataclass(frozen=True, slots=True)
class PgxContent:
    """All of it.

    Attributes:
        source: who published it, in words.
        version: as the publisher tells it; None where nothing does.
        genes: definitions by gene.
        phenotypes: tables by gene; also of genes that cannot be called from a VCF.
        recommendations: of all drugs.
        pairs: of genes and drugs.
        structural: genes whose alleles include copies and hybrids, which a VCF does not show.
        guidelines: with the strength of their recommendations.
    """

    source: str
    version: str | None
    genes: Mapping[str, GeneDefinition]
    phenotypes: Mapping[str, PhenotypeTable]
    recommendations: tuple[Recommendation, ...] = ()
    pairs: tuple[GeneDrug, ...] = ()
    structural: tuple[str, ...] = ()
    guidelines: tuple[Guideline, ...] = ()

    def save(self, folder: Path) -> None:
        """Write the file of the release."""
        plain: dict[str, Any] = {
            "format_version": CONTENT_VERSION,
            "source": self.source,
            "version": self.version,
            "genes": [asdict(gene) for gene in self.genes.values()],
            "phenotypes": {gene: _table_as_json(table) for gene, table in self.phenotypes.items()},
            "recommendations": [asdict(one) for one in self.recommendations],
            "pairs": [asdict(one) for one in self.pairs],
            "structural": self.structural,
            "guidelines": [asdict(one) for one in self.guidelines],
        }
        (folder / PGX_CONTENT).write_text(json.dumps(plain, separators=(",", ":")) + "\n", encoding="utf-8")


def load_content(folder: Path) -> PgxContent:
    """The content of an installed release.

    Raises:
        VarloomError: `reference_damaged`, also for what a newer Varloom wrote.
    """
    path = folder / PGX_CONTENT
    try:
        plain = json.loads(path.read_bytes())
        if plain["format_version"] > CONTENT_VERSION:
            message = f"{PGX_CONTENT} was written by a newer Varloom (format {plain['format_version']})."
            raise VarloomError(REFERENCE_DAMAGED, message)
        genes = [_gene(one) for one in plain["genes"]]
        return PgxContent(
            plain["source"],
            plain["version"],
            {gene.gene: gene for gene in genes},
            _Tables(plain["phenotypes"]),
            tuple(Recommendation(**one) for one in plain["recommendations"]),
            tuple(GeneDrug(**{**one, "pmids": tuple(one["pmids"])}) for one in plain["pairs"]),
            tuple(plain["structural"]),
            tuple(map(_guideline, plain.get("guidelines", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VarloomError(REFERENCE_DAMAGED, f"{PGX_CONTENT} of a release cannot be read.") from error


def _gene(plain: dict[str, Any]) -> GeneDefinition:
    alleles = tuple(
        NamedAllele(one["name"], {int(index): cell for index, cell in one["cells"].items()}, one["is_reference"])
        for one in plain["alleles"]
    )
    return GeneDefinition(
        plain["gene"],
        tuple(map(_locus, plain["loci"])),
        alleles,
        plain["core_of"],
        tuple(plain["required"]),
        tuple(map(_locus, plain["extra"])),
        tuple(Priority(tuple(one["diplotypes"]), one["pick"]) for one in plain["priorities"]),
        tuple(plain["tier1"]),
    )


def _guideline(plain: dict[str, Any]) -> Guideline:
    advice = tuple(
        Advice(
            tuple(one["drugs"]),
            tuple(one["lookup"]),
            one["text"],
            one["strength"],
            one["population"],
            tuple(one["implications"]),
        )
        for one in plain["advice"]
    )
    return Guideline(**{**plain, "drugs": tuple(plain["drugs"]), "pmids": tuple(plain["pmids"]), "advice": advice})


def _locus(plain: dict[str, Any]) -> Locus:
    return Locus(plain["contig"], plain["position"], plain["ref"], tuple(plain["alts"]), plain["rsid"])


def _table_as_json(table: PhenotypeTable) -> dict[str, Any]:
    """Results are few and diplotypes are many: each names its result by number."""
    results = sorted(set(table.diplotypes.values()), key=repr)
    number = {result: place for place, result in enumerate(results)}
    return {
        "functions": table.functions,
        "activities": table.activities,
        "results": results,
        "diplotypes": [[*names, number[result]] for names, result in table.diplotypes.items()],
        "scores": [asdict(score) for score in table.scores],
        "priorities": table.priorities,
    }


class _Tables(Mapping[str, PhenotypeTable]):
    """The tables of phenotypes, each made when it is asked for: some have thousands of diplotypes."""

    def __init__(self, plain: Mapping[str, dict[str, Any]]) -> None:
        self._plain = plain
        self._made: dict[str, PhenotypeTable] = {}

    def __getitem__(self, gene: str) -> PhenotypeTable:
        if gene not in self._made:
            self._made[gene] = _table(self._plain[gene])
        return self._made[gene]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)


def _table(plain: dict[str, Any]) -> PhenotypeTable:
    results = [tuple(result) for result in plain["results"]]
    return PhenotypeTable(
        plain["functions"],
        plain["activities"],
        {tuple(names): results[number] for *names, number in plain["diplotypes"]},
        tuple(Score(**one) for one in plain["scores"]),
        plain["priorities"],
    )
