"""What diplotypes mean: function of alleles, activity score, phenotype, out of the installed releases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.processing.pgx.single_variants import GENES as LOWEST_FUNCTION_GENES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from varloom.annotation.refs.pgx_content import PgxContent, PhenotypeTable

INDETERMINATE = "Indeterminate"
_REFERENCE = "Reference"
"""What genes that are called variant by variant call the allele without any."""
_REFERENCE_OF_ONE = re.compile(r"rs\d+ reference \([ACGT]+\)")
_VARIANT_OF_ONE = re.compile(r"(rs\d+) variant \([ACGT]+\)")
_COPIES = re.compile(r"(?P<name>.+?)x(?P<least>≥|>=)?(?P<copies>[1-9]\d?|N)")
_LEAST_OF_MANY = 2
"""Copies, where it is only told that there are several (`xN`)."""
_HARMFUL = "malignant hyperthermia associated"
_WITHOUT_FUNCTION = ("no function", "deficient", _HARMFUL)
SUSCEPTIBLE, UNCERTAIN = "Malignant Hyperthermia Susceptibility", "Uncertain Susceptibility"


class Meaning(NamedTuple):
    """Of a diplotype: its phenotype and activity score, each None where no release tells it."""

    phenotype: str | None
    activity_score: str | None = None


UNTOLD = Meaning(None)


class Phenotypes:
    """The tables of all releases, the preferred first."""

    def __init__(self, contents: Iterable[PgxContent]) -> None:
        self._sources = [content.phenotypes for content in contents]
        self._tables: dict[str, list[PhenotypeTable]] = {}
        self._vocabularies: dict[str, list[frozenset[str]]] = {}
        self._known: dict[tuple[str, tuple[str, ...]], Meaning] = {}

    def of(self, gene: str, names: Sequence[str]) -> Meaning:
        """Of one or two alleles; a name may be several of one chromosome, `[a + b]`."""
        key = (gene, tuple(sorted(names)))
        if key not in self._known:
            found = [meaning for table in self._of_gene(gene) if (meaning := _meaning(gene, table, key[1]))]
            self._known[key] = _merged(found)
        return self._known[key]

    def words(self, gene: str, names: Sequence[str]) -> frozenset[str]:
        """The phenotype in the words of every release: recommendations may be in those of another one.

        A release that has the reported phenotype under the same name and gives this diplotype another one is of another
        opinion, not of other words: its phenotype is none of these.
        """
        reported = self.of(gene, names).phenotype
        return (
            frozenset() if reported is None else frozenset({reported.lower(), *self._others(gene, names, reported)[0]})
        )

    def other_opinions(self, gene: str, names: Sequence[str]) -> list[str]:
        """What releases that are of another opinion give this diplotype; see `words`."""
        reported = self.of(gene, names).phenotype
        return [] if reported is None else self._others(gene, names, reported)[1]

    def _others(self, gene: str, names: Sequence[str], reported: str) -> tuple[list[str], list[str]]:
        """Other words for the reported phenotype, in lower case, and other phenotypes."""
        words: list[str] = []
        opinions: list[str] = []
        for table, vocabulary in zip(self._of_gene(gene), self._vocabularies[gene], strict=True):
            meaning = _meaning(gene, table, tuple(sorted(names)))
            if meaning is None or meaning.phenotype is None or meaning.phenotype.lower() == reported.lower():
                continue
            if reported.lower() in vocabulary:
                opinions.append(meaning.phenotype)
            else:
                words.append(meaning.phenotype.lower())
        return words, opinions

    def function(self, gene: str, name: str) -> str | None:
        """Of an allele; of several of one chromosome the functions of all."""
        told = [self._function(gene, part) for part in parts_of(name)]
        return None if all(one is None for one in told) else " + ".join(one or "unknown function" for one in told)

    def activity(self, gene: str, name: str) -> float | None:
        """The activity value of an allele; None where no release has one."""
        for table in self._of_gene(gene):
            if name in table.activities:
                return table.activities[name]
        return None

    def is_harmful(self, gene: str, name: str) -> bool:
        """Whether an allele of a gene that is called variant by variant changes its phenotype."""
        if gene == "DPYD":
            activity = self.activity(gene, name)
            return activity is None or activity < 1
        return _HARMFUL in (self._function(gene, name) or "").lower()

    def without_function(self, gene: str, names: Iterable[str]) -> list[str]:
        """Those of the alleles that do all the harm that an allele of the gene can do."""
        return [
            name
            for name in names
            if self.activity(gene, name) == 0
            or any(word in (self._function(gene, name) or "").lower() for word in _WITHOUT_FUNCTION)
        ]

    def lowest(self, gene: str, variants: Sequence[str]) -> tuple[str, ...]:
        """Of the variants of both copies the two that decide: those that do the most harm."""
        order = sorted(variants, key=lambda name: (not self.is_harmful(gene, name), self._rank(gene, name)))
        return tuple([*order, *[_REFERENCE] * 2][:2])

    def lowest_of_sides(self, gene: str, names: Sequence[str]) -> tuple[str, ...]:
        """The deciding variant of each chromosome."""
        return tuple(self.lowest(gene, parts_of(name))[0] for name in names)

    def is_of_priority(self, gene: str, words: Iterable[str]) -> bool | None:
        """Whether CPIC marks one of these phenotypes (in lower case) as abnormal; None if no release tells."""
        marks = [table.priorities[word] for table in self._of_gene(gene) for word in words if word in table.priorities]
        return any(mark.lower().startswith("abnormal") for mark in marks) if marks else None

    def scores_of(self, gene: str, words: Collection[str]) -> list[str]:
        """The activity scores that diplotypes of these phenotypes (in lower case) have, as far as they are listed."""
        meanings = [meaning for table in self._of_gene(gene) for meaning in table.diplotypes.values()]
        scores = dict.fromkeys(score for phenotype, score in meanings if score and phenotype.lower() in words)
        return sorted(scores)

    def has(self, gene: str) -> bool:
        """Whether any release tells phenotypes of the gene."""
        return any(table.diplotypes or table.scores for table in self._of_gene(gene))

    def knows(self, gene: str) -> bool:
        """Whether any release tells anything of the gene."""
        return bool(self._of_gene(gene))

    def has_phenotype(self, gene: str, phenotype: str) -> bool:
        """Whether any release words a phenotype of the gene so; True where none tells its phenotypes."""
        self._of_gene(gene)
        told = [vocabulary for vocabulary in self._vocabularies[gene] if vocabulary]
        return not told or any(phenotype.lower() in vocabulary for vocabulary in told)

    def _of_gene(self, gene: str) -> list[PhenotypeTable]:
        if gene not in self._tables:
            self._tables[gene] = [source[gene] for source in self._sources if gene in source]
            self._vocabularies[gene] = list(map(_vocabulary, self._tables[gene]))
        return self._tables[gene]

    def _function(self, gene: str, name: str) -> str | None:
        for table in self._of_gene(gene):
            for spelled in _spellings(name):
                if spelled in table.functions:
                    return table.functions[spelled]
        return None

    def _rank(self, gene: str, name: str) -> float:
        activity = self.activity(gene, name)
        return 1.0 if activity is None else activity


def parts_of(name: str) -> list[str]:
    """The alleles of one chromosome: `[a + b]` has two."""
    return name[1:-1].split(" + ") if name.startswith("[") and name.endswith("]") else [name]


def _spellings(name: str) -> tuple[str, ...]:
    """Names of genes with one variant: `rs2231142 variant (T)` is `rs2231142` in CPIC's tables."""
    if _REFERENCE_OF_ONE.fullmatch(name):
        return (name, "Reference")
    match = _VARIANT_OF_ONE.fullmatch(name)
    return (name, match[1]) if match else (name,)


