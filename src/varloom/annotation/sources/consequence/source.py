"""The source `csq`: consequences of small variants in every transcript, with their names in HGVS."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.annotation.model import Annotated, VariantKind
from varloom.annotation.refs.genome import GENOME
from varloom.annotation.refs.mane import mane_transcripts
from varloom.annotation.source import Need
from varloom.annotation.sources.consequence.batch import Batch, Tools
from varloom.annotation.sources.consequence.columns import FIELDS, JOINT, NEIGHBOURS, NESTED, declared
from varloom.annotation.sources.consequence.csq_program import CsqProgram
from varloom.annotation.sources.consequence.gene_table import GeneTable, coding_stretches, tells_mane
from varloom.annotation.sources.consequence.genome import Genome
from varloom.annotation.sources.consequence.problems import CONSEQUENCE_DATA_UNUSABLE
from varloom.annotation.sources.consequence.reports import INTERGENIC_BLOCK
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.annotation.model import AnnotationColumn
    from varloom.annotation.source import InstalledRelease

GENES = Need("genes")
FASTA = Need("fasta")
MANE = Need("mane", required=False)


class ConsequenceSource:
    """Declares the columns `csq.*` and `mane.*`; see `varloom.annotation.source.AnnotationSource`."""

    name = "csq"
    title = "Consequences in transcripts"
    kind = VariantKind.SMALL
    needs = (GENES, FASTA, MANE)

    def columns(self, releases: Mapping[Need, InstalledRelease]) -> Sequence[AnnotationColumn]:
        """The columns that it adds with these releases: those of MANE Select only where a release tells it."""
        return declared(has_mane=MANE in releases or tells_mane(releases[GENES].folder))

    def stretches(self, releases: Mapping[Need, InstalledRelease]) -> pa.Table:
        """The coding parts of transcripts, from the first to the last: what changes one protein is answered together.

        Raises:
            VarloomError: `consequence_data_unusable`.
        """
        return coding_stretches(releases[GENES].folder)

    @contextmanager
    def open(self, releases: Mapping[Need, InstalledRelease], scratch: Path) -> Iterator[OpenConsequences]:
        """Get to work.

        Raises:
            VarloomError: `consequence_data_unusable`.
        """
        genes, fasta = _gene_table(releases), releases[FASTA].folder
        try:
            genome = Genome(fasta)
        except (OSError, ValueError) as error:
            message = f"The reference sequence cannot be read: {error}"
            raise VarloomError(CONSEQUENCE_DATA_UNUSABLE, message) from error
        with genome, CsqProgram(fasta / GENOME, scratch) as program:
            yield OpenConsequences(Tools(genes, genome, program, releases[GENES].key.assembly))


def _gene_table(releases: Mapping[Need, InstalledRelease]) -> GeneTable:
    mane = releases.get(MANE)
    return GeneTable(releases[GENES].folder, mane_transcripts(mane.folder) if mane else None)


class OpenConsequences:
    """The source at work."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        """The consequences of each variant alone, and of those that stand together in a codon or a frame.

        Batches may have the further columns of `varloom.annotation.model.PHASED_VARIANTS`. Variants of one transcript
        in different batches are not seen together: see `ConsequenceSource.stretches`.

        Raises:
            VarloomError: `consequence_failed`.
        """
        batch = Batch(variants, self._tools, on_step)
        batch.answer()
        return Annotated(self._columns(batch), tuple(batch.sites.set_aside))

    def _columns(self, batch: Batch) -> pa.RecordBatch:
        """The declared columns, one row for each of the batch; reports that rows share are made into values once."""
        has_mane = self._tools.genes.has_mane
        indices = pa.array(batch.numbers, mask=batch.numbers < 0)
        blocks: list[list[Sequence[str | None] | None]] = [
            [report.entries[0] if report.entries else INTERGENIC_BLOCK for report in batch.distinct]
        ]
        if has_mane:
            blocks.append([None if report.mane is None else report.entries[report.mane] for report in batch.distinct])
        arrays: list[pa.Array] = [
            pa.array([entry and entry[index] for entry in block], pa.string()).take(indices)
            for block in blocks
            for index in range(len(FIELDS))
        ]
        arrays.append(_of_structs([report.entries for report in batch.distinct], NESTED).take(indices))
        rows = range(len(batch.numbers))
        nothing = pa.nulls(len(rows), JOINT)
        arrays.append(_of_structs([batch.joint.get(row) for row in rows], JOINT) if batch.joint else nothing)
        arrays.append(pa.array(map(batch.neighbours.get, rows), NEIGHBOURS))
        return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in declared(has_mane=has_mane)])


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
