"""One dataset for each sample, from the dataset of all samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.dataset.content_hash import ContentHasher, content_hash
from varloom.dataset.manifest import Dataset, Manifest, Split
from varloom.dataset.parts import ROW_GROUPS_PER_PART, PartsWriter, seal_part
from varloom.dataset.sample_columns import is_of_samples, sample_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from varloom.reader import Column

_MOST_OPEN_PARTS = 64
"""With more samples than this a part is closed after each row group: a process may have few files open."""


def split_dataset(whole: Dataset, targets: Sequence[Path], on_step: Callable[[], None]) -> tuple[Manifest, ...]:
    """Write one dataset for each sample, all rows kept: the shared columns and the sample's own.

    Args:
        whole: the dataset of all samples.
        targets: an empty folder for each sample, in sample order.
        on_step: called after each row group and before each manifest.
    """
    columns = whole.manifest.columns
    shared = [column for column in columns if not is_of_samples(column)]
    slices = [
        _SampleSlice(_columns_of(columns, whole.manifest.samples, position), target, len(targets))
        for position, target in enumerate(targets)
    ]
    shared_hash = ContentHasher()
    try:
        for table in _row_groups(whole):
            shared_hash.add(table.select([column.name for column in shared]))
            for part in slices:
                part.add(table)
                on_step()
        return tuple(
            part.finish(whole.manifest, Split(sample, position, len(targets)), shared_hash, on_step)
            for position, (sample, part) in enumerate(zip(whole.manifest.samples, slices, strict=True))
        )
    finally:
        for part in slices:
            part.abandon()


@dataclass(frozen=True, slots=True)
class _Taken:
    """A column of one sample's dataset and where it comes from; `element` counts from 0 within a list column."""

    column: Column
    source: str
    element: int | None = None


class _SampleSlice:
    """The dataset of one sample while it is written."""

    def __init__(self, taken: Sequence[_Taken], directory: Path, samples: int) -> None:
        row_groups = ROW_GROUPS_PER_PART if samples <= _MOST_OPEN_PARTS else 1
        self._taken = taken
        self._directory = directory
        self._parts = PartsWriter(directory, row_groups_per_part=row_groups)
        self._own_hash = ContentHasher()
        self._schema = pa.schema([pa.field(item.column.name, item.column.type) for item in taken])
        self._own_names = [item.column.name for item in taken if is_of_samples(item.column)]

    def add(self, table: pa.Table) -> None:
        columns = [_taken_values(table, item) for item in self._taken]
        mine = pa.table(columns, schema=self._schema)
        self._parts.write(mine)
        self._own_hash.add(mine.select(self._own_names))

    def finish(
        self, whole: Manifest, split: Split, shared_hash: ContentHasher, on_step: Callable[[], None]
    ) -> Manifest:
        if not whole.variants:
            self._parts.write(self._schema.empty_table())
        parts = tuple(seal_part(path) for path in self._parts.close())
        digests = {
            field.name: (self._own_hash if field.name in self._own_names else shared_hash).digest(field)
            for field in self._schema
        }
        hashed = [(field.name, field.type, digests[field.name]) for field in self._schema]
        manifest = whole._replace(
            columns=tuple(item.column for item in self._taken),
            content_hash=content_hash(hashed, whole.variants),
            parts=parts,
            samples=(split.sample,),
            split=split,
        )
        on_step()
        manifest.save(self._directory)
        return manifest

    def abandon(self) -> None:
        self._parts.abandon()


def _columns_of(columns: Sequence[Column], samples: Sequence[str], position: int) -> list[_Taken]:
    """The columns that the dataset of one sample has, in their order."""
    names = {column.name.casefold() for column in columns}
    taken = []
    for column in columns:
        if not is_of_samples(column):
            taken.append(_Taken(column, column.name))
        elif column.sample is None:
            own = sample_column(column, samples[position], names)
            taken.append(_Taken(own, column.name, position))
        elif column.sample == samples[position]:
            taken.append(_Taken(column, column.name))
    return taken


def _taken_values(table: pa.Table, item: _Taken) -> pa.ChunkedArray:
    column = table.column(item.source)
    if item.element is None:
        return column
    return pa.chunked_array([_element(chunk, item.element) for chunk in column.chunks], type=item.column.type)


def _element(lists: pa.ListArray, index: int) -> pa.Array:
    """The element at `index` of each list; missing where the list is missing or shorter."""
    import pyarrow.compute as pc

    reaches = pc.fill_null(pc.greater(pc.list_value_length(lists), index), fill_value=False)
    starts = pc.cast(lists.offsets[:-1], pa.int64())
    positions = pc.if_else(reaches, pc.add(starts, index), pa.scalar(None, pa.int64()))
    return lists.values.take(positions)


def _row_groups(dataset: Dataset) -> Iterator[pa.Table]:
    for path in dataset.part_paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)
