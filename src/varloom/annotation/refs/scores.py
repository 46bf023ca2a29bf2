"""The importers of kind `scores`: REVEL, CADD and AlphaMissense from their tables, SpliceAI from its VCF.

Where a publisher has several rows for a variant, one for each transcript or gene, the row with the highest score is
kept; how many were merged is in the release's counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.refs.columns_text import as_float, as_integer, missing_as_null, split_lines
from varloom.annotation.refs.site_import import SiteImport, Texts, columns_of
from varloom.annotation.refs.site_writer import Merge
from varloom.annotation.refs.vcf_sites import VcfShape, import_vcf

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from varloom.annotation.refs.importer import Imported, ImportTask
    from varloom.annotation.refs.vcf_sites import Alleles
    from varloom.genomics.assemblies import Assembly

_DELTAS = ("ds_ag", "ds_al", "ds_dg", "ds_dl")
_DISTANCES = ("dp_ag", "dp_al", "dp_dg", "dp_dl")


class TableShape(NamedTuple):
    """What is taken out of a table.

    Attributes:
        place: the names of the columns of contig, position, REF and ALT.
        columns: the names of the columns of the values.
        fields: the columns that are written.
        best_by: the one whose greatest value chooses between several rows of a variant.
        values: the written columns from the texts of `columns`.
        delimiter: between columns.
        assembly_column: whose text names the assembly, if there is one.
    """

    place: tuple[str, str, str, str]
    columns: tuple[str, ...]
    fields: tuple[pa.Field, ...]
    best_by: str
    values: Callable[[Mapping[str, pa.Array], Counter[str]], Sequence[pa.Array]]
    delimiter: str = "\t"
    assembly_column: str | None = None


def import_revel(task: ImportTask) -> Imported:
    """`revel_with_transcript_ids`, a CSV file with the positions of both assemblies."""
    return _import_table(task, _revel(task.key.assembly))


def import_cadd(task: ImportTask) -> Imported:
    """`whole_genome_SNVs.tsv.gz` and `gnomad...indel.tsv.gz`."""
    return _import_table(task, _CADD)


def import_alphamissense(task: ImportTask) -> Imported:
    """`AlphaMissense_hg38.tsv.gz` or `AlphaMissense_hg19.tsv.gz`."""
    return _import_table(task, _ALPHAMISSENSE)


def import_spliceai(task: ImportTask) -> Imported:
    """`spliceai_scores.raw.snv.hg38.vcf.gz` and its like: INFO SpliceAI, one entry for each allele and gene."""
    return import_vcf(task, _SPLICEAI_SHAPE)


def _import_table(task: ImportTask, shape: TableShape) -> Imported:
    wanted = (*shape.place, *shape.columns, *([shape.assembly_column] if shape.assembly_column else ()))
    with SiteImport(task, shape.fields, Merge(best_by=shape.best_by)) as work:
        for text in work.texts():
            line = text.next_line()
            while line is not None and line.startswith(b"#") and shape.place[0].encode() not in line:
                work.coordinates.check_words(line.decode("utf-8", "replace"))
                line = text.next_line()
            names = columns_of(line, text.path, wanted, shape.delimiter)
            for chunk in text.chunks():
                columns = split_lines(chunk, names, wanted, work.unused, shape.delimiter)
                if shape.assembly_column is not None and len(columns[shape.assembly_column]):
                    work.coordinates.check_words(columns[shape.assembly_column][0].as_py())
                place = [columns[name] for name in shape.place]
                work.records += len(place[0])
                work.add(Texts(place[0], place[1], place[2], place[3], shape.values(columns, work.unused)))
        return work.finish()


def _revel(assembly: Assembly) -> TableShape:
    position = "hg19_pos" if assembly == "GRCh37" else "grch38_pos"
    return TableShape(
        place=("chr", position, "ref", "alt"),
        columns=("REVEL",),
        fields=(pa.field("score", pa.float64()),),
        best_by="score",
        values=lambda columns, unused: (as_float(columns["REVEL"], "REVEL", unused),),
        delimiter=",",
    )


_CADD = TableShape(
    place=("#Chrom", "Pos", "Ref", "Alt"),
    columns=("RawScore", "PHRED"),
    fields=(pa.field("phred", pa.float64()), pa.field("raw", pa.float64())),
    best_by="phred",
    values=lambda columns, unused: (
        as_float(columns["PHRED"], "PHRED", unused),
        as_float(columns["RawScore"], "RawScore", unused),
    ),
)
_ALPHAMISSENSE = TableShape(
    place=("#CHROM", "POS", "REF", "ALT"),
    columns=("am_pathogenicity", "am_class", "protein_variant"),
    fields=(pa.field("score", pa.float64()), pa.field("class", pa.string()), pa.field("protein_variant", pa.string())),
    best_by="score",
    values=lambda columns, unused: (
        as_float(columns["am_pathogenicity"], "am_pathogenicity", unused),
        missing_as_null(columns["am_class"]),
        missing_as_null(columns["protein_variant"]),
    ),
    assembly_column="genome",
)


def _spliceai(alleles: Alleles) -> Sequence[pa.Array]:
    """The entry of this allele with the greatest delta score, of several genes."""
    rows = [_best_entry(text, alt) for text, alt in zip(*_texts_of(alleles), strict=True)]
    columns = [pa.array(texts, pa.string()) for texts in zip(*rows, strict=True)] if rows else []
    deltas = [as_float(column, "SpliceAI", alleles.unused) for column in columns[1:5]]
    greatest = pc.max_element_wise(*deltas)
    return (columns[0], greatest, *deltas, *(_signed(column, alleles.unused) for column in columns[5:9]))


def _texts_of(alleles: Alleles) -> tuple[list[str | None], list[str]]:
    return alleles.text("SpliceAI").to_pylist(), alleles.alt.to_pylist()


def _best_entry(text: str | None, alt: str) -> Sequence[str | None]:
    entries = [entry.split("|") for entry in (text or "").split(",")]
    own: list[list[str]] = [entry[1:10] for entry in entries if len(entry) >= 10 and entry[0] == alt]
    return max(own, key=lambda entry: max(map(_weight, entry[1:5]))) if own else [None] * 9


def _weight(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return -1.0


def _signed(texts: pa.StringArray, unused: Counter[str]) -> pa.Int64Array:
    """Whole numbers with a sign: how far a splice site is away."""
    number = as_integer(pc.ascii_ltrim(texts, characters="-"), "SpliceAI", unused)
    return pc.if_else(pc.starts_with(texts, "-"), pc.negate(number), number)


_SPLICEAI_SHAPE = VcfShape(
    fields=(
        pa.field("gene", pa.string()),
        pa.field("ds_max", pa.float64()),
        *(pa.field(name, pa.float64()) for name in _DELTAS),
        *(pa.field(name, pa.int64()) for name in _DISTANCES),
    ),
    merge=Merge(best_by="ds_max"),
    values=_spliceai,
)
