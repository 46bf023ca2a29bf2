"""The source `csq`: consequences of small variants in every transcript, with their names in HGVS."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from varloom.annotation.model import Annotated, VariantKind
from varloom.annotation.refs.mane import mane_transcripts
from varloom.annotation.source import Need
from varloom.annotation.sources.consequence.columns import (
    FIELDS,
    JOINT,
    NEIGHBOURS,
    NESTED,
    declared,
)
from varloom.annotation.sources.consequence.csq_program import CsqInput, CsqProgram
from varloom.annotation.sources.consequence.gene_table import GeneTable
from varloom.annotation.sources.consequence.genome import GENOME_FILE, Genome
from varloom.annotation.sources.consequence.joint import joint_effects, neighbours
from varloom.annotation.sources.consequence.placed_transcript import MITOCHONDRION
from varloom.annotation.sources.consequence.problems import CONSEQUENCE_DATA_UNUSABLE
from varloom.annotation.sources.consequence.reports import INTERGENIC, INTERGENIC_BLOCK, Report, Reporter
from varloom.annotation.sources.consequence.sites import Site, Sites
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from varloom.annotation.model import AnnotationColumn
    from varloom.annotation.source import InstalledRelease
    from varloom.annotation.sources.consequence.joint import Joint
    from varloom.genomics.assemblies import Assembly

GENES = Need("genes")
FASTA = Need("fasta")
MANE = Need("mane", required=False)

_ROWS_BETWEEN_STEPS = 2000


class ConsequenceSource:
    """Declares the columns `csq.*` and `mane.*`; see `varloom.annotation.source.AnnotationSource`."""

    name = "csq"
    title = "Consequences in transcripts"
    kind = VariantKind.SMALL
    needs = (GENES, FASTA, MANE)

    def columns(self, releases: Mapping[Need, InstalledRelease]) -> Sequence[AnnotationColumn]:
        """The columns that it adds with these releases: those of MANE Select only where a release tells it."""
        return declared(has_mane=_gene_table(releases).has_mane)

    @contextmanager
    def open(self, releases: Mapping[Need, InstalledRelease], scratch: Path) -> Iterator[OpenConsequences]:
        """Get to work.

        Raises:
            VarloomError: `consequence_data_unusable`.
        """
        genes, fasta = _gene_table(releases), releases[FASTA].folder / GENOME_FILE
        try:
            genome = Genome(fasta)
        except (OSError, ValueError) as error:
            message = f"The reference sequence cannot be read: {error}"
            raise VarloomError(CONSEQUENCE_DATA_UNUSABLE, message) from error
        with genome, CsqProgram(fasta, scratch) as program:
            yield OpenConsequences(genes, genome, program, releases[GENES].key.assembly)


def _gene_table(releases: Mapping[Need, InstalledRelease]) -> GeneTable:
    mane = releases.get(MANE)
    return GeneTable(releases[GENES].folder, *(mane_transcripts(mane.folder) if mane else (frozenset(), frozenset())))


class _Found:
    """What was found for the rows of a batch. The number of a report is that in `distinct`; -1 is a row without one."""

    def __init__(self, rows: int) -> None:
        self.distinct: list[Report] = [INTERGENIC]
        self.numbers: NDArray[np.int64] = np.full(rows, -1, np.int64)
        self.joint: dict[int, list[Joint]] = {}
        self.neighbours: dict[int, list[str]] = {}
        self._known: dict[int, int] = {}

    def number(self, report: Report) -> int:
        """The number of a report, which is kept."""
        number = self._known.setdefault(id(report), len(self.distinct))
        if number == len(self.distinct):
            self.distinct.append(report)
        return number


class OpenConsequences:
    """The source at work."""

    def __init__(self, genes: GeneTable, genome: Genome, program: CsqProgram, assembly: Assembly) -> None:
        self._genes = genes
        self._genome = genome
        self._program = program
        self._assembly = assembly

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        """The consequences of each variant alone, and of those that stand together in a codon or a frame.

        Batches may have the further columns of `varloom.annotation.model.PHASED_VARIANTS`. Variants of one transcript
        in different batches are not seen together.

        Raises:
            VarloomError: `consequence_failed`.
        """
        sites = Sites(variants, self._assembly, self._genome)
        found = _Found(variants.num_rows)
        found.numbers[sites.answerable] = 0
        mitochondrial = np.array([contig == MITOCHONDRION for contig in sites.contigs], np.bool_)[sites.codes]
        # of csq's genetic codes, the standard one with ATG as its only start, and that of the vertebrates' mitochondrion
        for code, chosen in (("0", ~mitochondrial), ("2", mitochondrial)):
            rows, numbers = self._near(sites, chosen & sites.answerable)
            if len(rows):
                self._answer(variants, sites, sites.sorted(rows), numbers, code, found, on_step)
        return Annotated(self._columns(found), tuple(sites.set_aside))

    def _near(self, sites: Sites, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], list[int]]:
        """The chosen rows near to transcripts, and the numbers of those transcripts."""
        rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        numbers: list[int] = []
        for code, contig in enumerate(sites.contigs):
            here = np.flatnonzero(chosen & (sites.codes == code))
            if contig in self._genes and len(here):
                here = here[self._genes.near(contig, sites.starts[here], sites.ends[here])]
                rows.append(here)
                numbers += self._genes.touched(contig, sites.starts[here], sites.ends[here]).tolist()
        return np.concatenate(rows), numbers

    def _answer(
        self,
        variants: pa.RecordBatch,
        sites: Sites,
        rows: NDArray[np.int64],
        numbers: list[int],
        code: str,
        found: _Found,
        on_step: Callable[[], None],
    ) -> None:
        """Answer rows, near to transcripts, that share a genetic code."""
        self._genes.place(numbers)
        options = ("--genetic-code", code)
        contigs = {name: self._genome.length(name) or 0 for name in sites.contigs if name in self._genes}
        given = CsqInput(self._genes.gff_of(numbers), sites.records(rows), contigs)
        said = self._program.run(given, (*options, "--local-csq"), on_step)
        on_step()
        encoded = said.values.dictionary_encode()
        words = encoded.dictionary.to_pylist()
        spoken = np.full(variants.num_rows, -1, np.int64)
        spoken[said.numbers] = encoded.indices.to_numpy()
        reporter = Reporter(self._genes, self._genome)
        alone = self._report_alike(sites, rows, spoken, words, reporter, found)
        single = sites.at(alone)
        self._report_singly(single, spoken, words, reporter, found, on_step)
        answers = [(site, reporter.answers(words[spoken[site.row]])) for site in single if spoken[site.row] >= 0]
        found.neighbours.update(neighbours(answers, variants))
        found.joint.update(
            joint_effects(answers, variants, self._genes, lambda given: self._program.run(given, options, on_step))
        )

    def _report_alike(
        self,
        sites: Sites,
        rows: NDArray[np.int64],
        spoken: NDArray[np.int64],
        words: list[str],
        reporter: Reporter,
        found: _Found,
    ) -> NDArray[np.int64]:
        """Report on single bases deep in introns, many of which are alike; the other rows are given back."""
        deep = np.array([*map(reporter.is_deep, words), False], np.bool_)  # -1, of which nothing is said, is the last
        chosen = deep[spoken[rows]] & sites.single[rows]
        alike = rows[chosen]
        segments = np.zeros(len(alike), np.int64)
        for code, contig in enumerate(sites.contigs):
            here = np.flatnonzero(sites.codes[alike] == code)
            if len(here):
                segments[here] = self._genes.segments(contig, sites.starts[alike[here]])
        # words name transcripts, so that those of two contigs are never the same
        keys = spoken[alike] * (int(segments.max(initial=0)) + 1) + segments
        _, firsts, kinds = np.unique(keys, return_index=True, return_inverse=True)
        numbers = np.zeros(len(firsts), np.int64)
        for kind, (first, site) in enumerate(zip(firsts.tolist(), sites.at(alike[firsts]), strict=True)):
            segment = int(segments[first])
            report = reporter.report(site, words[spoken[site.row]], (segment, segment))
            numbers[kind] = -1 if report.has_names else found.number(report)
        found.numbers[alike] = numbers[kinds]
        return np.concatenate([rows[~chosen], alike[numbers[kinds] < 0]])

    def _report_singly(
        self,
        sites: list[Site],
        spoken: NDArray[np.int64],
        words: list[str],
        reporter: Reporter,
        found: _Found,
        on_step: Callable[[], None],
    ) -> None:
        """Report on each site."""
        for index, (site, segments) in enumerate(zip(sites, self._segments(sites), strict=True)):
            if index % _ROWS_BETWEEN_STEPS == 0:
                on_step()
            if spoken[site.row] >= 0:
                report = reporter.report(site, words[spoken[site.row]], segments)
            elif touched := self._reached(site):
                report = reporter.unsaid(site, touched)
            else:
                continue
            found.numbers[site.row] = found.number(report)

    def _segments(self, near: list[Site]) -> list[tuple[int, int]]:
        """For each site the segments in which its change begins and ends."""
        segments: list[tuple[int, int]] = []
        for contig, members in groupby(near, key=lambda site: site.contig):
            changes = [site.change for site in members]
            firsts = np.array([min(change.start, change.end) for change in changes], np.int64)
            lasts = np.array([max(change.start, change.end) for change in changes], np.int64)
            ends = (self._genes.segments(contig, firsts).tolist(), self._genes.segments(contig, lasts).tolist())
            segments += zip(*ends, strict=True)
        return segments

    def _reached(self, site: Site) -> list[int]:
        """The transcripts into which a change reaches."""
        start, end = site.change.start, site.change.end
        ranges = np.array([min(start, end)], np.int64), np.array([max(start, end)], np.int64)
        numbers = self._genes.touched(site.contig, *ranges).tolist()
        models = ((number, self._genes.placed(number).model) for number in numbers)
        # an insertion at the very edge, whose end is before its start, is outside
        return [number for number, model in models if model.start <= end and start <= model.end]

    def _columns(self, found: _Found) -> pa.RecordBatch:
        """The declared columns, one row for each of the batch; reports that rows share are made into values once."""
        indices = pa.array(found.numbers, mask=found.numbers < 0)
        blocks: list[list[Sequence[str | None] | None]] = [
            [report.entries[0] if report.entries else INTERGENIC_BLOCK for report in found.distinct]
        ]
        if self._genes.has_mane:
            blocks.append([None if report.mane is None else report.entries[report.mane] for report in found.distinct])
        arrays: list[pa.Array] = [
            pa.array([entry and entry[index] for entry in block], pa.string()).take(indices)
            for block in blocks
            for index in range(len(FIELDS))
        ]
        arrays.append(_of_structs([report.entries for report in found.distinct], NESTED).take(indices))
        rows = range(len(found.numbers))
        nothing = pa.nulls(len(rows), JOINT)
        arrays.append(_of_structs([found.joint.get(row) for row in rows], JOINT) if found.joint else nothing)
        arrays.append(pa.array(map(found.neighbours.get, rows), NEIGHBOURS))
        names = [column.name for column in declared(has_mane=self._genes.has_mane)]
        return pa.RecordBatch.from_arrays(arrays, names=names)


def _of_structs(rows: Sequence[Sequence[Sequence[str | None]] | None], data_type: pa.DataType) -> pa.Array:
    """A list of structs of texts for each row, column by column, which is several times faster than row by row."""
    fields = list(data_type.value_type)
    flat = [entry for row in rows if row for entry in row]
    columns = zip(*flat, strict=True) if flat else [()] * len(fields)
    values = pa.StructArray.from_arrays([pa.array(column, pa.string()) for column in columns], fields=fields)
    offsets, end = [], 0
    for row in rows:
        offsets.append(end)
        end += len(row or ())
    missing = pa.array([row is None for row in rows], pa.bool_())
    bounds = pa.array([*offsets, end], pa.int32())
    return pa.ListArray.from_arrays(bounds, values, mask=missing).cast(data_type)


SOURCE = ConsequenceSource()
