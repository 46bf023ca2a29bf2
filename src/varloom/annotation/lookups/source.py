"""The annotation source that looks variants up in a release of sites; `sources/` declares several."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.lookups.normalising import normalise
from varloom.annotation.lookups.site_table import SITES, SiteTable
from varloom.annotation.model import Annotated, AnnotationColumn, VariantKind
from varloom.annotation.refs.genome import Genome
from varloom.annotation.source import Need
from varloom.genomics.contigs import bare_name
from varloom.genomics.par import on_x

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.annotation.lookups.normalising import Normalised
    from varloom.annotation.lookups.site_table import Found
    from varloom.annotation.source import InstalledRelease
    from varloom.genomics.assemblies import Assembly

GENOME_NEED = Need("fasta", required=False)


@dataclass(frozen=True, slots=True)
class LookupSource:
    """A source whose columns are those of a release's sites, behind `NAME.found`.

    Attributes:
        name: of the source and of its release.
        title: for people.
        need: its release.
        fields: the columns of the sites: their names there, types and descriptions.
    """

    name: str
    title: str
    need: Need
    fields: tuple[AnnotationColumn, ...]

    @property
    def kind(self) -> VariantKind:
        """Small variants."""
        return VariantKind.SMALL

    @property
    def needs(self) -> tuple[Need, ...]:
        """Its release, and the genome, without which indels are not left-aligned."""
        return (self.need, GENOME_NEED)

    def columns(self, releases: Mapping[Need, InstalledRelease]) -> Sequence[AnnotationColumn]:  # noqa: ARG002
        """See `AnnotationSource.columns`: always the same."""
        told = (
            f"Whether {self.title} has this allele. Missing where it could not be looked up: an allele that is no "
            f"sequence, or a contig that the release does not have."
        )
        found = AnnotationColumn(f"{self.name}.found", pa.bool_(), told)
        return (found, *(field._replace(name=f"{self.name}.{field.name}") for field in self.fields))

    def stretches(self, releases: Mapping[Need, InstalledRelease]) -> None:
        """See `AnnotationSource.stretches`: each variant is answered by itself."""

    @contextlib.contextmanager
    def open(self, releases: Mapping[Need, InstalledRelease], scratch: Path) -> Iterator[OpenLookup]:  # noqa: ARG002
        """See `AnnotationSource.open`."""
        release = releases[self.need]
        genome = releases.get(GENOME_NEED)
        with contextlib.ExitStack() as stack:
            table = stack.enter_context(SiteTable(release.folder / SITES, [field.name for field in self.fields]))
            opened = stack.enter_context(Genome(genome.folder)) if genome is not None else None
            schema = pa.schema([(column.name, column.type) for column in self.columns(releases)])
            yield OpenLookup(table, opened, release.key.assembly, schema)


class OpenLookup:
    """Looks up batches; see `OpenSource`."""

    def __init__(self, table: SiteTable, genome: Genome | None, assembly: Assembly, schema: pa.Schema) -> None:
        self._table = table
        self._genome = genome
        self._assembly = assembly
        self._schema = schema

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        """See `OpenSource.annotate`. Nothing is ever set aside: what cannot be looked up has no `found`."""
        contigs = pc.dictionary_encode(variants["contig"])
        indices = contigs.indices.to_numpy()
        pieces, rows = [], []
        for number, name in enumerate(contigs.dictionary.to_pylist()):
            mine = np.flatnonzero(indices == number)
            part = variants if len(mine) == variants.num_rows else variants.take(pa.array(mine))
            pieces.append(self._of_contig(bare_name(name, self._assembly), part))
            rows.append(mine)
            on_step()
        if not pieces:
            return Annotated(pa.RecordBatch.from_pylist([], schema=self._schema))
        table = pa.concat_tables(pieces)
        if len(pieces) > 1:
            table = table.take(pa.array(np.argsort(np.concatenate(rows), kind="stable")))
        return Annotated(_one_batch(table, self._schema))

    def _of_contig(self, contig: str, part: pa.RecordBatch) -> pa.Table:
        """The columns for variants of one contig."""
        position = part["position"].to_numpy()
        sites = normalise(contig, position, part["ref"], part["alt"], self._genome)
        found = self._table.find(contig, sites)
        if contig == "Y":
            found = self._also_on_x(sites, found)
        known = self._table.holds(contig) or (contig == "Y" and self._table.holds("X"))
        missing = ~sites.usable if known else np.ones(len(position), dtype=bool)
        flag = pa.array(found.found, mask=missing)
        return pa.Table.from_arrays([flag, *found.values.columns], schema=self._schema)

    def _also_on_x(self, sites: Normalised, found: Found) -> Found:
        """Publishers write the pseudoautosomal regions as those of X: what Y does not have is looked for there."""
        position = on_x(sites.position, self._assembly)
        rows = np.flatnonzero((position > 0) & ~found.found & sites.usable)
        if not rows.size:
            return found
        taken = pa.array(rows)
        there = self._table.find(
            "X",
            sites._replace(
                position=position[rows], ref=sites.ref.take(taken), alt=sites.alt.take(taken), usable=sites.usable[rows]
            ),
        )
        at = np.arange(len(position))
        at[rows[there.found]] = len(position) + np.flatnonzero(there.found)
        values = pa.concat_tables([found.values, there.values]).take(pa.array(at))
        both = found.found.copy()
        both[rows] |= there.found
        return found._replace(values=values, found=both)


def _one_batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0].cast(schema) if batches else pa.RecordBatch.from_pylist([], schema=schema)
