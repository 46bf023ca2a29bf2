"""A dataset with a row for each entry of a column of entries: what one row tells of several things, told one by one.

It is a dataset like any other, with row numbers of its own, so that pages, filters, sort orders and exports of it are
right for the same reasons.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.dataset.durable import disk_full_told
from varloom.dataset.manifest import Part
from varloom.dataset.parts import ROW_GROUP_ROWS
from varloom.dataset.problems import ENTRIES_TOO_MANY
from varloom.dataset.row_count import FIRST_ROWNO
from varloom.dataset.schema import schema_of
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.dataset.manifest import Dataset, Manifest
    from varloom.reader import Column

MOST_ROWS = 20_000_000
_PART = "part-0.parquet"
_ROWNO = "rowno"
_SLICE = 8_192
"""Rows that are told apart at a time: one can have thousands of entries."""
_WHOLE_NUMBER = r"^-?[0-9]{1,9}$"


class EntryColumns(NamedTuple):
    """How the entries of a column become columns.

    Attributes:
        entries: the name of the column, a list of structs of texts; the new ones stand in its place.
        row: what the column is called that tells the number of the row in the dataset itself.
        fields: the new columns by the field of an entry; of texts, or of int32 where all texts are whole numbers.
    """

    entries: str
    row: Column
    fields: Mapping[str, Column]


def write_entry_rows(dataset: Dataset, how: EntryColumns, folder: Path) -> None:
    """Write the dataset into an empty folder; rows without an entry are not in it.

    Raises:
        VarloomError: `entries_too_many` or `disk_full`.
    """
    columns = tuple(_columns(dataset.manifest.columns, how))
    schema = schema_of(columns)
    rows = 0
    path = folder / _PART
    with disk_full_told("the table of entries"):
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
            for table in _gathered(_tables(dataset, how, schema)):
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
                rows += table.num_rows
                if rows > MOST_ROWS:
                    raise VarloomError(ENTRIES_TOO_MANY, f"There are more than {MOST_ROWS:,} entries.")
            if not rows:
                writer.write_table(schema.empty_table())
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        manifest = dataset.manifest._replace(
            variants=rows,
            columns=columns,
            content_hash=hash_of_entries(dataset.manifest.content_hash, how),
            parts=(Part(_PART, rows, path.stat().st_size, digest),),
        )
        manifest.save(folder)


def hash_of_entries(content_hash: str, how: EntryColumns) -> str:
    """What the content hash of the dataset is, made of that of the dataset whose entries it tells."""
    return hashlib.sha256(f"{content_hash} {how.entries}".encode()).hexdigest()


def has_entries(manifest: Manifest, how: EntryColumns) -> bool:
    """Whether a dataset has the column, with all of its fields."""
    return any(column.name == how.entries and _has_fields(column.type, how) for column in manifest.columns)


def _has_fields(data_type: Any, how: EntryColumns) -> bool:
    value_type = getattr(data_type, "value_type", pa.null())
    return pa.types.is_struct(value_type) and {field.name for field in value_type} >= set(how.fields)


def _columns(columns: Sequence[Column], how: EntryColumns) -> Iterator[Column]:
    for column in columns:
        if column.name == how.entries:
            yield from how.fields.values()
            yield how.row
        else:
            yield column


def _tables(dataset: Dataset, how: EntryColumns, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows, some thousands at a time, with their numbers."""
    done = FIRST_ROWNO
    for path in dataset.part_paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_SLICE):
                table = _told_apart(pa.Table.from_batches([batch]), how, schema, done)
                done += table.num_rows
                yield table


def _told_apart(table: pa.Table, how: EntryColumns, schema: pa.Schema, first: int) -> pa.Table:
    entries = table[how.entries].combine_chunks()
    if isinstance(entries, pa.ChunkedArray):
        entries = pa.concat_arrays(entries.chunks)
    parents, flat = pc.list_parent_indices(entries), pc.list_flatten(entries)
    others = table.drop_columns([how.entries]).take(parents)
    numbers = pa.array(range(first, first + len(flat)), schema.field(_ROWNO).type)
    found: dict[str, Any] = {name: others[name] for name in others.column_names}
    found[how.row.name] = others[_ROWNO].cast(how.row.type)
    found[_ROWNO] = numbers
    for field, column in how.fields.items():
        found[column.name] = _typed(pc.struct_field(flat, field), column.type)
    return pa.table([found[field.name] for field in schema], schema=schema)


def _typed(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    if wanted == pa.string():
        return texts
    return pc.if_else(pc.match_substring_regex(texts, _WHOLE_NUMBER), texts, None).cast(wanted)


def _gathered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables that fill a row group."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        if rows >= ROW_GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if rows:
        yield pa.concat_tables(waiting)
