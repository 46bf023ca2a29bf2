"""Writing the files of a release of genes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Self

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_ROWS = 50_000
"""The rows that are in memory as Arrow at a time."""


class GeneModelTables:
    """The three tables and the GFF3 for csq, written contig by contig; use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        from pysam import BGZFile

        files = ((GENES_FILE, GENES), (TRANSCRIPTS_FILE, TRANSCRIPTS), (EXONS_FILE, EXONS))
        self._writers = [pq.ParquetWriter(folder / name, schema, compression="zstd") for name, schema in files]
        self._gff = BGZFile(str(folder / CSQ_FILE), "wb", None)
        self._gff.write(b"##gff-version 3\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.close()
        self._gff.close()

    def add(self, genes: Sequence[tuple[Any, ...]], transcripts: Sequence[Transcript]) -> None:
        """Add a contig.

        Args:
            genes: rows of `GENES`, sorted by their place.
            transcripts: sorted by their place.
        """
        exons = sorted(itertools.chain.from_iterable(map(_exon_rows, transcripts)))
        rows = (genes, [transcript.row() for transcript in transcripts], exons)
        for writer, members in zip(self._writers, rows, strict=True):
            for start in range(0, len(members), _ROWS):
                _write(writer, members[start : start + _ROWS])
        for block in _csq_blocks(transcripts):
            self._gff.write(block.encode())


def _write(writer: pq.ParquetWriter, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, writer.schema, strict=True)]
    writer.write_table(pa.Table.from_arrays(arrays, schema=writer.schema))


def _exon_rows(transcript: Transcript) -> Iterator[tuple[Any, ...]]:
    number = len(transcript.exons)
    for index, (start, end) in enumerate(transcript.exons):
        rank = index + 1 if transcript.strand > 0 else number - index
        coding = any(first <= end and start <= last for first, last in transcript.cds)
        yield transcript.contig, start, end, transcript.gene_id, transcript.transcript_id, rank, coding


def _csq_blocks(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """The transcripts of a contig, those of each gene behind its line, in the order of the first ones."""
    by_gene: dict[str, list[Transcript]] = {}
    for transcript in transcripts:
        by_gene.setdefault(transcript.gene_id, []).append(transcript)
    for gene_id, members in by_gene.items():
        name = _escaped(members[0].gene_name or gene_id)
        yield gene_line(members, _escaped(gene_id), name)
        for each in members:
            yield csq_lines(each, _escaped(each.transcript_id), _escaped(gene_id))


def _escaped(text: str) -> str:
    """A name that GFF3, and the fields that csq writes, can hold."""
    return "".join(f"%{ord(char):02X}" if char in ";=&,|\t%" else char for char in text)
