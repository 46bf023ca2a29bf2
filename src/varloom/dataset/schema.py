"""One schema for a table whose columns may come late or widen on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.dataset.column_types import is_list, plain_type
from varloom.dataset.problems import DATASET_INCONSISTENT
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.reader import Column


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """The schema of the columns in their order.

    Raises:
        VarloomError: `dataset_inconsistent` when two columns share a name.
    """
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise VarloomError(DATASET_INCONSISTENT, f"Two columns have the name {twice!r}.")
    return pa.schema([pa.field(column.name, plain_type(column.type)) for column in columns])


class PlainBatches:
    """Gives batches the logical types of a dataset; they nearly always have the columns of the batch before."""

    def __init__(self) -> None:
        self._given = self._plain = pa.schema([])

    def plain(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same rows."""
        if not batch.schema.equals(self._given, check_metadata=True):
            self._given = batch.schema
            self._plain = pa.schema([pa.field(field.name, plain_type(field.type)) for field in batch.schema])
        if self._plain.equals(self._given, check_metadata=True):
            return batch
        return _conformed_batch(batch, self._plain)


def widest(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The columns of all schemas, each with the latest type: types only ever widen.

    A column that comes late stands behind the one that it follows in its own schema.
    """
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        late = [name for name in schema.names if name not in fields]
        fields.update((field.name, field) for field in schema)
        if late:
            fields = {name: fields[name] for name in _with_late(list(fields)[: -len(late)], schema.names)}
    return pa.schema(list(fields.values()))


def _with_late(known: list[str], names: Sequence[str]) -> list[str]:
    """The known names with the others among `names` put where they belong."""
    behind: dict[str, list[str]] = {}
    anchor = ""
    standing = set(known)
    for name in names:
        if name in standing:
            anchor = name
        else:
            behind.setdefault(anchor, []).append(name)
    ordered = behind.get("", [])
    for name in known:
        ordered += [name, *behind.get(name, ())]
    return ordered


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in another schema: missing columns are missing values, narrower types are widened.

    Raises:
        VarloomError: `dataset_inconsistent` when a value would change, or a column of the table would be lost.
    """
    if table.schema.equals(schema):
        return table
    columns = dict(zip(table.column_names, table.columns, strict=True))
    lost = columns.keys() - set(schema.names)
    if lost:
        raise VarloomError(DATASET_INCONSISTENT, f"The column {min(lost)!r} was read but is not among the columns.")
    return pa.table([_column(columns.get(field.name), field, table.num_rows) for field in schema], schema=schema)


def _column(column: pa.ChunkedArray | None, field: pa.Field, rows: int) -> pa.ChunkedArray:
    if column is None:
        return pa.chunked_array([pa.nulls(rows, field.type)])
    return column if column.type == field.type else _widened(column, field)


def _widened(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """Cast without loss; a single value becomes a list of one where the column turned out to hold lists."""
    try:
        if is_list(field.type) and not is_list(column.type):
            return pa.chunked_array([_wrapped(chunk, field.type) for chunk in column.chunks], type=field.type)
        return column.cast(field.type, safe=True)
    except pa.ArrowInvalid as error:
        raise VarloomError(
            DATASET_INCONSISTENT,
            f"The column {field.name!r} cannot go from {column.type} to {field.type} without loss: {error}",
        ) from error


def _wrapped(values: pa.Array, list_type: pa.DataType) -> pa.ListArray:
    import pyarrow.compute as pc

    present = values.is_valid()
    offsets = pc.cumulative_sum(present.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), offsets])
    elements = values.drop_null().cast(list_type.value_type, safe=True)
    return pa.ListArray.from_arrays(offsets, elements, type=list_type, mask=pc.invert(present))


def _conformed_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.record_batch(
        [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(batch.columns, schema, strict=True)
        ],
        schema=schema,
    )
