"""Reads a CSV or TSV in two passes: the first checks every row and infers the types, the second gives the batches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.errors import ErrorKind, Place, counted, safe_excerpt
from varloom.genomics.recognition import (
    SAMPLE_BYTES,
    Recognition,
    SourceFormat,
    TextEncoding,
)
from varloom.reader.column_names import ColumnNames
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.delimited.dialect import Dialect, find_dialect
from varloom.reader.delimited.header_row import looks_like_data
from varloom.reader.delimited.inference import ColumnInference, convert
from varloom.reader.delimited.native_passes import NativePasses
from varloom.reader.delimited.row_chunks import OddTextError
from varloom.reader.delimited.rows import Row, Rows
from varloom.reader.diagnosis import Diagnosis
from varloom.reader.model import Column, ReadOptions, ReadSummary
from varloom.reader.problems import (
    COLUMN_RENAMED,
    CSV_BLANK_LINE,
    CSV_HEADER_MISSING,
    CSV_LATIN1,
    CSV_QUOTE_INVALID,
    CSV_RAGGED_ROW,
    CSV_TOO_MANY_COLUMNS,
    FILE_UNREADABLE,
    TSV_QUOTES_AS_TEXT,
    FileRefused,
    refusal,
)
from varloom.reader.threads import reading_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.reader.delimited.native_passes import SurveyPass
    from varloom.reader.native.delimited_survey import Survey
    from varloom.reader.stored_file import StoredFile

_CHUNK_ROWS = 4096
_CELL_BUDGET = 3_000_000
_LATIN_1 = "latin-1"


MOST_COLUMNS = 100_000
"""The widest table; each column costs memory of its own."""


class DelimitedReader:
    """A CSV or TSV; see TableReader. Raises FileRefused from `batches`."""

    def __init__(self, file: StoredFile, recognition: Recognition, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self._diagnosis = Diagnosis(options.max_problems)
        self._encoding: str = recognition.encoding.value
        self._mark_bytes = recognition.mark_bytes
        self._compression = recognition.compression
        self.recognition = recognition
        self._dialect = self._find_dialect(recognition.encoding)
        is_tsv = self._dialect.separator == "\t"
        self.recognition = recognition._replace(format=SourceFormat.TSV if is_tsv else SourceFormat.CSV)
        self._native: NativePasses | None = None
        self._above: list[str] = []
        self._header: Row | None = None
        self._types: list[ColumnInference] = []
        self._records = 0
        self._rows_merged = False
        self._summary: ReadSummary | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as typed batches; the types are final from the first one on."""
        self._survey_as_written()
        self._check_header()
        self._diagnosis.refuse_if_broken()
        columns = self._columns()
        names = [column.name for column in columns]
        budget = max(256, _CELL_BUDGET // len(columns))
        for arrays in self._native_arrays(budget) if self._native else self._careful_arrays(budget):
            yield pa.RecordBatch.from_arrays(arrays, names=names)
        if self._file.changed:
            raise refusal(FILE_UNREADABLE, "The file was changed while it was read.")
        self._finish(columns)

    def summary(self) -> ReadSummary:
        """What was read; see TableReader."""
        if self._summary is None:
            raise RuntimeError("the summary is known only after all batches were taken")
        return self._summary

    # --- the first pass -------------------------------------------------------------------------------------------

    def _find_dialect(self, encoding: TextEncoding) -> Dialect:
        raw = b""
        try:
            for piece in ByteStream(_plain_chunks(self._file), self._compression).pieces():
                raw += piece
                if len(raw) >= SAMPLE_BYTES:
                    break
        except DamagedStreamError:
            pass  # told with its line when the rows are read
        text = raw[self._mark_bytes : SAMPLE_BYTES].decode(encoding, "replace")
        return find_dialect(text, whole=len(raw) < SAMPLE_BYTES, named_tsv=self.recognition.named is SourceFormat.TSV)

    def _rows(self) -> Rows:
        stream = ByteStream(self._file.chunks(), self._compression)
        return Rows(stream, self._encoding, self._mark_bytes, self._dialect)

    def _survey_as_written(self) -> None:
        """The first pass, again in another encoding or without quotes where the first way cannot be right."""
        self._survey_as_encoded()
        if self._rows_merged or (
            self._dialect.separator == "\t" and any(e.kind is CSV_QUOTE_INVALID for e in self._diagnosis.errors)
        ):
            message = "Quotes of this TSV do not enclose whole cells; they were read as letters like any other."
            self._start_again(TSV_QUOTES_AS_TEXT, message)
            self._dialect = replace(self._dialect, quotes=False)
            self._survey_as_encoded()  # the bytes that are not UTF-8 may stand behind the quote that was met first

    def _survey_as_encoded(self) -> None:
        try:
            self._survey()
        except UnicodeDecodeError:
            self._start_again(CSV_LATIN1, "The file is not valid UTF-8; it was read as Latin-1.")
            self._encoding = _LATIN_1
            self._survey()

    def _start_again(self, kind: ErrorKind, message: str) -> None:
        """Forget what was found but for what an earlier start told."""
        earlier = [one for one in self._diagnosis.warnings() if one.kind in {CSV_LATIN1, TSV_QUOTES_AS_TEXT}]
        self._diagnosis = Diagnosis(self._options.max_problems)
        for problem in earlier:
            self._diagnosis.warn(problem.kind, "", problem.message)
        self._diagnosis.warn(kind, "", message)

    def _survey(self) -> None:
        """Read all rows once: count them, note ragged ones, infer the types."""
        file, threads = self._file, reading_threads(self._options)
        native = NativePasses(file, self.recognition, self._encoding, self._dialect, threads)
        self._native = native if native.is_possible() else None
        before = self._diagnosis.copied()
        try:
            if self._native is not None:
                self._survey_natively(self._native)
                return
        except (OddTextError, FileRefused):
            self._native, self._diagnosis = None, before
        self._survey_carefully()

    def _survey_natively(self, native: NativePasses) -> None:
        self._header, self._types, self._records, self._above = None, [], 0, []
        survey = native.survey()
        try:
            for row in survey.rows_above():
                if row.line > self._dialect.above:
                    self._take_header(row)
                else:
                    self._above.append(row.cells[0])
            survey.kinds = [0] * len(self._types)
            for part in survey.parts() if self._types else ():
                self._tell_part(survey, part)
                if self._diagnosis.full:
                    break
        finally:
            survey.close()
        for inference, kind in zip(self._types, survey.types(), strict=True):
            inference.type = kind

    def _tell_part(self, survey: SurveyPass, part: Survey) -> None:
        """Count and note what a part of the rows holds."""
        if part.blanks:
            line = survey.lines + part.first_blank
            self._diagnosis.warn(CSV_BLANK_LINE, "", f"Line {line:,} is empty.", Place(line=line), part.blanks)
        for row in survey.ragged(part):
            self._belongs(row)
        self._records += part.rows
        self._file.records = self._records

    def _survey_carefully(self) -> None:
        self._header, self._types, self._records = None, [], 0
        rows = self._rows()
        chunk: list[list[str]] = []
        try:
            for row in rows:
                if not self._types:
                    self._take_header(row)
                elif self._merges_rows(row):
                    self._rows_merged = True
                    break
                elif self._belongs(row):
                    chunk.append(row.cells)
                    self._records += 1
                    if len(chunk) >= _CHUNK_ROWS:
                        self._infer(chunk)
                if self._diagnosis.full:
                    break
        except FileRefused as refused:
            self._diagnosis.add_refusal(refused)
        self._infer(chunk)
        self._above = rows.above

    def _take_header(self, row: Row) -> None:
        if len(row.cells) > MOST_COLUMNS:
            message = f"The header row has {len(row.cells):,} columns; at most {MOST_COLUMNS:,} can be loaded."
            raise refusal(CSV_TOO_MANY_COLUMNS, message, Place(line=row.line))
        if row.cells:
            self._header = row
            self._types = [ColumnInference() for _ in row.cells]
        else:
            self._blank(row)

    def _merges_rows(self, row: Row) -> bool:
        """Whether stray quotes of a TSV made one row of several: each line of it has all the tabs of a row itself."""
        between = len(self._types) - 1
        if row.lines == 1 or not between or self._dialect.separator != "\t" or not self._dialect.quotes:
            return False
        tabs = len(row.cells) - 1 + sum(cell.count("\t") for cell in row.cells)
        return tabs == row.lines * between

    def _belongs(self, row: Row) -> bool:
        """Whether the row is one of the table; an empty line is none, and is told."""
        expected = len(self._types)
        if len(row.cells) == expected:
            return True
        if not row.cells:
            self._blank(row)
            return False
        hint = " The header row starts with #: remove comment lines above it." if self._commented else ""
        self._diagnosis.error(
            CSV_RAGGED_ROW,
            f"The row has {counted(len(row.cells), 'cell')} where the header row has {expected:,}.{hint}",
            Place(
                line=row.line,
                column=min(len(row.cells), expected) + 1,
                excerpt=safe_excerpt(self._dialect.separator.join(row.cells)),
            ),
        )
        return False

    @property
    def _commented(self) -> bool:
        return self._header is not None and self._header.cells[0].startswith("#")

    def _blank(self, row: Row) -> None:
        self._diagnosis.warn(CSV_BLANK_LINE, "", f"Line {row.line:,} is empty.", Place(line=row.line))

    def _infer(self, chunk: list[list[str]]) -> None:
        for column, cells in zip(self._types, zip(*chunk, strict=True), strict=False):
            column.see(cells)
        chunk.clear()
        self._file.records = self._records

    def _check_header(self) -> None:
        header = self._header
        if header is None:
            if not self._diagnosis.errors:
                self._diagnosis.error(CSV_HEADER_MISSING, "The file has no row at all.", Place(line=1))
        elif not self._diagnosis.errors and looks_like_data(header.cells, [column.type for column in self._types]):
            excerpt = safe_excerpt(self._dialect.separator.join(header.cells))
            self._diagnosis.error(
                CSV_HEADER_MISSING,
                "The first row looks like data: it must name the columns.",
                Place(line=header.line, excerpt=excerpt),
            )

    # --- the second pass ------------------------------------------------------------------------------------------

    def _columns(self) -> tuple[Column, ...]:
        names = ColumnNames(self._diagnosis)
        columns = [Column(names.claim(name), pa.int64(), "varloom") for name in ("rowno", "line")]
        cells = self._header.cells if self._header else []
        for index, (cell, column) in enumerate(zip(cells, self._types, strict=True), 1):
            columns.append(Column(names.claim(self._name(index, cell)), column.type.arrow, "file", field=cell))
        return tuple(columns)

    def _name(self, index: int, cell: str) -> str:
        if cell.strip():
            return cell
        name = f"column_{index}"
        message = f"Column {index:,} has no name in the header row; it is called {name}."
        place = Place(line=self._header.line if self._header else None, column=index)
        self._diagnosis.warn(COLUMN_RENAMED, name, message, place)
        return name

    def _native_arrays(self, budget: int) -> Iterator[list[pa.Array]]:
        if self._native is None:
            raise RuntimeError("the kernel did not survey this text")
        try:
            yield from self._native.tables(
                [column.type for column in self._types], min(self._options.batch_rows, budget)
            )
        except OddTextError as odd:
            raise refusal(FILE_UNREADABLE, "The file was changed while it was read.") from odd
        self._file.report_end_of_pass()

    def _careful_arrays(self, budget: int) -> Iterator[list[pa.Array]]:
        for first, rows in self._row_batches(budget):
            yield self._arrays(first, rows)

    def _row_batches(self, budget: int) -> Iterator[tuple[int, list[Row]]]:
        size = max(1, min(self._options.batch_rows, budget))
        batch: list[Row] = []
        first, expected, header_seen = 0, len(self._types), False
        for row in self._rows():
            if not header_seen:
                header_seen = bool(row.cells)
            elif len(row.cells) == expected:
                batch.append(row)
                if len(batch) >= size:
                    yield first, batch
                    first += len(batch)
                    batch = []
        if batch:
            yield first, batch

    def _arrays(self, first: int, rows: list[Row]) -> list[pa.Array]:
        arrays = [
            pa.array(range(first, first + len(rows)), pa.int64()),
            pa.array([row.line for row in rows], pa.int64()),
        ]
        cells = zip(*(row.cells for row in rows), strict=True)
        arrays += [convert(column, kind.type) for column, kind in zip(cells, self._types, strict=True)]
        return arrays

    def _finish(self, columns: tuple[Column, ...]) -> None:
        cells = self._header.cells if self._header else []
        header = self._dialect.mark + self._dialect.separator.join(cells)
        self._summary = ReadSummary(
            records=self._records,
            variants=self._records,
            columns=columns,
            samples=(),
            warnings=self._diagnosis.warnings(),
            header="\n".join([*self._above, header]),
            sha256=self._file.sha256 or "",
            bytes=self._file.bytes,
            contigs=(),
        )


def _plain_chunks(file: StoredFile) -> Iterator[bytes]:
    """The first bytes as stored, without counting them as a pass."""
    with file.path.open("rb") as stored:
        while chunk := stored.read(SAMPLE_BYTES):
            yield chunk
