"""One batch on its way: from its variants to a report for each."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from varloom.annotation.sources.consequence.csq_program import CsqInput
from varloom.annotation.sources.consequence.joint import joint_effects, neighbours
from varloom.annotation.sources.consequence.placed_transcript import MITOCHONDRION
from varloom.annotation.sources.consequence.reports import INTERGENIC, Report, Reporter
from varloom.annotation.sources.consequence.sites import Site, Sites

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from varloom.annotation.sources.consequence.csq_program import CsqProgram
    from varloom.annotation.sources.consequence.gene_table import GeneTable
    from varloom.annotation.sources.consequence.genome import Genome
    from varloom.annotation.sources.consequence.joint import Joint
    from varloom.genomics.assemblies import Assembly

_NUCLEAR, _MITOCHONDRIAL = "0", "2"
"""Of csq's genetic codes, the standard one with ATG as its only start, and that of the mitochondrion of vertebrates."""
_ROWS_BETWEEN_STEPS = 2000


class Tools(NamedTuple):
    """What every batch is answered with.

    Attributes:
        genes: the transcripts.
        genome: the reference.
        program: runs csq.
        assembly: of the coordinates.
    """

    genes: GeneTable
    genome: Genome
    program: CsqProgram
    assembly: Assembly


class Batch:
    """The answers for a batch.

    Attributes:
        sites: the batch, sorted out.
        distinct: reports; many rows share one.
        numbers: for each row that of its report among `distinct`; -1 for a row without one.
        joint: what rows do together with others.
        neighbours: the neighbours of rows.
    """

    def __init__(self, variants: pa.RecordBatch, tools: Tools, on_step: Callable[[], None]) -> None:
        self.sites = Sites(variants, tools.assembly, tools.genome, tools.genes)
        self.distinct: list[Report] = [INTERGENIC]
        self.numbers: NDArray[np.int64] = np.where(self.sites.answerable, 0, -1)
        self.joint: dict[int, list[Joint]] = {}
        self.neighbours: dict[int, list[str]] = {}
        self._variants = variants
        self._tools = tools
        self._on_step = on_step
        self._known: dict[int, int] = {}

    def answer(self) -> None:
        """Find the reports of all answerable rows; nuclear and mitochondrial ones have a genetic code each.

        Raises:
            VarloomError: `consequence_failed`.
        """
        is_mitochondrial = [contig == MITOCHONDRION for contig in self.sites.contigs]
        mitochondrial = np.array(is_mitochondrial, np.bool_)[self.sites.codes]
        for code, chosen in ((_NUCLEAR, ~mitochondrial), (_MITOCHONDRIAL, mitochondrial)):
            rows = self._near(chosen & self.sites.answerable)
            if len(rows):
                self._answer(rows, code)

    def _near(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The chosen rows near to transcripts, sorted by contig and position; their transcripts are put at hand."""
        genes, sites = self._tools.genes, self.sites
        rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        numbers: list[int] = []
        for code, contig in enumerate(sites.contigs):
            here = np.flatnonzero(chosen & (sites.codes == code))
            if contig in genes and len(here):
                here = here[genes.near(contig, sites.starts[here], sites.ends[here])]
                rows.append(here)
                numbers += genes.touched(contig, sites.starts[here], sites.ends[here]).tolist()
        genes.place(numbers)
        return sites.sorted(np.concatenate(rows))

    def _answer(self, rows: NDArray[np.int64], code: str) -> None:
        """Answer rows near to transcripts, which are at hand and share a genetic code."""
        genes, genome = self._tools.genes, self._tools.genome
        contigs = {name: genome.length(name) or 0 for name in self.sites.contigs if name in genes}
        given = CsqInput(genes.gff_at_hand(), self.sites.records(rows), contigs)
        said = self._tools.program.run(given, ("--genetic-code", code, "--local-csq"), self._on_step)
        words = _Words(said.values, said.numbers, self._variants.num_rows)
        reporter = Reporter(genes, genome)
        single = self.sites.at(self._report_alike(rows, words, reporter))
        self._report_singly(single, words, reporter)
        answers = [(site, reporter.answers(text)) for site in single if (text := words.of(site.row)) is not None]
        self.neighbours |= neighbours(answers, self._variants)
        self.joint |= joint_effects(
            answers,
            self._variants,
            genes,
            lambda given: self._tools.program.run(given, ("--genetic-code", code), self._on_step),
        )

    def _report_alike(self, rows: NDArray[np.int64], words: _Words, reporter: Reporter) -> NDArray[np.int64]:
        """Report on single bases deep in introns, many of which are alike; the other rows are given back."""
        sites = self.sites
        deep = np.array([*map(reporter.is_deep, words.texts), False], np.bool_)  # the last is that of no words, -1
        chosen = deep[words.numbers[rows]] & sites.single[rows]
        alike = rows[chosen]
        segments = np.zeros(len(alike), np.int64)
        for code, contig in enumerate(sites.contigs):
            here = np.flatnonzero(sites.codes[alike] == code)
            if len(here):
                segments[here] = self._tools.genes.segments(contig, sites.starts[alike[here]])
        # words name transcripts, so that those of two contigs are never the same
        keys = words.numbers[alike] * (int(segments.max(initial=0)) + 1) + segments
        _, firsts, kinds = np.unique(keys, return_index=True, return_inverse=True)
        numbers = np.zeros(len(firsts), np.int64)
        for kind, (first, site) in enumerate(zip(firsts.tolist(), sites.at(alike[firsts]), strict=True)):
            segment = int(segments[first])
            report = reporter.report(site, words.of(site.row) or "", (segment, segment))
            numbers[kind] = -1 if report.has_names else self._number(report)
        self.numbers[alike] = numbers[kinds]
        return sites.sorted(np.concatenate([rows[~chosen], alike[numbers[kinds] < 0]]))

    def _report_singly(self, sites: list[Site], words: _Words, reporter: Reporter) -> None:
        """Report on each site."""
        for index, (site, segments) in enumerate(zip(sites, self._segments(sites), strict=True)):
            if index % _ROWS_BETWEEN_STEPS == 0:
                self._on_step()
            text = words.of(site.row)
            if text is not None:
                report = reporter.report(site, text, segments)
            elif reached := self._tools.genes.reached(site.contig, site.change.start, site.change.end):
                report = reporter.unsaid(site, reached)
            else:
                report = INTERGENIC
            self.numbers[site.row] = self._number(report)

    def _segments(self, sites: list[Site]) -> list[tuple[int, int]]:
        """For each site the segments in which its change begins and ends."""
        segments: list[tuple[int, int]] = []
        for contig, members in groupby(sites, key=_contig):
            changes = [site.change for site in members]
            firsts = np.array([min(change.start, change.end) for change in changes], np.int64)
            lasts = np.array([max(change.start, change.end) for change in changes], np.int64)
            genes = self._tools.genes
            segments += zip(
                genes.segments(contig, firsts).tolist(), genes.segments(contig, lasts).tolist(), strict=True
            )
        return segments

    def _number(self, report: Report) -> int:
        """The number of a report, which is kept."""
        if report is INTERGENIC:
            return 0
        number = self._known.setdefault(id(report), len(self.distinct))
        if number == len(self.distinct):
            self.distinct.append(report)
        return number


class _Words:
    """What csq says of the rows of a batch, each text once.

    Attributes:
        texts: the distinct texts.
        numbers: for each row that of its text; -1 where csq says nothing.
    """

    def __init__(self, values: pa.Array, rows: NDArray[np.int64], count: int) -> None:
        encoded = values.dictionary_encode()
        self.texts: list[str] = encoded.dictionary.to_pylist()
        self.numbers: NDArray[np.int64] = np.full(count, -1, np.int64)
        self.numbers[rows] = encoded.indices.to_numpy()

    def of(self, row: int) -> str | None:
        """What csq says of a row."""
        number = self.numbers[row]
        return self.texts[number] if number >= 0 else None


def _contig(site: Site) -> str:
    return site.contig
