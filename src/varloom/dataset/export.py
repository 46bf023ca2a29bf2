"""Tables as files: CSV, TSV, JSON lines and Parquet, streamed with bounded memory.

Rows are read range by range, so that a slow receiver holds nothing; sorted ones pass through temporary files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.dataset import statements
from varloom.dataset.cell_texts import csv_cells, csv_line, csv_only_cells, json_cells, lines_of
from varloom.dataset.column_types import is_list
from varloom.dataset.export_sorting import in_order
from varloom.dataset.parts import ROW_GROUP_ROWS
from varloom.dataset.problems import EXPORT_FORMAT_UNKNOWN
from varloom.dataset.row_count import FIRST_ROWNO
from varloom.dataset.sample_columns import holds_all_samples
from varloom.dataset.selection import find_numbers
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.dataset.filter_sql import Condition
    from varloom.dataset.manifest import Dataset
    from varloom.dataset.sessions import SessionPool
    from varloom.dataset.sorting import SortKey
    from varloom.dataset.table_columns import TableColumn

_CHUNK_ROWS = 61_440
_CHUNK_CELLS = 4_000_000


class ExportFormat(StrEnum):
    """The formats of an export."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """What HTTP calls the format."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.TSV: "text/tab-separated-values; charset=utf-8",
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


def export_format(name: str) -> ExportFormat:
    """The format of this name.

    Raises:
        VarloomError: `export_format_unknown`.
    """
    try:
        return ExportFormat(name)
    except ValueError:
        shown = safe_excerpt(name, 30)
        raise VarloomError(EXPORT_FORMAT_UNKNOWN, f"{shown!r} is not csv, tsv, jsonl or parquet.") from None


@dataclass(frozen=True, slots=True)
class ExportQuestion:
    """What is exported: columns of the selected rows of a dataset, in a sort order."""

    dataset: Dataset
    columns: tuple[TableColumn, ...]
    condition: Condition
    keys: tuple[SortKey, ...]

    @property
    def expressions(self) -> list[str]:
        """The SQL of the columns."""
        return [column.sql for column in self.columns]

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return pa.schema([pa.field(column.name, column.column.type) for column in self.columns])

    @property
    def chunk_rows(self) -> int:
        """How many rows are handled at once; fewer where rows are wide."""
        samples = len(self.dataset.manifest.samples)
        wide = sum(holds_all_samples(column.column) and not column.virtual for column in self.columns)
        width = len(self.columns) + wide * samples
        return max(256, min(_CHUNK_ROWS, _CHUNK_CELLS // width))


def stream(question: ExportQuestion, target: ExportFormat, sessions: SessionPool, spill: Path) -> Iterator[bytes]:
    """The selected rows as a file in pieces; see `QueryEngine.export`."""
    tables = _sorted_tables(question, sessions, spill) if question.keys else _tables(question, sessions)
    match target:
        case ExportFormat.CSV:
            return _delimited(tables, question.schema, ",")
        case ExportFormat.TSV:
            return _delimited(tables, question.schema, "\t")
        case ExportFormat.JSONL:
            return _json_lines(tables, question.schema)
        case ExportFormat.PARQUET:
            return _parquet(tables, question.schema)


def _tables(question: ExportQuestion, sessions: SessionPool) -> Iterator[pa.Table]:
    sql = statements.exported_range(question.expressions, question.condition.sql)
    rows = question.chunk_rows
    for first in range(FIRST_ROWNO, FIRST_ROWNO + question.dataset.manifest.variants, rows):
        with sessions.borrow(question.dataset) as session:
            span = {"first": first, "last": first + rows - 1}
            table = session.table(sql, question.condition.parameters | span)
        if table.num_rows:
            yield table


def _sorted_tables(question: ExportQuestion, sessions: SessionPool, spill: Path) -> Iterator[pa.Table]:
    with sessions.borrow(question.dataset) as session:
        numbers = find_numbers(session, question.condition, question.keys)
    yield from in_order(_tables(question, sessions), numbers, question.chunk_rows, spill)


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.rename_columns(schema.names).cast(schema)


def _delimited(tables: Iterator[pa.Table], schema: pa.Schema, delimiter: str) -> Iterator[bytes]:
    yield csv_line(schema.names, delimiter)
    cells_of = csv_cells if len(schema.names) > 1 else csv_only_cells
    for table in tables:
        columns = _conformed(table, schema).combine_chunks().columns
        yield lines_of([cells_of(_whole(column), delimiter) for column in columns], delimiter)


def _json_lines(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[bytes]:
    keys = [json.dumps(name, ensure_ascii=False) + ":" for name in schema.names]
    starts = ["{" + keys[0], *("," + key for key in keys[1:])]
    for table in tables:
        columns = _conformed(table, schema).combine_chunks().columns
        parts: list[Any] = []
        for start, column in zip(starts, columns, strict=True):
            parts += [pa.scalar(start, pa.large_string()), json_cells(_whole(column))]
        yield lines_of([*parts, pa.scalar("}", pa.large_string())], "")


def _parquet(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[bytes]:
    """Parquet with the columns' own types; a row group holds about 120,000 rows."""
    outlet = _Outlet()
    with pq.ParquetWriter(outlet, schema, compression="zstd", compression_level=1) as writer:
        waiting: list[pa.Table] = []
        for table in tables:
            waiting.append(_conformed(table, schema))
            if sum(each.num_rows for each in waiting) * 2 > ROW_GROUP_ROWS or _is_wide(schema):
                writer.write_table(pa.concat_tables(waiting), row_group_size=ROW_GROUP_ROWS)
                waiting = []
            yield from outlet.taken()
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=ROW_GROUP_ROWS)
    yield from outlet.taken()


def _is_wide(schema: pa.Schema) -> bool:
    return any(is_list(field.type) and is_list(field.type.value_type) for field in schema)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


class _Outlet:
    """A file that is read while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0
        self.closed = False

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def taken(self) -> Iterator[bytes]:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            yield b"".join(pieces)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
