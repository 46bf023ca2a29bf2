"""Points of a copy number variant by the technical standard of ACMG and ClinGen, and the class that they give.

Source: Riggs et al., Genetics in Medicine 22 (2020) 245, tables 1 (loss) and 2 (gain). Points are in hundredths, so
that they add up exactly; where the standard gives a range, its suggested value is taken. What takes a person's
judgement, or data that are not here, is never guessed: it is listed as not evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.sources.structural.dosage import ESTABLISHED, GENE, REGION, UNLIKELY
from varloom.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.annotation.sources.structural.dosage import DosageHit
    from varloom.annotation.sources.structural.gene_parts import GeneParts

LOSS, GAIN = "loss", "gain"
PATHOGENIC = "Pathogenic"
LIKELY_PATHOGENIC = "Likely pathogenic"
UNCERTAIN = "Uncertain significance"
LIKELY_BENIGN = "Likely benign"
BENIGN = "Benign"

_MANY = {LOSS: (25, 35), GAIN: (35, 50)}
"""From how many protein-coding genes on section 3 gives 0.45, and 0.90."""
_JUDGED = {
    LOSS: (
        "2H: predictors of haploinsufficiency are not installed.",
        "4A-4N: reports of cases and of case-control studies have to be read by a person.",
        "5A-5H: inheritance and phenotype of the family are not known here (counted as 5F, 0 points).",
    ),
    GAIN: (
        "4A-4N: reports of cases and of case-control studies have to be read by a person.",
        "5A-5H: inheritance and phenotype of the family are not known here (counted as 5F, 0 points).",
    ),
}
_NOT_SEEN = "1A: regulatory elements are not known here, so that one of them could be hit all the same."
_NO_DOSAGE = "2A-2L: no curation of dosage is installed."
_NO_POPULATION = "4O: no population of structural variants is installed."


class KnownVariant(NamedTuple):
    """The best match in the population.

    Attributes:
        id: as the release calls it.
        frequency: of the allele, 0 to 1; None where the release gives none.
        overlap: reciprocal overlap, 0 to 1.
        has_all_genes: whether it overlaps each protein-coding gene where the variant does.
    """

    id: str | None
    frequency: float | None
    overlap: float
    has_all_genes: bool


class CopyChange(NamedTuple):
    """A loss or a gain, and all that is known of it here.

    Attributes:
        change: `loss` or `gain`.
        start: first base, 1-based.
        end: last base.
        functional: whether it overlaps a gene other than a pseudogene, or a promoter of one.
        coding: the protein-coding genes that it overlaps, by their numbers.
        interrupted: those of them in which it begins or ends.
        dosage: the curated genes and regions that it overlaps; None if no curation is installed.
        regions_coding: the protein-coding genes of each curated region that it overlaps, by the region's identifier.
        parts: of the genes with established dosage sensitivity.
        names: of the genes that have parts.
        known: the best match in the population, if any.
        searched: whether a population is installed, and the variant could be found in it.
    """

    change: str
    start: int
    end: int
    functional: bool
    coding: frozenset[int]
    interrupted: frozenset[int] = frozenset()
    dosage: tuple[DosageHit, ...] | None = ()
    regions_coding: Mapping[str, frozenset[int]] = {}
    parts: Mapping[int, GeneParts] = {}
    known: KnownVariant | None = None
    searched: bool = True


class Evidence(NamedTuple):
    """One criterion that was evaluated; `points` are hundredths."""

    criterion: str
    points: int
    reason: str


class Score(NamedTuple):
    """What the criteria give.

    Attributes:
        points: their sum, in hundredths.
        evidence: the criteria that apply, by section.
        not_evaluated: criteria that could not be told, each with the reason.
    """

    points: int
    evidence: tuple[Evidence, ...]
    not_evaluated: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The class of the points."""
        return verdict_of(self.points)


def verdict_of(points: int) -> str:
    """The class that hundredths of points give."""
    if points >= 99:
        return PATHOGENIC
    if points >= 90:
        return LIKELY_PATHOGENIC
    if points > -90:
        return UNCERTAIN
    return LIKELY_BENIGN if points > -99 else BENIGN


def score(case: CopyChange, common_frequency: float) -> Score:
    """The points of a loss or a gain.

    Args:
        case: what is known of it.
        common_frequency: from which allele frequency on a variant of the population is common.
    """
    found: list[Evidence] = []
    open_questions: list[str] = []
    _content(case, found, open_questions)
    if case.dosage is None:
        open_questions.append(_NO_DOSAGE)
    else:
        section = _loss_section if case.change == LOSS else _gain_section
        section(case, case.dosage, found, open_questions)
    _gene_number(case, found)
    _population(case, common_frequency, found, open_questions)
    return Score(sum(each.points for each in found), tuple(found), (*open_questions, *_JUDGED[case.change]))


