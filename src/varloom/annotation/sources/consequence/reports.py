"""What is said of each variant: csq's answers with names, numbers and HGVS, and which of them goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.sources.consequence.answers import Answer, answers_of, by_transcript, term_of
from varloom.annotation.sources.consequence.coding_names import coding_name
from varloom.annotation.sources.consequence.columns import FIELDS
from varloom.annotation.sources.consequence.protein_names import ProteinNames

if TYPE_CHECKING:
    from varloom.annotation.refs.transcript_model import Transcript
    from varloom.annotation.sources.consequence.gene_table import GeneTable
    from varloom.annotation.sources.consequence.genome import Genome
    from varloom.annotation.sources.consequence.placed_transcript import PlacedTranscript
    from varloom.annotation.sources.consequence.sites import Site
    from varloom.genomics.consequences import Consequence

_CODING = term_of("coding_sequence_variant")
_INTRON = term_of("intron")
_NON_CODING = term_of("non_coding")
_UTR = {True: term_of("5_prime_utr"), False: term_of("3_prime_utr")}
_ABLATION = term_of("transcript_ablation")
_INTERGENIC = term_of("intergenic")
_ALTERING = term_of("protein_altering_variant")
_PROTEIN_TERMS = (
    "frameshift stop_gained stop_lost start_lost inframe_insertion inframe_deletion inframe_altering missense "
    "synonymous start_retained stop_retained splice_acceptor splice_donor transcript_ablation"
)
_OF_PROTEIN = frozenset(term_of(name) for name in _PROTEIN_TERMS.split())
"""What csq says where it has looked at the codons, or need not."""
_HGVS_C = tuple(FIELDS).index("hgvs_c")
_ONLY_DEEP = frozenset({_INTRON, _NON_CODING})
"""What csq says of places that have no HGVS name here."""

Entry = tuple[str | None, ...]
"""The values of `NESTED_FIELDS` of a variant in one transcript."""


class Report(NamedTuple):
    """What is said of a variant.

    Attributes:
        entries: of every transcript that is touched, most severe first.
        mane: which of them is the first MANE Select; None if none is.
    """

    entries: tuple[Entry, ...]
    mane: int | None

    @property
    def has_names(self) -> bool:
        """Whether it has names in HGVS, so that it is of one variant alone."""
        return any(entry[_HGVS_C] for entry in self.entries)


INTERGENIC = Report((), None)
INTERGENIC_BLOCK: Entry = (_INTERGENIC.term, _INTERGENIC.impact, *(None,) * (len(FIELDS) - 2))
"""The worst-consequence block of a variant that touches no transcript."""


class Reporter:
    """Makes reports for one batch; what is said in the same words of many variants is made once."""

    def __init__(self, genes: GeneTable, genome: Genome) -> None:
        self._genes = genes
        self._genome = genome
        self._proteins = ProteinNames(genome)
        self._answers: dict[str, dict[int, Answer]] = {}
        self._shared: dict[tuple[str, int, int], Report] = {}

    def answers(self, said: str) -> dict[int, Answer]:
        """What csq said, by transcript."""
        found = self._answers.get(said)
        if found is None:
            found = self._answers[said] = by_transcript(answers_of(said))
        return found

    def is_deep(self, said: str) -> bool:
        """Whether csq says nothing but that it is in introns or in RNA that codes nothing."""
        terms = [answer.terms for answer in self.answers(said).values()]
        return all(terms) and all(term in _ONLY_DEEP for found in terms for term in found)

    def report(self, site: Site, said: str, segments: tuple[int, int]) -> Report:
        """The report on a variant.

        Args:
            site: the variant.
            said: what csq says of it.
            segments: the numbers of its first and last base by `GeneTable.segments`.
        """
        key = (said, *segments)
        report = self._shared.get(key)
        if report is None:
            report = self._made(site, self.answers(said))
            if self.is_deep(said) and not report.has_names:
                self._shared[key] = report
        return report

    def unsaid(self, site: Site, numbers: list[int]) -> Report:
        """The report on a variant that csq passes over although it reaches into transcripts."""
        return self._made(site, {number: Answer((), number, None, None, False) for number in numbers})

    def _made(self, site: Site, answers: dict[int, Answer]) -> Report:
        ranked = []
        for answer in answers.values():
            transcript = self._genes.placed(answer.transcript)
            entry, severity = self._entry(site, answer, transcript)
            model = transcript.model
            order = (severity, model.mane != "select", not model.canonical, not model.cds, model.transcript_id)
            ranked.append((order, entry))
        ranked.sort(key=lambda pair: pair[0])
        mane = next((index for index, (order, _) in enumerate(ranked) if not order[1]), None)
        return Report(tuple(entry for _, entry in ranked), mane)

    def _entry(self, site: Site, answer: Answer, transcript: PlacedTranscript) -> tuple[Entry, int]:
        model, change = transcript.model, site.change
        first, last = min(change.start, change.end), max(change.start, change.end)
        exon, intron = transcript.numbers(first, last)
        terms = answer.terms
        if change.start <= model.start and change.end >= model.end:
            terms = (_ABLATION,)
        elif not terms or (terms == (_INTRON,) and exon and not intron):
            terms = (_beyond_csq(transcript, first, last),)
        if len(change.ref) != len(change.alt) and not _OF_PROTEIN & {*terms} and _is_within_coding(model, first, last):
            terms = (_ALTERING, *(term for term in terms if term != _CODING))
        hgvs_c = hgvs_p = None
        if transcript.has_names and any(term not in _ONLY_DEEP for term in terms):
            name = coding_name(transcript, change, self._genome)
            if name is not None:
                hgvs_c = f"{model.transcript_id}:{name.text}"
                protein = self._proteins.name(transcript, change, name)
                hgvs_p = protein and f"{model.protein_id or model.transcript_id}:{protein}"
        entry = (
            "&".join(term.term for term in terms),
            terms[0].impact,
            model.gene_name or model.gene_id,
            model.gene_id,
            model.transcript_id,
            model.biotype,
            hgvs_c,
            hgvs_p,
            answer.protein,
            exon,
            intron,
            "yes" if model.canonical else None,
            model.mane,
        )
        return entry, terms[0].rank


def _is_within_coding(model: Transcript, first: int, last: int) -> bool:
    return any(start <= first and last <= end for start, end in model.cds)


def _beyond_csq(transcript: PlacedTranscript, first: int, last: int) -> Consequence:
    """The term where csq has none or calls an exon an intron: bases of incomplete codons, frames that contradict."""
    model = transcript.model
    if any(start <= last and first <= end for start, end in model.cds):
        return _CODING
    if not model.cds:
        return _NON_CODING
    if not transcript.numbers(first, last)[0]:
        return _INTRON
    return _UTR[(first < model.cds[0][0]) == (model.strand > 0)]
