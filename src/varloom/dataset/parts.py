"""Parquet parts: how rows are laid out in files."""

from __future__ import annotations

import contextlib
import hashlib
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.dataset.column_types import is_list, is_numeric, is_struct
from varloom.dataset.durable import sync_file
from varloom.dataset.manifest import Part
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

ROW_GROUP_ROWS = 122_880
"""Rows of a full row group: DuckDB's own vector granularity, about the 120,000 that were measured best."""

ROW_GROUP_BYTES = 24 * 1024**2
"""A row group ends earlier when its columns take this much memory, so that memory stays flat for wide tables."""

ROW_GROUPS_PER_PART = 8

_PAGE_BYTES = 64 * 1024
"""Small pages let a query for 200 rows skip the rest of a row group undecoded (measured: 5 times faster)."""

_BUFFER_BYTES = 1 << 20
_SAMPLED_ROWS = 8_192
_DISTINCT_SHARE = {"text": 0.25, "number": 0.3}
_HOPELESS_SHARE = 0.5
_TOO_LONG = 64 * 1024
"""Bytes of a value, on average, beyond which no dictionary is thought of: it would copy them."""


class PartsWriter:
    """Writes the row groups of one dataset into `part-00000.parquet`, `part-00001.parquet`, ...

    A new part begins when the schema changes and after `row_groups_per_part` row groups.
    """

    def __init__(self, directory: Path, *, row_groups_per_part: int = ROW_GROUPS_PER_PART) -> None:
        self._directory = directory
        self._row_groups_per_part = row_groups_per_part
        self._names: list[str] = []
        self._dictionary: list[str] | None = None
        self._judging = Lock()
        self._writer: PartFile | None = None
        self._row_groups = 0
        self._schema: pa.Schema | None = None

    def write(self, table: pa.Table) -> None:
        """Append a table as one row group."""
        if self._dictionary is None:
            self._dictionary = dictionary_columns(table)
        writer = self._writer
        if writer is None or table.schema != self._schema or self._row_groups == self._row_groups_per_part:
            writer = self._next_part(table.schema)
        writer.write(table)
        self._row_groups += 1

    def claim(self) -> Path:
        """The path of a next part that `write_alone` will write."""
        self._finish_part()
        self._names.append(f"part-{len(self._names):05d}.parquet")
        return self._directory / self._names[-1]

    def write_alone(self, path: Path, table: pa.Table) -> None:
        """Write a claimed part, of one row group; several may be written at once."""
        with self._judging:
            if self._dictionary is None:
                self._dictionary = dictionary_columns(table)
        with PartFile(path, table.schema, self._dictionary) as part:
            part.write(table)

    def _next_part(self, schema: pa.Schema) -> PartFile:
        path = self.claim()
        self._schema, self._row_groups = schema, 0
        self._writer = PartFile(path, schema, self._dictionary or [])
        return self._writer

    def _finish_part(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def close(self) -> tuple[Path, ...]:
        """Finish the last part; the paths of all parts, in row order."""
        self._finish_part()
        return tuple(self._directory / name for name in self._names)

    @property
    def dictionary(self) -> list[str]:
        """The Parquet paths of the columns that are dictionary-encoded."""
        return self._dictionary or []

    def abandon(self) -> None:
        """Let go of the open file after a failure; what was written is left to whoever clears the folder."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()


class PartFile:
    """One Parquet file: zstd level 1, dictionaries for the named paths.

    Whole numbers without a dictionary are counters and places, so their differences are stored: half the time and less
    than half the bytes of plain ones. Pages of some kilobytes go to the file together, not by a system call each.
    """

    def __init__(self, path: Path, schema: pa.Schema, dictionary: list[str]) -> None:
        leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
        deltas = [path for path, leaf in leaves if pa.types.is_integer(leaf) and path not in dictionary]
        self._sink = pa.BufferedOutputStream(pa.OSFile(str(path), "wb"), _BUFFER_BYTES)
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=dictionary or False,
            column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED") or None,
            write_statistics=_columns_with_statistics(schema),
            data_page_size=_PAGE_BYTES,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, table: pa.Table) -> None:
        """Append a table as one row group."""
        failpoint("part.before_write")
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        """Write the footer, and what is still in the buffer. A second time does nothing."""
        try:
            self._writer.close()
        finally:
            self._sink.close()


def seal_part(path: Path) -> Part:
    """Force a finished part to the disk and describe it."""
    failpoint("part.before_sync")
    sync_file(path)
    failpoint("part.after_sync")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(path.name, pq.read_metadata(path).num_rows, path.stat().st_size, sha256)


def dictionary_columns(table: pa.Table) -> list[str]:
    """The Parquet paths of the columns whose values repeat so much that a dictionary pays, judged by the first rows."""
    return [
        path
        for name, column in zip(table.column_names, table.columns, strict=True)
        for path, values in _values(name, column)
        if _is_repetitive(values)
    ]


def _columns_with_statistics(schema: pa.Schema) -> list[str]:
    """The Parquet paths of the contig and of all columns of whole numbers.

    Parquet leaves NaN out of a column's extremes, and DuckDB 2.0 then takes a column with NaN for one without: it drops
    rows that it should find, and finds `isnan` false everywhere. Texts other than the contig do not stand in the order
    of the file: their extremes would cost a tenth of the writing, and let no query leave out a row group.
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    return [path for path, leaf in leaves if pa.types.is_integer(leaf) or path == "contig"]


def _leaves(path: str, data_type: pa.DataType) -> list[tuple[str, pa.DataType]]:
    """The Parquet paths and the types of the values at the bottom of a column."""
    if is_list(data_type):
        return _leaves(f"{path}.list.element", data_type.value_type)
    if is_struct(data_type):
        return [leaf for field in data_type for leaf in _leaves(f"{path}.{field.name}", field.type)]
    return [(path, data_type)]


def _values(path: str, column: Any) -> list[tuple[str, Any]]:
    """The Parquet paths at the bottom of a column with the values there."""
    import pyarrow.compute as pc  # it takes 20 ms, in which a file is already being read

    if is_list(column.type):
        return _values(f"{path}.list.element", pc.list_flatten(column))
    if is_struct(column.type):
        names = [field.name for field in column.type]
        return [(f"{path}.{name}", pc.struct_field(column, [index])) for index, name in enumerate(names)]
    return [(path, column)]


def _is_repetitive(values: Any) -> bool:
    """Whether few of the first values or, where these leave it open, of all of them are distinct."""
    kind = "text" if values.type == pa.string() else "number" if is_numeric(values.type) else None
    if kind is None or values.nbytes > _TOO_LONG * max(1, len(values)):
        return False
    share = _distinct_share(values.slice(0, _SAMPLED_ROWS))
    if _DISTINCT_SHARE[kind] < share < _HOPELESS_SHARE:
        share = _distinct_share(values)
    return share <= _DISTINCT_SHARE[kind]


def _distinct_share(values: Any) -> float:
    """The number of distinct values over that of all; 0 where there is none or one."""
    import pyarrow.compute as pc

    distinct: int = pc.count_distinct(values, mode="only_valid").as_py()
    return distinct / (len(values) - values.null_count) if distinct > 1 else 0.0
