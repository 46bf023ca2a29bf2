"""Chunks that the kernel parsed, and the lines it left alone, put together in the order of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.errors import Place, safe_excerpt
from varloom.reader.native.buffers import counting
from varloom.reader.problems import TEXT_NOT_UTF8, FileRefused
from varloom.reader.vcf.consequences import Consequences
from varloom.reader.vcf.control_characters import CONTROL, note_control_character
from varloom.reader.vcf.findings import Findings
from varloom.reader.vcf.kernel_table import KernelTable
from varloom.reader.vcf.record_parser import RecordParser
from varloom.reader.vcf.record_rules import RecordRules
from varloom.reader.vcf.record_table import RecordTable
from varloom.reader.vcf.structural_rules import StructuralRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.model import Column, ReadOptions
    from varloom.reader.native.buffers import NativeBuffer
    from varloom.reader.native.vcf_layout import Layout
    from varloom.reader.native.vcf_records import Chunk
    from varloom.reader.vcf.header import Header

MOST_TEXT = 48 << 20
"""About how many bytes of text the rows of one batch are made of at most; each ALT allele has its line's text again."""


class ChunkReader:
    """Takes chunks in the order of the file and gives batches.

    Attributes:
        lines, records, rows: how many were taken.
    """

    def __init__(self, header: Header, diagnosis: Diagnosis, options: ReadOptions) -> None:
        self.lines = header.lines
        self.records = 0
        self.rows = 0
        self._header = header
        self._diagnosis = diagnosis
        self._batch_rows = options.batch_rows
        self._table = RecordTable(header, diagnosis, options.batch_rows)
        self._rules = RecordRules(header, diagnosis)
        self._parser = RecordParser(header, self._table, self._rules, diagnosis)
        self._findings = Findings(self._table, self._rules, diagnosis)
        self._structural = StructuralRules(header, diagnosis)
        self._consequences = Consequences(self._table, diagnosis)
        self._kernels = [KernelTable(self._table, header, 0)]

    @property
    def layout(self) -> Layout:
        """What the kernel parses by, as far as the table is known now."""
        return self._kernels[-1].layout

    @property
    def most_rows(self) -> int:
        """How many rows a chunk should have at most."""
        return self._table.capacity

    @property
    def most_text(self) -> int:
        """About how many bytes of text these are made of at most."""
        return MOST_TEXT

    @property
    def contigs(self) -> tuple[str, ...]:
        """The contigs met so far, in order."""
        return self._rules.contigs

    def columns(self) -> tuple[Column, ...]:
        """The columns as they are now."""
        return self._consequences.columns(self._table.columns())

    def take(self, chunk: Chunk) -> Iterator[pa.RecordBatch]:
        """The rows of a chunk, and of what stands behind it in the same data. Errors are noted in the diagnosis."""
        while self._kernels[0].layout is not chunk.layout:
            del self._kernels[0]  # later chunks were begun with this layout or a later one
        rest: Chunk | None = chunk
        del chunk
        try:
            while rest is not None and not self._diagnosis.full:
                rest = self._with_known_keys(rest)
                batch = self._put_together(rest)
                # Its text may be a hundred megabytes, which nobody needs while the rows are written.
                rest = None if rest.is_whole else rest.next(self.layout, self.most_rows, MOST_TEXT)
                if batch is not None and batch.num_rows and not self._diagnosis.errors:
                    yield self._consequences.unfolded(batch)
        except FileRefused as refused:
            self._diagnosis.add_refusal(refused)

    # --- keys that the header does not declare ----------------------------------------------------------------------

    def _with_known_keys(self, chunk: Chunk) -> Chunk:
        """The chunk, parsed anew until all of its keys are columns of the table."""
        while chunk.unknown:
            if chunk.layout.version == self.layout.version:
                self._declare_keys(chunk)
            if chunk.layout.version == self.layout.version:
                break
            chunk = chunk.again(self.layout, self.most_rows, MOST_TEXT)
        return chunk

    def _declare_keys(self, chunk: Chunk) -> None:
        """Make columns of new keys in the order of the lines, whatever it is that the kernel left these for."""
        for line, start, end, *_ in chunk.left_lines():
            self._declare_keys_of(self.lines + line, bytes(chunk.source[start:end]).decode(errors="replace"))
        if self._table.fields > self.layout.fields:
            self._kernels.append(KernelTable(self._table, self._header, self.layout.version + 1))

    def _declare_keys_of(self, line: int, record: str) -> None:
        cells = record.removesuffix("\r").split("\t")
        if len(cells) != self._header.columns:
            return
        for entry in cells[7].split(";") if cells[7] != "." else ():
            key, equals, _ = entry.partition("=")
            if key and key not in self._table.info:
                self._table.undeclared_info(key, bare=not equals, line=line)
        if len(cells) > 9 and cells[8] not in {".", ""}:
            for key in filter(None, cells[8].split(":")):
                if self._table.gathered:
                    self._table.gathered_field(key, line)
                else:
                    self._table.sample_fields(key, line)

    # --- rows of both parsers ---------------------------------------------------------------------------------------

    def _put_together(self, chunk: Chunk) -> pa.RecordBatch | None:
        """The rows of the kernel and of the careful parser, in the order of the lines."""
        kernel = self._kernel_of(chunk)
        self._findings.tell(chunk, kernel, self.lines)
        for line, start, end in chunk.ruled_lines():
            text = bytes(chunk.source[start:end]).decode().removesuffix("\r")
            self._structural.check(self.lines + line, text.split("\t"))
        careful = self._parse_left(chunk)
        batch = kernel.batch(chunk, rows=self.rows, records=self.records, lines=self.lines) if chunk.rows else None
        if self._table.buffer.rows and not self._diagnosis.errors:
            batch = _merged(batch, self._table.take(), careful, self.rows)
        self.lines += chunk.lines
        self.records += chunk.records
        self.rows += 0 if batch is None else batch.num_rows
        return batch

    def _kernel_of(self, chunk: Chunk) -> KernelTable:
        """The state of the table by which a chunk was parsed."""
        return next(kernel for kernel in self._kernels if kernel.layout is chunk.layout)

    def _parse_left(self, chunk: Chunk) -> list[tuple[int, int]]:
        """Parse what the kernel left alone; for each line how many kernel rows stand before it, and its own rows."""
        placed = []
        for line, start, end, rows, records, _ in chunk.left_lines():
            before = self._table.buffer.rows
            self._parser.records = self.records + records
            self._parser.variants = self.rows + rows + before
            self._parse_line(self.lines + line, bytes(chunk.source[start:end]).removesuffix(b"\r"))
            placed.append((rows, self._table.buffer.rows - before))
            if self._diagnosis.full:
                break
        if self._diagnosis.errors:
            self._table.buffer.discard()
        return placed

    def _parse_line(self, number: int, raw: bytes) -> None:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self._diagnosis.error(
                TEXT_NOT_UTF8,
                f"The line is not valid UTF-8 at its byte {error.start + 1:,}.",
                Place(line=number, column=raw.count(b"\t", 0, error.start) + 1, excerpt=safe_excerpt(raw)),
            )
            return
        if CONTROL.search(text):
            note_control_character(self._diagnosis, number, text)
        else:
            self._parser.parse(number, text)