# --- section 1 --------------------------------------------------------------------------------------------------------


def _content(case: CopyChange, found: list[Evidence], open_questions: list[str]) -> None:
    if case.functional or case.dosage:
        found.append(Evidence("1A", 0, "It contains genes, or parts of them, or curated regions."))
        return
    found.append(Evidence("1B", -60, "It contains no gene, promoter or curated region."))
    open_questions.append(_NOT_SEEN)


# --- section 2, loss --------------------------------------------------------------------------------------------------


def _loss_section(
    case: CopyChange, dosage: tuple[DosageHit, ...], found: list[Evidence], open_questions: list[str]
) -> None:
    """The strongest criterion of the section counts; those of 0 points stand beside it."""
    harmful: list[Evidence] = []
    for hit in dosage:
        if hit.element.hi != ESTABLISHED:
            continue
        if hit.whole:
            harmful.append(Evidence("2A", 100, f"All of {_named(hit)} is lost (haploinsufficiency score 3)."))
        elif hit.element.kind == REGION:
            harmful.append(Evidence("2B", 0, f"A part of {_named(hit)} is lost (haploinsufficiency score 3)."))
        else:
            _lost_part(case, hit, harmful, open_questions)
    found += _strongest(harmful)
    if any(each.points for each in harmful):
        return
    benign = [hit for hit in dosage if hit.element.hi == UNLIKELY and hit.element.kind == REGION]
    within = next((hit for hit in benign if hit.within), None)
    if within is not None and any(hit.element.hi == ESTABLISHED for hit in dosage):
        open_questions.append(f"2F: it lies within {_named(within)}, but hits a haploinsufficient gene or region, too.")
    elif within is not None:
        found.append(Evidence("2F", -100, f"It lies within {_named(within)}, whose loss is benign (score 40)."))
    elif benign:
        found.append(Evidence("2G", 0, f"It overlaps {_named(benign[0])}, whose loss is benign, and goes beyond it."))


def _lost_part(case: CopyChange, hit: DosageHit, found: list[Evidence], open_questions: list[str]) -> None:
    """Criteria 2A and 2C to 2E, for a gene of which the ends on the genome do not both lie within."""
    gene, name = hit.element.gene, _named(hit)
    parts = case.parts.get(gene) if gene is not None else None
    if parts is None:
        open_questions.append(f"2C-2E: a part of {name} is lost, but its exons and coding bases are not known here.")
        return
    exons, coding = parts.exons_hit(case.start, case.end), parts.coding_bases(case.start, case.end)
    first, last = parts.first_end_hit(case.start, case.end), parts.last_end_hit(case.start, case.end)
    by = f"of {name} ({parts.transcript})"
    count = len(parts.exons)
    if first and last:
        found.append(Evidence("2A", 100, f"All {by} is lost (haploinsufficiency score 3)."))
    elif not exons:
        found.append(
            Evidence("2E", 0, f"No exon {by} is lost; only an intron is, or a part outside of this transcript.")
        )
    elif first and coding:
        found.append(Evidence("2C-1", 90, f"The 5' end {by} is lost with {counted(coding, 'coding base')}."))
    elif first:
        found.append(Evidence("2C-2", 0, f"The 5' end {by} is lost, but no coding base."))
    elif last and not coding:
        found.append(Evidence("2D-1", 0, f"The 3' end {by} is lost, but no coding base."))
    elif last and exons == [count]:
        reason = "whether pathogenic variants are known in this exon takes a person (0.90 or 0.30)."
        open_questions.append(f"2D-2, 2D-3: the last exon {by} is lost alone; {reason}")
    elif last:
        found.append(Evidence("2D-4", 90, f"The 3' end {by} is lost, with exons {exons[0]} to {count}."))
    else:
        frame = "which shifts the reading frame" if coding % 3 else "which keeps the reading frame"
        lost = f"exons {exons[0]} to {exons[-1]}" if len(exons) > 1 else f"exon {exons[0]}"
        open_questions.append(
            f"2E: {lost} of {count} {by} and {counted(coding, 'coding base')} are lost within the gene, {frame} if "
            "whole exons are; the strength of PVS1 (0 to 0.90) takes a person."
        )


# --- section 2, gain --------------------------------------------------------------------------------------------------


