"""The two passes over a CSV or TSV as the kernel makes them: many rows at once, in threads.

Whatever is wrong with a text, and what is merely unusual, raises OddTextError: the careful reader then starts at the
beginning and judges it.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from varloom.reader.delimited.inference import FLOAT_KIND, OTHER_KIND, CellType, is_exact_float, type_of_kinds
from varloom.reader.delimited.row_chunks import OddTextError, RowChunks
from varloom.reader.delimited.rows import MOST_SEPARATORS, Row
from varloom.reader.native.buffers import counting
from varloom.reader.native.delimited_survey import Survey
from varloom.reader.native.delimited_table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from varloom.genomics.recognition import Recognition
    from varloom.reader.delimited.dialect import Dialect
    from varloom.reader.native.delimited_table import Values
    from varloom.reader.stored_file import StoredFile

_SEPARATORS = frozenset(",;\t| :!~^&")
"""Separators that are no part of numbers or words."""
_LETTERS = {CellType.BOOLEAN: b"?", CellType.INTEGER: b"i", CellType.FLOAT: b"f"}


class NativePasses:
    """A text whose rows the kernel can take; see the module.

    Args:
        file: the file as stored.
        recognition: how it is packed, and its byte order mark.
        encoding: of its text.
        dialect: how cells and lines are told apart.
        threads: how many may be used.
    """

    def __init__(
        self, file: StoredFile, recognition: Recognition, encoding: str, dialect: Dialect, threads: int
    ) -> None:
        self._file = file
        self._compression = recognition.compression
        self._encoding = encoding
        self._mark_bytes = recognition.mark_bytes
        self._dialect = dialect
        self._threads = threads
        self._separator = dialect.separator.encode()

    def is_possible(self) -> bool:
        """Whether the kernel knows the dialect and the encoding."""
        return (
            self._dialect.separator in _SEPARATORS
            and self._dialect.line_end == "\n"
            and self._encoding in {"utf-8", "latin-1"}
        )

    def survey(self) -> SurveyPass:
        """Start the first pass."""
        return SurveyPass(self)

    def tables(self, types: Sequence[CellType], batch_rows: int) -> Iterator[list[pa.Array]]:
        """The second pass: batches of rows as arrays, first `rowno` and `line`, then a column for each type."""
        letters = b"".join(_LETTERS.get(kind, b"t") for kind in types)

        def parse(data: bytes | bytearray, _: bool) -> Table:  # noqa: FBT001 - as RowChunks calls it
            return Table(data, 0, len(data) - 1, self._separator, self._dialect.quotes, letters)

        chunks = RowChunks(self._file, self._compression, self._encoding, parse, self._threads)
        try:
            lines = sum(row.lines for row in self.rows_above(chunks))
            rows = 0
            for part in chunks:
                arrays = [
                    pa.Array.from_buffers(pa.int64(), part.rows, [None, pa.py_buffer(counting(rows, part.rows))]),
                    _array(pa.int64(), part.line_data(lines)),
                ]
                arrays += [_array(kind.arrow, part.column_data(index)) for index, kind in enumerate(types)]
                for start in range(0, part.rows, batch_rows):
                    yield [array.slice(start, batch_rows) for array in arrays]
                lines += part.lines
                rows += part.rows
        finally:
            chunks.close()

    def surveyed(self, data: bytes | bytearray, kinds: Sequence[int], *, suspicious: bool) -> Survey:
        """Survey some lines, in one of the threads."""
        single_lines = self._dialect.separator == "\t"  # several may be rows that stray quotes have merged
        end = len(data) - 1
        return Survey(data, 0, end, self._separator, self._dialect.quotes, kinds, suspicious, single_lines)

    def surveys(self, pass_: SurveyPass) -> RowChunks[Survey]:
        """Chunks whose columns are looked at as the pass knows them at the time."""

        def parse(data: bytes | bytearray, suspicious: bool) -> Survey:  # noqa: FBT001 - as RowChunks calls it
            return self.surveyed(data, pass_.kinds, suspicious=suspicious)

        return RowChunks(self._file, self._compression, self._encoding, parse, self._threads)

    def rows_above(self, chunks: RowChunks[Survey] | RowChunks[Table]) -> Iterator[Row]:
        """The first lines, up to and with the header row; a line above that is no row has one cell, its text.

        Raises:
            OddTextError: a row goes over several lines, or is no row.
        """
        number = 0
        while (raw := chunks.next_line()) is not None:
            number += 1
            if number == 1:
                raw = raw[self._mark_bytes :]
            if number <= self._dialect.above:
                yield Row(number, [_text(raw).rstrip("\r")])
                continue
            text = _text(raw)
            cells = self.cells(text.removeprefix(self._dialect.mark) if number == self._dialect.above + 1 else text)
            yield Row(number, cells)
            if cells:
                return

    def cells(self, text: str) -> list[str]:
        """The cells of one row, whose text has no line end."""
        if text.count(self._dialect.separator) > MOST_SEPARATORS or "\0" in text:
            raise OddTextError
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self._dialect.quotes else csv.QUOTE_NONE
        reader = csv.reader(
            [text + "\n"],
            delimiter=self._dialect.separator,
            quotechar='"' if self._dialect.quotes else None,
            quoting=quoting,
            strict=True,
        )
        try:
            return next(reader)
        except csv.Error as error:
            raise OddTextError from error


class SurveyPass:
    """The first pass; iterate over `parts` after `rows_above` was exhausted and `kinds` was set.

    Attributes:
        kinds: for each column what its cells were so far.
        lines: how many were read.
    """

    def __init__(self, passes: NativePasses) -> None:
        self.kinds: list[int] = []
        self.lines = 0
        self._passes = passes
        self._chunks = passes.surveys(self)

    def close(self) -> None:
        """End the threads."""
        self._chunks.close()

    def rows_above(self) -> Iterator[Row]:
        """See NativePasses."""
        for row in self._passes.rows_above(self._chunks):
            self.lines = row.line
            yield row

    def parts(self) -> Iterator[Survey]:
        """What was found in the rows below the header, part by part; `lines` are those before the part."""
        for part in self._chunks:
            kinds = part.kinds
            for column, start, end in part.open_cells():
                exact = is_exact_float(bytes(part.source[start:end]).decode())
                kinds[column] |= FLOAT_KIND if exact else OTHER_KIND
            self.kinds = [known | new for known, new in zip(self.kinds, kinds, strict=True)]
            yield part
            self.lines += part.lines

    def ragged(self, part: Survey) -> Iterator[Row]:
        """The rows of a part that have another number of cells than the header."""
        for line, start, end in part.ragged_rows():
            text = _text(bytes(part.source[start:end])).removesuffix("\n").removesuffix("\r")
            yield Row(self.lines + line, self._passes.cells(text))

    def types(self) -> list[CellType]:
        """The type of each column by all that was read."""
        return [type_of_kinds(kinds) for kinds in self.kinds]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OddTextError from error


def _array(data_type: pa.DataType, values: Values) -> pa.Array:
    length, missing, validity, buffers = values
    found = [None if buffer is None else pa.py_buffer(buffer) for buffer in (validity, *buffers)]
    return pa.Array.from_buffers(data_type, length, found, missing)