def _meaning(gene: str, table: PhenotypeTable, names: tuple[str, ...]) -> Meaning | None:
    for spelled in (names, tuple(sorted(_spellings(name)[-1] for name in names))):
        found = table.diplotypes.get(spelled)
        if found is not None:
            return Meaning(*found)
    if gene == "RYR1" and table.functions and len(names) == 2:
        return _of_function(table, names)
    values = [_activity(table, name) for name in names]
    if table.scores and len(names) == 2 and all(value is not None for value in values):
        total = sum(value.value for value in values if value is not None)
        is_least = any(value is not None and value.is_least for value in values)
        for score in table.scores:
            if total == score.low if score.high == score.low else score.low <= total < (score.high or float("inf")):
                if is_least and score.high is not None:
                    return None  # more copies could be of the next phenotype
                return Meaning(score.phenotype, f"≥{total}" if is_least else str(total))
    return None


def _vocabulary(table: PhenotypeTable) -> frozenset[str]:
    """All phenotypes that a table tells, in lower case."""
    told = {phenotype.lower() for phenotype, _ in table.diplotypes.values()}
    return frozenset(told | {score.phenotype.lower() for score in table.scores} | set(table.priorities))


def _of_function(table: PhenotypeTable, names: tuple[str, ...]) -> Meaning | None:
    told = [table.functions.get(name) for name in names]
    if any(one is None for one in told):
        return None
    return Meaning(SUSCEPTIBLE if any(_HARMFUL in (one or "").lower() for one in told) else UNCERTAIN)


class _Activity(NamedTuple):
    """An activity value, and whether it is only known not to be lower."""

    value: float
    is_least: bool = False


def _activity(table: PhenotypeTable, name: str) -> _Activity | None:
    """Of an allele, or of several copies of it (`*1x2`, `*1x≥3`, `*1xN`)."""
    if name in table.activities:
        return _Activity(table.activities[name])
    match = _COPIES.fullmatch(name)
    if match is None or match["name"] not in table.activities:
        return None
    of_one, is_many = table.activities[match["name"]], match["copies"] == "N"
    copies = _LEAST_OF_MANY if is_many else int(match["copies"])
    return _Activity(of_one * copies, of_one > 0 and (is_many or match["least"] is not None))


def _merged(found: Sequence[Meaning]) -> Meaning:
    """The first phenotype; an activity score of any release that has the same."""
    told = [one for one in found if one.phenotype]
    if not told:
        return UNTOLD
    score = next(
        (one.activity_score for one in told if one.activity_score and one.phenotype == told[0].phenotype), None
    )
    return Meaning(told[0].phenotype, score)


def deciding(phenotypes: Phenotypes, gene: str, names: Sequence[str]) -> tuple[str, ...]:
    """The alleles by which the phenotype of a diplotype is looked up."""
    return phenotypes.lowest_of_sides(gene, names) if gene in LOWEST_FUNCTION_GENES else tuple(names)
