"""Genes and their exons: what of them a variant hits, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.sources.structural.intervals import APART, IntervalIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

EXON, INTRON, PROMOTER = "exon", "intron", "promoter"
WHOLE, PARTIAL, OUTSIDE = "whole", "partial", "outside"


class Places(NamedTuple):
    """Intervals and junctions of variants, to be held against genes; an entry each, rows in ascending order.

    Attributes:
        rows: of the batch.
        contigs: by their numbers in the gene model; -1 is a contig without genes.
        starts: first base; of a junction the base before it.
        ends: last base; of a junction the base behind it.
        spans: whether the entry is an interval; else it is a junction, which hits what has bases on both sides of it.
    """

    rows: Numbers
    contigs: Numbers
    starts: Numbers
    ends: Numbers
    spans: Flags


class GeneHits(NamedTuple):
    """Pairs of a row and a gene, sorted by both; each pair stands once.

    Attributes:
        rows: of the batch.
        genes: by their numbers in the gene model.
        wholes: whether all of the gene lies within the variant's interval.
        promoters: whether the promoter alone is hit.
        exons: how many different exons are hit.
        junctions: how many junctions lie within the gene.
    """

    rows: Numbers
    genes: Numbers
    wholes: Flags
    promoters: Flags
    exons: Numbers
    junctions: Numbers

    @property
    def bodies(self) -> Flags:
        """Which pairs are of the gene itself."""
        return ~self.promoters

    def of(self, chosen: Flags | Numbers) -> GeneHits:
        """Some of the pairs, by flags or in an order."""
        return GeneHits(
            self.rows[chosen],
            self.genes[chosen],
            self.wholes[chosen],
            self.promoters[chosen],
            self.exons[chosen],
            self.junctions[chosen],
        )


class GeneModel:
    """The genes of a release, in memory.

    Attributes:
        contigs: numbers of the contigs that have genes, by bare name.
        names: of each gene; its identifier where it has no name.
        ids: the identifiers.
        biotypes: as the release gives them.
        coding: which genes make a protein.
        functional: which are no pseudogenes.
        exon_counts: how many different exons each gene has.
    """

    def __init__(self, genes: pa.Table, exons: pa.Table, promoter_bases: int) -> None:
        contigs = genes["contig"].to_pylist()
        self.contigs: dict[str, int] = {name: number for number, name in enumerate(dict.fromkeys(contigs))}
        self.contig = np.array([self.contigs[name] for name in contigs], np.int64)
        self.starts, self.ends = _numbers(genes["start"]), _numbers(genes["end"])
        self.strands = _numbers(genes["strand"])
        self.ids: pa.Array = genes["gene_id"].combine_chunks()
        self._keys = pc.binary_join_element_wise(genes["contig"], genes["gene_id"], "\t").combine_chunks()
        self.names: pa.Array = pc.coalesce(genes["gene_name"], genes["gene_id"]).combine_chunks()
        self.biotypes: pa.Array = genes["biotype"].combine_chunks()
        biotypes = pc.fill_null(self.biotypes, "")
        self.coding: Flags = pc.equal(biotypes, "protein_coding").to_numpy(zero_copy_only=False)
        self.functional: Flags = ~pc.match_substring(biotypes, "pseudogene").to_numpy(zero_copy_only=False)
        self._bodies = IntervalIndex(self.contig, self.starts, self.ends)
        self._promoters = IntervalIndex(self.contig, *self._promoter_ends(promoter_bases))
        self._set_exons(exons)

    @classmethod
    def load(cls, folder: Path, promoter_bases: int) -> Self:
        """The genes of a release of the kind `genes`."""
        genes = pq.read_table(folder / "genes.parquet")
        exons = pq.read_table(folder / "exons.parquet", columns=["contig", "start", "end", "gene_id"])
        return cls(genes, exons, promoter_bases)

    def numbers_by_name(self) -> Mapping[str, Sequence[int]]:
        """The genes that have a name; the same name can stand on X and on Y."""
        found: dict[str, list[int]] = {}
        for number, name in enumerate(self.names.to_pylist()):
            found.setdefault(name, []).append(number)
        return found

    def hits(self, places: Places, on_step: Callable[[], None] = lambda: None) -> GeneHits:
        """The genes and promoters that are hit."""
        entries, genes = self._within(self._bodies, places, self.starts, self.ends, on_step)
        bodies = self._body_hits(places, entries, genes)
        entries, genes = self._within(self._promoters, places, *self._promoter_places, on_step)
        rows, genes = _unique_pairs(places.rows[entries], genes, len(self.starts))
        new = ~np.isin(_keys(rows, genes, len(self.starts)), _keys(bodies.rows, bodies.genes, len(self.starts)))
        return _merged(bodies, rows[new], genes[new])

    def _within(
        self, index: IntervalIndex, places: Places, starts: Numbers, ends: Numbers, on_step: Callable[[], None]
    ) -> tuple[Numbers, Numbers]:
        """The pairs of an entry and a gene that count: a junction has to lie within."""
        known = np.flatnonzero(places.contigs >= 0)
        queries, genes = index.overlaps(places.contigs[known], places.starts[known], places.ends[known], on_step)
        entries = known[queries]
        inside = (starts[genes] <= places.starts[entries]) & (places.ends[entries] <= ends[genes])
        kept = places.spans[entries] | inside
        return entries[kept], genes[kept]

    def _body_hits(self, places: Places, entries: Numbers, genes: Numbers) -> GeneHits:
        starts, ends, spans = places.starts[entries], places.ends[entries], places.spans[entries]
        wholes = spans & (starts <= self.starts[genes]) & (self.ends[genes] <= ends)
        exons = np.where(wholes, self.exon_counts[genes], self._exons_hit(genes, starts, ends, spans))
        first_cut = (self.starts[genes] <= starts - 1) & (starts <= self.ends[genes])
        last_cut = (self.starts[genes] <= ends) & (ends + 1 <= self.ends[genes])
        junctions = np.where(spans, first_cut.astype(np.int64) + last_cut, 1)
        rows = places.rows[entries]
        keys = _keys(rows, genes, len(self.starts))
        order = np.argsort(keys, kind="stable")
        _, first = np.unique(keys[order], return_index=True)
        if not len(first):
            return GeneHits(rows, genes, wholes, np.zeros(0, bool), exons, junctions)
        return GeneHits(
            rows[order][first],
            genes[order][first],
            np.logical_or.reduceat(wholes[order], first),
            np.zeros(len(first), bool),
            np.maximum.reduceat(exons[order], first),
            np.add.reduceat(junctions[order], first),
        )

    # --- exons --------------------------------------------------------------------------------------------------------

    def _set_exons(self, exons: pa.Table) -> None:
        """The different exons of each gene, on one axis on which the genes lie apart."""
        keys = pc.binary_join_element_wise(exons["contig"], exons["gene_id"], "\t")
        found = _numbers(pc.fill_null(pc.index_in(keys, value_set=self._keys), -1))
        known = found >= 0
        genes, starts, ends = found[known], _numbers(exons["start"])[known], _numbers(exons["end"])[known]
        order = np.lexsort((ends, starts, genes))
        genes, starts, ends = genes[order], starts[order], ends[order]
        new = np.ones(len(genes), bool)
        new[1:] = (np.diff(genes) != 0) | (np.diff(starts) != 0) | (np.diff(ends) != 0)
        genes = genes[new]
        self.exon_counts: Numbers = np.bincount(genes, minlength=len(self.starts)).astype(np.int64)
        self._exon_starts = genes * APART + starts[new]
        self._exon_ends = np.sort(genes * APART + ends[new])

    def _exons_hit(self, genes: Numbers, starts: Numbers, ends: Numbers, spans: Flags) -> Numbers:
        """How many exons begin before the end, less those that end before the start."""
        begun = np.searchsorted(self._exon_starts, genes * APART + np.where(spans, ends, starts), "right")
        ended = np.searchsorted(self._exon_ends, genes * APART + starts, "left")
        ended_at = np.searchsorted(self._exon_ends, genes * APART + starts, "right")
        return begun - np.where(spans, ended, ended_at)

    # --- promoters ----------------------------------------------------------------------------------------------------

    def _promoter_ends(self, bases: int) -> tuple[Numbers, Numbers]:
        """Upstream of the gene; of a gene of unknown strand there is none."""
        starts = np.where(self.strands < 0, self.ends + 1, np.maximum(self.starts - bases, 1))
        ends = np.where(self.strands < 0, self.ends + bases, self.starts - 1)
        none = (self.strands == 0) | (ends < starts)
        starts, ends = np.where(none, -2, starts), np.where(none, -2, ends)
        self._promoter_places = (starts, ends)
        return starts, ends


def _numbers(column: Any) -> Numbers:
    numbers: Numbers = column.to_numpy().astype(np.int64)
    return numbers


def _keys(rows: Numbers, genes: Numbers, count: int) -> Numbers:
    return rows * max(count, 1) + genes


def _unique_pairs(rows: Numbers, genes: Numbers, count: int) -> tuple[Numbers, Numbers]:
    keys = np.unique(_keys(rows, genes, count))
    return keys // max(count, 1), keys % max(count, 1)


def _merged(bodies: GeneHits, rows: Numbers, genes: Numbers) -> GeneHits:
    """The hits of genes and those of promoters alone, in their order."""
    nothing, none = np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
    promoters = GeneHits(rows, genes, none, ~none, nothing, nothing)
    columns: list[Any] = [np.concatenate(pair) for pair in zip(bodies, promoters, strict=True)]
    both = GeneHits(*columns)
    return both.of(np.lexsort((both.genes, both.rows)))
