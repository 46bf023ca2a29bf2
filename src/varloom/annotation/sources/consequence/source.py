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
                self._answer(variants, sites.at(rows), numbers, code, found, on_step)
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
        near: list[Site],
        numbers: list[int],
        code: str,
        found: _Found,
        on_step: Callable[[], None],
    ) -> None:
        """Answer sites that share a genetic code."""
        self._genes.place(numbers)
        options = ("--genetic-code", code)
        said = self._call(near, numbers, (*options, "--local-csq"), on_step)
        on_step()
        reporter = Reporter(self._genes, self._genome)
        known: dict[int, int] = {}
        for index, (site, segments) in enumerate(zip(near, self._segments(near), strict=True)):
            if index % _ROWS_BETWEEN_STEPS == 0:
                on_step()
            words = said.get(site.row)
            if words is not None:
                report = reporter.report(site, words, segments)
            elif touched := self._reached(site):
                report = reporter.unsaid(site, touched)
            else:
                continue
            number = known.get(id(report))
            if number is None:
                number = known[id(report)] = len(found.distinct)
                found.distinct.append(report)
            found.numbers[site.row] = number
        answers = [(site, reporter.answers(said[site.row])) for site in near if site.row in said]
        found.neighbours.update(neighbours(answers, variants))
        found.joint.update(
            joint_effects(answers, variants, self._genes, lambda given: self._program.run(given, options, on_step))
        )

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

    def _call(
        self, sites: list[Site], numbers: list[int], options: Sequence[str], on_step: Callable[[], None]
    ) -> dict[int, str]:
        """What csq says of each site alone, by row."""
        if not sites:
            return {}
        records = [f"{site.contig}\t{site.position}\t{site.row}\t{site.ref}\t{site.alt}\t.\t.\t.\n" for site in sites]
        contigs = {site.contig: self._genome.length(site.contig) or 0 for site in sites}
        return self._program.run(CsqInput(self._genes.gff_of(numbers), records, contigs), options, on_step)

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
        arrays.append(_of_structs([found.joint.get(row) for row in rows], JOINT))
        arrays.append(pa.array([found.neighbours.get(row) for row in rows], NEIGHBOURS))
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
