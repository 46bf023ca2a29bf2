"""The source `csq`: consequences of small variants in every transcript, with their names in HGVS."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from varloom.annotation.model import Annotated, VariantKind
from varloom.annotation.refs.mane import mane_transcripts
from varloom.annotation.source import Need
from varloom.annotation.sources.consequence.columns import (
    BLOCKS,
    FIELDS,
    JOINT,
    NEIGHBOURS,
    NESTED,
    declared,
)
from varloom.annotation.sources.consequence.csq_program import CsqInput, run_csq
from varloom.annotation.sources.consequence.gene_table import GeneTable
from varloom.annotation.sources.consequence.genome import GENOME_FILE, Genome
from varloom.annotation.sources.consequence.joint import joint_effects, neighbours
from varloom.annotation.sources.consequence.placed_transcript import MITOCHONDRION
from varloom.annotation.sources.consequence.problems import CONSEQUENCE_DATA_UNUSABLE
from varloom.annotation.sources.consequence.reports import INTERGENIC, INTERGENIC_BLOCK, Report, Reporter
from varloom.annotation.sources.consequence.sites import Site, sites_of
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.annotation.model import AnnotationColumn
    from varloom.annotation.source import InstalledRelease
    from varloom.annotation.sources.consequence.joint import Joint
    from varloom.genomics.assemblies import Assembly

GENES = Need("genes")
FASTA = Need("fasta")
MANE = Need("mane", required=False)

_CODES = {False: "0", True: "2"}
"""Of csq's genetic codes, the standard one with ATG as its only start, and that of the mitochondrion of vertebrates."""
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
        with genome:
            yield OpenConsequences(genes, genome, fasta, releases[GENES].key.assembly, scratch)


def _gene_table(releases: Mapping[Need, InstalledRelease]) -> GeneTable:
    mane = releases.get(MANE)
    return GeneTable(releases[GENES].folder, *(mane_transcripts(mane.folder) if mane else (frozenset(), frozenset())))


class _Found(NamedTuple):
    """What was found for the rows of a batch, by row; other rows stay missing."""

    reports: dict[int, Report]
    joint: dict[int, list[Joint]]
    neighbours: dict[int, list[str]]


