"""Rows on their way from the reader into parts."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Self

import pyarrow as pa

from varloom.dataset.content_hash import ContentHasher
from varloom.dataset.parts import ROW_GROUP_BYTES, ROW_GROUP_ROWS, PartFile, PartsWriter, seal_part
from varloom.dataset.row_count import RowCount
from varloom.dataset.schema import PlainBatches, conformed, schema_of, widest
from varloom.reader.native.memory import make_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from varloom.dataset.manifest import Part
    from varloom.reader import ReadSummary


_AT_ONCE = 2
_WORTH_HALVING = 4 << 20
"""Bytes of the last row group beyond which it is written as two."""

_PARTS_OF_ONE = 32
"""So many row groups are parts of their own; of larger tables the others share parts, for a query opens all of them."""


class StoredRows(NamedTuple):
    """What was written: the parts, the schema they all have, and the digest of each column."""

    parts: tuple[Part, ...]
    schema: pa.Schema
    digests: Mapping[str, bytes]


class RowStore:
    """Collects batches into row groups, and writes and digests them while the reader goes on.

    Memory holds one row group that fills and two that are being written: the first row groups are parts of their own,
    so that two threads can write. A column that was met once stays in all later row groups, so that only the parts
    before it have to be written again.
    """

    def __init__(self, directory: Path) -> None:
        self._parts = PartsWriter(directory)
        self._hasher = ContentHasher()
        self._count = RowCount()
        self._types = PlainBatches()
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0.0
        self._schema = pa.schema([])
        self._writers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dataset-writer", initializer=make_room)
        self._digester = ThreadPoolExecutor(1, thread_name_prefix="dataset-digester", initializer=make_room)
        self._writing: deque[tuple[Future[None], Future[None]]] = deque()
        self._row_groups = 0
        self._sealed: dict[Path, tuple[Part, pa.Schema]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for threads in (self._writers, self._digester):
            threads.shutdown(wait=True, cancel_futures=True)
        self._parts.abandon()

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next rows.

        Raises:
            VarloomError: `dataset_inconsistent` when a row or record is missing before them.
        """
        batch = self._types.plain(batch)
        self._count.add(batch)
        bytes_of_row = batch.get_total_buffer_size() / max(batch.num_rows, 1)
        while self._waiting_rows + batch.num_rows >= ROW_GROUP_ROWS:
            fitting = ROW_GROUP_ROWS - self._waiting_rows
            self._wait_with(batch.slice(0, fitting), bytes_of_row)
            self._flush()
            batch = batch.slice(fitting)
        self._wait_with(batch, bytes_of_row)
        if self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def finish(self, summary: ReadSummary) -> StoredRows:
        """Write what is left, prove that the counts agree, and give all parts the final schema.

        Raises:
            VarloomError: `dataset_inconsistent`.
        """
        self._flush_last()
        self._settle(0)
        self._count.prove(summary)
        schema = schema_of(summary.columns)
        if not self._count.rows:
            self._parts.write(schema.empty_table())
        paths = self._parts.close()
        parts = tuple(self._writers.map(lambda path: self._finally_sealed(path, schema), paths))
        digests = {field.name: self._hasher.digest(field, lambda name: _column_values(paths, name)) for field in schema}
        return StoredRows(parts, schema, digests)

    def _wait_with(self, batch: pa.RecordBatch, bytes_of_row: float) -> None:
        if batch.num_rows:
            self._waiting.append(batch)
            self._waiting_rows += batch.num_rows
            self._waiting_bytes += batch.num_rows * bytes_of_row

    def _flush_last(self) -> None:
        """Write the last rows; where they are many, as two row groups, so that no thread waits for the other."""
        later: list[pa.RecordBatch] = []
        if self._waiting_bytes > _WORTH_HALVING:
            middle = len(self._waiting) // 2
            self._waiting, later = self._waiting[:middle], self._waiting[middle:]
        self._flush()
        self._waiting = later
        self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._schema = widest([self._schema, *(batch.schema for batch in self._waiting)])
        table = pa.concat_tables([conformed(pa.Table.from_batches([batch]), self._schema) for batch in self._waiting])
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0.0
        alone = self._row_groups < _PARTS_OF_ONE
        self._settle(_AT_ONCE - 1 if alone else 0)
        if alone:
            writing = self._writers.submit(self._write_alone, self._parts.claim(), table)
        else:
            writing = self._writers.submit(self._parts.write, table)
        self._writing.append((writing, self._digester.submit(self._hasher.add, table)))
        self._row_groups += 1

    def _write_alone(self, path: Path, table: pa.Table) -> None:
        """Write a part of one row group, and seal it at once: its schema is nearly always the final one."""
        self._parts.write_alone(path, table)
        self._sealed[path] = seal_part(path, table.num_rows), table.schema

    def _finally_sealed(self, path: Path, schema: pa.Schema) -> Part:
        """A part with the final schema, safe on the disk."""
        part, written = self._sealed.get(path, (None, None))
        if part is not None and written == schema:
            return part
        _reconcile(path, schema, self._parts.dictionary)
        return seal_part(path)

    def _settle(self, most: int) -> None:
        """Wait until at most so many row groups are being written; the error of one, if any, surfaces here."""
        while len(self._writing) > most:
            for each in self._writing.popleft():
                each.result()


def _reconcile(path: Path, schema: pa.Schema, dictionary: list[str]) -> None:
    """Write a part again, a row group at a time, if it was begun before the schema was final."""
    import pyarrow.parquet as pq  # it takes 10 ms, and few files need it

    with pq.ParquetFile(path) as file:
        if file.schema_arrow.equals(schema):
            return
        rewritten = path.with_name(path.name + ".unfinished")
        with PartFile(rewritten, schema, dictionary) as part:
            for group in range(file.num_row_groups):
                part.write(conformed(file.read_row_group(group), schema))
    rewritten.replace(path)


def _column_values(paths: Iterable[Path], name: str) -> Iterator[pa.ChunkedArray]:
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                # Asked for `INFO`, Arrow also gives `INFO.AF`: it takes the dot for nesting.
                yield file.read_row_group(group, columns=[name]).column(name)
