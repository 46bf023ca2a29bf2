"""A table's columns for native code, by the Arrow C data interface."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from varloom.dataset.column_types import is_list
from varloom.dataset.native.column_encoder import ColumnEncoder, HiddenElementsError
from varloom.dataset.parquet_leaves import in_whole_words, list_depth


class ArrowColumns:
    """The columns of a table, of which one is with the encoder at a time."""

    def __init__(self, table: pa.Table, encoder: ColumnEncoder) -> None:
        wanted = pa.schema([pa.field(field.name, in_whole_words(field.type)) for field in table.schema])
        self._table = table if table.schema.equals(wanted) else table.cast(wanted)
        self._batches = batches_of(self._table)
        self._encoder = encoder

    def take(self, index: int) -> None:
        """Give a column to the encoder.

        Raises:
            ValueError: its lists lie too deep in each other.
        """
        depth = list_depth(self._table.field(index).type)
        try:
            self._encoder.take(self._batches, index, depth)
        except HiddenElementsError:
            chunks = [_without_hidden_elements(chunk) for chunk in self._table.column(index).chunks]
            alone = pa.table([pa.chunked_array(chunks)], names=[""])
            self._encoder.take(batches_of(alone), 0, depth)


def batches_of(table: pa.Table) -> list[object]:
    """The capsules of a table's record batches."""
    return [batch.__arrow_c_array__()[1] for batch in table.to_batches()]


def whole_numbers(array: Any) -> memoryview[int]:
    """The values of a column of whole numbers that misses none, eight bytes each."""
    array = array if array.type == pa.int64() else array.cast(pa.int64())
    buffer = array.buffers()[1]
    if buffer is None:
        return memoryview(b"").cast("q")
    return memoryview(buffer).cast("B").cast("q")[array.offset : array.offset + len(array)]


def _without_hidden_elements(array: Any) -> Any:
    """The same lists; those that are missing have no elements, not even where nobody sees them."""
    if not is_list(array.type):
        return array
    import pyarrow.compute as pc  # hardly ever needed, and it takes 20 ms

    lengths = pc.fill_null(pc.list_value_length(array), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    elements = _without_hidden_elements(array.flatten())
    return pa.ListArray.from_arrays(offsets, elements, type=array.type, mask=array.is_null())
