"""Writing the files of a release of genes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.annotation.refs.transcript_model import (
    CSQ_FILE,
    EXONS,
    EXONS_FILE,
    GENES,
    GENES_FILE,
    TRANSCRIPTS,
    TRANSCRIPTS_FILE,
    Transcript,
    csq_lines,
    gene_line,
)
from varloom.genomics.contigs import contig_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask

_ROWS = 50_000
"""The rows that are in memory as Arrow at a time."""


def write_tables(task: ImportTask, transcripts: Sequence[Transcript], genes: Iterable[tuple[Any, ...]]) -> None:
    """Write the three tables and the GFF3 for csq into the folder of the release.

    Args:
        task: whose folder is filled.
        transcripts: sorted by contig and start.
        genes: rows of `GENES`, sorted likewise.
    """
    size = task.sources[0].stat().st_size
    _write(task.folder / GENES_FILE, GENES, genes)
    _write(task.folder / TRANSCRIPTS_FILE, TRANSCRIPTS, (transcript.row() for transcript in transcripts))
    task.on_progress(size, size)
    exons = sorted(
        itertools.chain.from_iterable(map(_exon_rows, transcripts)),
        key=lambda row: (contig_order(row[0]), row[1], row[2]),
    )
    _write(task.folder / EXONS_FILE, EXONS, exons)
    task.on_progress(size, size)
    from pysam import BGZFile

    with BGZFile(str(task.folder / CSQ_FILE), "wb", None) as out:
        out.write(b"##gff-version 3\n")
        for block in _csq_blocks(transcripts):
            out.write(block.encode())


def _write(path: Path, schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> None:
    rows = iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(itertools.islice(rows, _ROWS)):
            columns = zip(*chunk, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _exon_rows(transcript: Transcript) -> Iterator[tuple[Any, ...]]:
    number = len(transcript.exons)
    for index, (start, end) in enumerate(transcript.exons):
        rank = index + 1 if transcript.strand > 0 else number - index
        coding = any(first <= end and start <= last for first, last in transcript.cds)
        yield transcript.contig, start, end, transcript.gene_id, transcript.transcript_id, rank, coding


def _csq_blocks(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """The transcripts of each gene behind its line, in the order of the first ones."""
    by_gene: dict[tuple[str, str], list[Transcript]] = {}
    for transcript in transcripts:
        by_gene.setdefault((transcript.contig, transcript.gene_id), []).append(transcript)
    for (_, gene_id), members in by_gene.items():
        name = _escaped(members[0].gene_name or gene_id)
        yield gene_line(members, _escaped(gene_id), name)
        for each in members:
            yield csq_lines(each, _escaped(each.transcript_id), _escaped(gene_id))


def _escaped(text: str) -> str:
    """A name that GFF3, and the fields that csq writes, can hold."""
    return "".join(f"%{ord(char):02X}" if char in ";=&,|\t%" else char for char in text)