def _merged(
    kernel: pa.RecordBatch | None, careful: pa.RecordBatch, placed: list[tuple[int, int]], first: int
) -> pa.RecordBatch:
    """The rows of both parsers in the order of the file.

    Args:
        kernel: the kernel's rows, or None.
        careful: the careful parser's rows, with all columns that there are.
        placed: for each line of the careful parser how many kernel rows stand before it, and its own rows.
        first: the number of the first row.
    """
    if kernel is None:
        return careful
    table = pa.concat_tables([conformed(kernel, careful.schema), pa.Table.from_batches([careful])]).combine_chunks()
    rows = table.take(_order(kernel.num_rows, placed))
    return rows.set_column(0, "rowno", _counted([counting(first, len(rows))])).combine_chunks().to_batches()[0]


def _order(kernel_rows: int, placed: list[tuple[int, int]]) -> pa.Array:
    """Where each row of the merged table stands in the kernel's rows followed by the careful parser's."""
    pieces = []
    done, careful = 0, kernel_rows
    for before, own in placed:
        pieces += [counting(done, before - done), counting(careful, own)]
        done, careful = before, careful + own
    return _counted([*pieces, counting(done, kernel_rows - done)])


def _counted(pieces: list[NativeBuffer]) -> pa.Array:
    """The numbers of these buffers, one after another."""
    numbers = b"".join(pieces)
    return pa.Array.from_buffers(pa.int64(), len(numbers) // 8, [None, pa.py_buffer(numbers)])


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """The rows with the columns of the schema: those that it lacks are missing, narrow ones are widened."""
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
