"""Parquet parts: how rows are laid out in files."""

from __future__ import annotations

import contextlib
import hashlib
from threading import Lock
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from varloom.dataset.durable import sync_file
from varloom.dataset.manifest import Part
from varloom.dataset.parquet_file import ParquetFile
from varloom.dataset.parquet_leaves import leaves_of
from varloom.dataset.repetition import repetitive_leaves
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

ROW_GROUP_ROWS = 122_880
"""Rows of a full row group: DuckDB's own vector granularity, about the 120,000 that were measured best."""

ROW_GROUP_BYTES = 24 * 1024**2
"""A row group ends earlier when its columns take this much memory, so that memory stays flat for wide tables."""

ROW_GROUPS_PER_PART = 8

_BUFFER_BYTES = 1 << 20


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
            self._dictionary = repetitive_leaves(table)
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
                self._dictionary = repetitive_leaves(table)
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
        """The names of the leaves that have dictionaries."""
        return self._dictionary or []

    def abandon(self) -> None:
        """Let go of the open file after a failure; what was written is left to whoever clears the folder."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()


class PartFile:
    """One Parquet file, with dictionaries for the named leaves.

    Pages of some kilobytes go to the file together, not by a system call each.
    """

    def __init__(self, path: Path, schema: pa.Schema, dictionary: list[str]) -> None:
        self._sink = path.open("wb", buffering=_BUFFER_BYTES)
        self._file = ParquetFile(self._sink, schema, dictionary=dictionary, extremes=_leaves_with_extremes(schema))
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, table: pa.Table) -> None:
        """Append a table as one row group."""
        failpoint("part.before_write")
        self._file.write(table)

    def close(self) -> None:
        """Write the footer, and what is still in the buffer. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._file.close()
        finally:
            self._sink.close()


def seal_part(path: Path, rows: int | None = None) -> Part:
    """Force a finished part to the disk and describe it; None asks the file how many rows it has."""
    if rows is None:
        import pyarrow.parquet as pq  # it takes 10 ms, in which most files are read without it

        rows = int(pq.read_metadata(path).num_rows)
    failpoint("part.before_sync")
    sync_file(path)
    failpoint("part.after_sync")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(path.name, rows, path.stat().st_size, sha256)


def _leaves_with_extremes(schema: pa.Schema) -> list[str]:
    """The names of the contig and of all leaves of whole numbers.

    Parquet leaves NaN out of a column's extremes, and DuckDB 2.0 then takes a column with NaN for one without: it drops
    rows that it should find, and finds `isnan` false everywhere. Texts other than the contig do not stand in the order
    of the file: their extremes would cost a tenth of the writing, and let no query leave out a row group.
    """
    leaves = [leaf for field in schema for leaf in leaves_of(field.name, field.type)]
    return [leaf.name for leaf in leaves if pa.types.is_integer(leaf.type) or leaf.name == "contig"]
