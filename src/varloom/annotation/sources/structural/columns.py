"""The columns of the source, by what they need, and how their values are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from varloom.annotation.model import AnnotationColumn
from varloom.annotation.sources.structural.genes import EXON, INTRON, OUTSIDE, PARTIAL, PROMOTER, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from varloom.annotation.sources.structural.genes import GeneHits, GeneModel

    Flags = npt.NDArray[np.bool_]

_TEXTS = pa.list_(pa.field("element", pa.string()))


def _structs(*names: str) -> pa.DataType:
    return pa.list_(pa.field("element", pa.struct([pa.field(name, pa.string()) for name in names])))


GENE_ENTRIES = _structs("gene", "gene_id", "biotype", "extent", "part", "exons", "junctions", "hi_score", "ts_score")
DOSAGE_ENTRIES = _structs("name", "id", "kind", "extent", "hi_score", "ts_score")
EVIDENCE_ENTRIES = _structs("criterion", "points", "reason")

EVENT_COLUMNS = (
    AnnotationColumn(
        "sv.type", pa.string(), "DEL, DUP, INV, INS, BND (breakend), CNV or TRA (breakend on two contigs)."
    ),
    AnnotationColumn(
        "sv.start", pa.int64(), "First base that it takes up; of insertions and breakends the base before."
    ),
    AnnotationColumn("sv.end", pa.int64(), "Last base that it takes up, inclusive."),
    AnnotationColumn("sv.length", pa.int64(), "Bases lost, repeated, turned round or put in; missing if not known."),
    AnnotationColumn(
        "sv.imprecision", pa.int64(), "Bases by which its ends are uncertain; missing if the file is silent."
    ),
    AnnotationColumn(
        "sv.mate", pa.string(), "To what a breakend is joined, as CONTIG:POSITION; missing for other types."
    ),
    AnnotationColumn("sv.notes", _TEXTS, "What the record contradicts itself in, and which of it counts."),
)
GENE_COLUMNS = (
    AnnotationColumn("sv.genes", _TEXTS, "The genes that it hits, by their order on the genome; empty if none."),
    AnnotationColumn(
        "sv.gene_entries",
        GENE_ENTRIES,
        "One entry for each gene, or promoter alone, that it hits: whole or partial, the part, exons hit of all.",
    ),
    AnnotationColumn("sv.gene_count", pa.int32(), "How many genes it hits; promoters alone do not count."),
    AnnotationColumn("sv.coding_gene_count", pa.int32(), "How many protein-coding genes it hits."),
    AnnotationColumn("sv.exons", pa.int32(), "How many exons it hits, those of all genes together."),
    AnnotationColumn("sv.promoters", _TEXTS, "The genes of which it hits the promoter alone."),
    AnnotationColumn("sv.disrupted", _TEXTS, "The genes within which it begins, ends or is joined."),
)
POPULATION_COLUMNS = (
    AnnotationColumn(
        "sv.population_found", pa.bool_(), "Whether the population has one like it; missing if unsearchable."
    ),
    AnnotationColumn("sv.population_af", pa.float64(), "Allele frequency of the best match in the population, 0 to 1."),
    AnnotationColumn("sv.population_af_popmax", pa.float64(), "The highest of that match's frequencies in any group."),
    AnnotationColumn("sv.population_id", pa.string(), "The best match, as the population calls it."),
    AnnotationColumn(
        "sv.population_overlap", pa.float64(), "Its reciprocal overlap, 0 to 1; of insertions that of lengths."
    ),
)
DOSAGE_COLUMNS = (
    AnnotationColumn("sv.hi_score", pa.int32(), "The highest haploinsufficiency score, 0 to 3, of what it overlaps."),
    AnnotationColumn("sv.ts_score", pa.int32(), "The highest triplosensitivity score, 0 to 3, of what it overlaps."),
    AnnotationColumn("sv.dosage", DOSAGE_ENTRIES, "The curated genes and regions that it overlaps, with both scores."),
)
SCORE_COLUMNS = (
    AnnotationColumn(
        "sv.change", pa.string(), "loss or gain of copies; missing for neither, or where it is not known."
    ),
    AnnotationColumn(
        "sv.class", pa.string(), "Class by the points of ACMG and ClinGen (2019) that could be told here."
    ),
    AnnotationColumn("sv.points", pa.float64(), "Sum of the points; missing for what is neither loss nor gain."),
    AnnotationColumn("sv.evidence", EVIDENCE_ENTRIES, "The criteria that apply, each with its points and the reason."),
    AnnotationColumn("sv.not_evaluated", _TEXTS, "The criteria that could not be told, each with the reason."),
)


def lists(values: pa.Array, counts: Any, missing: Flags) -> pa.Array:
    """A list column from the values of all rows and how many each row has; missing rows have none."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    kind = pa.list_(pa.field("element", values.type))
    return pa.ListArray.from_arrays(offsets, values, type=kind, mask=pa.array(missing))


