"""Columns of one batch under construction: sparse cells in, Arrow arrays out."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from varloom.reader.model import Column

_INT32, _INT64 = pa.int32(), pa.int64()
_LEAST_ROOM = 64


class ColumnBuffer:
    """One column: `cells` has a place for each row of the batch, `default` where nothing was written.

    int32, also within lists, widens to int64 for good as soon as a value needs it.
    """

    __slots__ = ("cells", "column", "default", "order")

    def __init__(self, column: Column, order: tuple[int, ...], capacity: int, default: object = None) -> None:
        self.column = column
        self.order = order
        self.default = default
        self.cells: list[Any] = [default] * capacity

    def widen(self) -> None:
        """Take 64-bit numbers from now on."""
        wider = _widened(self.column.type)
        if wider is not None:
            self.column = self.column._replace(type=wider)

    def take(self, rows: int, capacity: int) -> pa.Array:
        """The first `rows` cells as an Arrow array; the buffer is empty afterwards."""
        cells = self.cells[:rows] if rows < len(self.cells) else self.cells
        self.cells = [self.default] * capacity
        try:
            return pa.array(cells, type=self.column.type)
        except pa.ArrowInvalid:
            if _widened(self.column.type) is None:
                raise
            self.widen()
            return pa.array(cells, type=self.column.type)


def _widened(narrow: pa.DataType) -> pa.DataType | None:
    if narrow == _INT32:
        return _INT64
    if pa.types.is_list(narrow) and (wider := _widened(narrow.value_type)) is not None:
        return pa.list_(wider)
    return None


class BatchBuffer:
    """All columns of the batch under construction, in the table's order.

    Attributes:
        capacity: how many rows there is room for.
        rows: how many rows are taken.
        fixed: the cells of the fixed columns, one tuple for each row; the caller appends them.
        columns: the sparse columns behind the fixed ones.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.rows = 0
        self.fixed: list[tuple[Any, ...]] = []
        self.columns: list[ColumnBuffer] = []
        self._fixed_columns: list[Column] = []

    def add_fixed(self, column: Column) -> None:
        """A column that every row has a cell for, after those added before."""
        self._fixed_columns.append(column)

    def add(self, column: Column, order: tuple[int, ...], default: object = None) -> ColumnBuffer:
        """A new sparse column; `order` sorts them. Rows written so far have its default."""
        buffer = ColumnBuffer(column, order, self.capacity, default)
        insort(self.columns, buffer, key=lambda other: other.order)
        return buffer

    def described(self) -> tuple[Column, ...]:
        """All columns as they are now."""
        return (*self._fixed_columns, *(buffer.column for buffer in self.columns))

    def grow(self, capacity: int) -> None:
        """Make room for at least this many rows."""
        capacity = max(capacity, 2 * self.capacity, _LEAST_ROOM)
        for buffer in self.columns:
            buffer.cells.extend([buffer.default] * (capacity - self.capacity))
        self.capacity = capacity

    def discard(self) -> None:
        """Forget the rows; what their sparse cells hold is overwritten or never read."""
        self.rows = 0
        self.fixed.clear()

    def take(self, capacity: int) -> pa.RecordBatch:
        """The batch; the buffer is empty afterwards and has room for `capacity` rows."""
        arrays = [
            pa.array(cells, type=column.type)
            for column, cells in zip(self._fixed_columns, zip(*self.fixed, strict=True), strict=True)
        ]
        arrays += [buffer.take(self.rows, capacity) for buffer in self.columns]
        batch = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in self.described()])
        self.discard()
        self.capacity = capacity
        return batch