def _gain_section(
    case: CopyChange, dosage: tuple[DosageHit, ...], found: list[Evidence], open_questions: list[str]
) -> None:
    """The strongest criterion of the section counts; those of 0 points stand beside it."""
    harmful = [
        Evidence("2A", 100, f"All of {_named(hit)} is gained (triplosensitivity score 3).")
        if hit.whole
        else Evidence("2B", 0, f"A part of {_named(hit)} is gained (triplosensitivity score 3).")
        for hit in dosage
        if hit.element.ts == ESTABLISHED
    ]
    found += _strongest(harmful)
    if not any(each.points for each in harmful):
        benign = [hit for hit in dosage if hit.element.ts == UNLIKELY and hit.element.kind == REGION]
        criteria = sorted((_benign_gain(case, hit) for hit in benign), key=lambda each: each.points)
        if criteria and criteria[0].points and harmful:
            open_questions.append(f"{criteria[0].criterion}: a benign region fits, but so does a triplosensitive one.")
        elif criteria:
            found.append(criteria[0])
    _interrupted_genes(case, dosage, found, open_questions)


def _benign_gain(case: CopyChange, hit: DosageHit) -> Evidence:
    """The criterion for one region whose gain is benign."""
    genes, name = (
        case.regions_coding.get(hit.element.id, frozenset()),
        f"{_named(hit)}, whose gain is benign (score 40)",
    )
    if genes and genes == case.coding and (hit.whole or hit.within):
        return Evidence("2C", -100, f"It has the protein-coding genes of {name}.")
    if hit.within and not case.interrupted:
        return Evidence("2D", -100, f"It is smaller than {name}, and interrupts no protein-coding gene.")
    if hit.within:
        return Evidence("2E", 0, f"It is smaller than {name}, but may interrupt a protein-coding gene.")
    if hit.whole and case.coding <= genes:
        return Evidence("2F", -100, f"It is larger than {name}, but has no other protein-coding gene.")
    return Evidence("2G", 0, f"It overlaps {name}, and goes beyond it.")


def _interrupted_genes(
    case: CopyChange, dosage: tuple[DosageHit, ...], found: list[Evidence], open_questions: list[str]
) -> None:
    haploinsufficient = [hit for hit in dosage if hit.element.hi == ESTABLISHED and hit.element.kind == GENE]
    for hit in haploinsufficient:
        if hit.whole:
            found.append(Evidence("2H", 0, f"All of {_named(hit)}, which is haploinsufficient, is gained."))
        elif hit.within:
            open_questions.append(f"2I: it lies within {_named(hit)}; whether that destroys the gene takes a person.")
        else:
            open_questions.append(f"2J, 2K: it ends within {_named(hit)}; whether the phenotype fits takes a person.")
    others = case.interrupted - {hit.element.gene for hit in haploinsufficient if hit.element.gene is not None}
    if others:
        count = counted(len(others), "protein-coding gene")
        found.append(Evidence("2L", 0, f"It begins or ends within {count} without established haploinsufficiency."))


# --- sections 3 and 4 -------------------------------------------------------------------------------------------------


def _gene_number(case: CopyChange, found: list[Evidence]) -> None:
    some, many = _MANY[case.change]
    count = len(case.coding)
    criterion, points = ("3A", 0) if count < some else ("3B", 45) if count < many else ("3C", 90)
    found.append(Evidence(criterion, points, f"It overlaps {counted(count, 'protein-coding gene')}."))


def _population(case: CopyChange, common_frequency: float, found: list[Evidence], open_questions: list[str]) -> None:
    if not case.searched:
        open_questions.append(_NO_POPULATION)
        return
    known = case.known
    if known is None or known.frequency is None or known.frequency < common_frequency:
        return
    told = f"{known.id} has a frequency of {known.frequency:.4g} and a reciprocal overlap of {known.overlap:.2f}"
    if known.has_all_genes:
        found.append(Evidence("4O", -100, f"It is common: {told}."))
    else:
        open_questions.append(f"4O: {told}, but the variant hits protein-coding genes where that one does not.")


def _named(hit: DosageHit) -> str:
    return hit.element.name if hit.element.kind == GENE else f"{hit.element.name} ({hit.element.id})"


def _strongest(criteria: list[Evidence]) -> list[Evidence]:
    """All of them, but only the first with the most points keeps these."""
    most = max(criteria, key=lambda each: each.points, default=None)
    return [
        each if each is most or not each.points else each._replace(points=0, reason=f"{each.reason} It adds no points.")
        for each in criteria
    ]