def text_lists(rows: Sequence[Sequence[str] | None]) -> pa.Array:
    """A column of lists of texts."""
    return pa.array(rows, _TEXTS)


def entry_lists(kind: pa.DataType, rows: Iterable[Sequence[Sequence[str | None]] | None]) -> pa.Array:
    """A column of lists of structs of texts; each entry has the values of its fields in their order."""
    counts, missing = [], []
    entries: list[Sequence[str | None]] = []
    for row in rows:
        counts.append(len(row or ()))
        missing.append(row is None)
        entries += row or ()
    fields = list(kind.value_type)
    columns = zip(*entries, strict=True) if entries else [[] for _ in fields]
    arrays = [pa.array(list(column), pa.string()) for column in columns]
    return lists(pa.StructArray.from_arrays(arrays, fields=fields), counts, np.array(missing, bool))


def gene_columns(
    model: GeneModel, hits: GeneHits, scores: dict[int, tuple[int | None, int | None]], missing: Flags
) -> list[pa.Array]:
    """The values of `GENE_COLUMNS`."""
    rows = len(missing)
    bodies, promoters = hits.of(hits.bodies), hits.of(hits.promoters)
    cut = hits.of(hits.bodies & (hits.junctions > 0))
    coding = bodies.of(model.coding[bodies.genes])
    none = pa.array(missing)
    return [
        _name_lists(model, bodies, missing),
        lists(_entries(model, hits, scores), np.bincount(hits.rows, minlength=rows), missing),
        _counts(np.bincount(bodies.rows, minlength=rows), none),
        _counts(np.bincount(coding.rows, minlength=rows), none),
        _counts(np.bincount(bodies.rows, weights=bodies.exons, minlength=rows).astype(np.int64), none),
        _name_lists(model, promoters, missing),
        _name_lists(model, cut, missing),
    ]


def _entries(model: GeneModel, hits: GeneHits, scores: dict[int, tuple[int | None, int | None]]) -> pa.Array:
    genes = pa.array(hits.genes)
    extents = np.where(hits.promoters, OUTSIDE, np.where(hits.wholes, WHOLE, PARTIAL))
    parts = np.where(hits.promoters, PROMOTER, np.where(hits.exons > 0, EXON, INTRON))
    exons = [f"{some}/{of}" for some, of in zip(hits.exons, model.exon_counts[hits.genes], strict=True)]
    found = [scores.get(gene, (None, None)) for gene in hits.genes.tolist()] if scores else [(None, None)] * len(genes)
    arrays = [
        model.names.take(genes),
        model.ids.take(genes),
        model.biotypes.take(genes),
        pa.array(extents.tolist(), pa.string()),
        pa.array(parts.tolist(), pa.string()),
        pa.array(exons, pa.string()),
        pa.array(hits.junctions).cast(pa.string()),
        pa.array([each[0] for each in found], pa.int64()).cast(pa.string()),
        pa.array([each[1] for each in found], pa.int64()).cast(pa.string()),
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(GENE_ENTRIES.value_type))


def _name_lists(model: GeneModel, hits: GeneHits, missing: Flags) -> pa.Array:
    return lists(model.names.take(pa.array(hits.genes)), np.bincount(hits.rows, minlength=len(missing)), missing)


def _counts(numbers: Any, missing: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.if_else(missing, pa.scalar(None, pa.int32()), pa.array(numbers, pa.int32()))