class OpenConsequences:
    """The source at work."""

    def __init__(self, genes: GeneTable, genome: Genome, fasta: Path, assembly: Assembly, scratch: Path) -> None:
        self._genes = genes
        self._genome = genome
        self._fasta = fasta
        self._assembly = assembly
        self._scratch = scratch

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        """The consequences of each variant alone, and of those that stand together in a codon or a frame.

        Batches may have the further columns of `varloom.annotation.model.PHASED_VARIANTS`. Variants of one transcript
        in different batches are not seen together.

        Raises:
            VarloomError: `consequence_failed`.
        """
        sites = sites_of(variants, self._assembly, self._genome)
        found = _Found({}, {}, {})
        for mitochondrial in (False, True):
            chosen = [site for site in sites.answerable if (site.contig == MITOCHONDRION) == mitochondrial]
            if chosen:
                self._answer(variants, chosen, _CODES[mitochondrial], found, on_step)
        return Annotated(self._columns(variants.num_rows, found), tuple(sites.set_aside))

    def _answer(
        self, variants: pa.RecordBatch, sites: list[Site], code: str, found: _Found, on_step: Callable[[], None]
    ) -> None:
        """Answer sites that share a genetic code."""
        near, segments, numbers = self._placed(sites)
        self._genes.place(numbers)
        options = ("--genetic-code", code)
        said = self._call(near, numbers, (*options, "--local-csq"), on_step)
        on_step()
        reporter = Reporter(self._genes, self._genome)
        for site in sites:
            found.reports[site.row] = INTERGENIC
        for index, site in enumerate(near):
            if index % _ROWS_BETWEEN_STEPS == 0:
                on_step()
            words = said.get(site.row)
            if words is None:
                touched = self._reached(site)
                report = reporter.unsaid(site, touched) if touched else INTERGENIC
            else:
                report = reporter.report(site, words, segments[index])
            found.reports[site.row] = report
        answers = [(site, reporter.answers(said[site.row])) for site in near if site.row in said]
        found.neighbours.update(neighbours(answers, variants))
        found.joint.update(
            joint_effects(answers, variants, self._genes, lambda given: self._run(given, options, on_step))
        )

    def _placed(self, sites: list[Site]) -> tuple[list[Site], list[tuple[int, int]], list[int]]:
        """The sites near to transcripts, the segments of their ends, and the numbers of those transcripts."""
        near: list[Site] = []
        segments: list[tuple[int, int]] = []
        numbers: list[int] = []
        for contig in dict.fromkeys(site.contig for site in sites):
            if contig not in self._genes:
                continue
            here = [site for site in sites if site.contig == contig]
            starts = np.array([min(site.position, site.change.start) for site in here], np.int64)
            ends = np.array([site.position + max(len(site.ref), 1) for site in here], np.int64)
            kept = np.flatnonzero(self._genes.near(contig, starts, ends))
            here = [here[index] for index in kept]
            near += here
            firsts = np.array([min(site.change.start, site.change.end) for site in here], np.int64)
            lasts = np.array([max(site.change.start, site.change.end) for site in here], np.int64)
            ends_of = (self._genes.segments(contig, firsts).tolist(), self._genes.segments(contig, lasts).tolist())
            segments += zip(*ends_of, strict=True)
            numbers += self._genes.touched(contig, starts[kept], ends[kept]).tolist()
        return near, segments, numbers

    def _call(
        self, sites: list[Site], numbers: list[int], options: Sequence[str], on_step: Callable[[], None]
    ) -> dict[int, str]:
        """What csq says of each site alone, by row."""
        if not sites:
            return {}
        records = [f"{site.contig}\t{site.position}\t{site.row}\t{site.ref}\t{site.alt}\t.\t.\t.\n" for site in sites]
        contigs = {site.contig: self._genome.length(site.contig) or 0 for site in sites}
        return self._run(CsqInput(self._genes.gff_of(numbers), records, contigs), options, on_step)

    def _run(self, given: CsqInput, options: Sequence[str], on_step: Callable[[], None]) -> dict[int, str]:
        return run_csq(given, self._fasta, options, self._scratch, on_step)

    def _reached(self, site: Site) -> list[int]:
        """The transcripts into which a change reaches."""
        start, end = site.change.start, site.change.end
        ranges = np.array([min(start, end)], np.int64), np.array([max(start, end)], np.int64)
        numbers = self._genes.touched(site.contig, *ranges).tolist()
        models = ((number, self._genes.placed(number).model) for number in numbers)
        # an insertion at the very edge, whose end is before its start, is outside
        return [number for number, model in models if model.start <= end and start <= model.end]

    def _columns(self, rows: int, found: _Found) -> pa.RecordBatch:
        """The declared columns, one row for each of the batch."""
        reports = [found.reports.get(row) for row in range(rows)]
        arrays: list[pa.Array] = []
        blocks = [[_worst(report) for report in reports], [_mane(report) for report in reports]]
        for block in blocks[: len(BLOCKS) if self._genes.has_mane else 1]:
            arrays += (pa.array([entry and entry[index] for entry in block], pa.string()) for index in range(len(FIELDS)))
        arrays.append(_nested(reports))
        arrays.append(_of_structs([found.joint.get(row) for row in range(rows)], JOINT))
        arrays.append(pa.array([found.neighbours.get(row) for row in range(rows)], NEIGHBOURS))
        names = [column.name for column in declared(has_mane=self._genes.has_mane)]
        return pa.RecordBatch.from_arrays(arrays, names=names)


def _worst(report: Report | None) -> Sequence[str | None] | None:
    if report is None:
        return None
    return report.entries[0] if report.entries else INTERGENIC_BLOCK


def _mane(report: Report | None) -> Sequence[str | None] | None:
    return None if report is None or report.mane is None else report.entries[report.mane]


def _nested(reports: Sequence[Report | None]) -> pa.Array:
    """`csq.all`: a report that many rows share is made once."""
    numbers: dict[int, int] = {}
    distinct: list[Sequence[Sequence[str | None]]] = []
    indices: list[int | None] = []
    for report in reports:
        if report is None:
            indices.append(None)
            continue
        number = numbers.get(id(report))
        if number is None:
            number = numbers[id(report)] = len(distinct)
            distinct.append(report.entries)
        indices.append(number)
    return _of_structs(distinct, NESTED).take(pa.array(indices, pa.int32()))


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
