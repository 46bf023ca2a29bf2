"""Values of some variants, taken out of unpacked row groups into one column of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from numpy.typing import NDArray


class Gathering:
    """Takes values in the order of the variants, row group by row group.

    Args of the constructor:
        schema: the columns.
        coded: those of them, by name, whose values come as dictionaries.
        count: how many variants there are.
    """

    def __init__(self, schema: pa.Schema, coded: Container[str], count: int) -> None:
        self._schema = schema
        self._found = np.zeros(count, dtype=bool)
        self._columns = [_column(field, count, is_coded=field.name in coded) for field in schema]

    def add(self, rows: NDArray[np.int64], places: NDArray[np.int64], values: Sequence[pa.Array]) -> None:
        """Take the values at some places of a row group for these variants, all behind those that came before."""
        self._found[rows] = True
        for column, array in zip(self._columns, values, strict=True):
            column.add(rows, places, array)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which variants values were taken for."""
        return self._found

    def table(self) -> pa.Table:
        """The columns, a row for each variant; missing where nothing was taken."""
        return pa.Table.from_arrays([column.array(self._found) for column in self._columns], schema=self._schema)


class _Column(Protocol):
    def add(self, rows: NDArray[np.int64], places: NDArray[np.int64], values: pa.Array) -> None: ...

    def array(self, found: NDArray[np.bool_]) -> pa.Array: ...


class _Numbers:
    """A column of numbers, which are put where they belong at once: much less work than many small Arrow arrays."""

    def __init__(self, data_type: pa.DataType, count: int) -> None:
        self._type = data_type
        self._numbers = np.zeros(count, dtype=data_type.to_pandas_dtype())
        self._missing: list[NDArray[np.int64]] = []

    def add(self, rows: NDArray[np.int64], places: NDArray[np.int64], values: pa.Array, more: int = 0) -> None:
        if values.null_count:
            present = values.is_valid().to_numpy(zero_copy_only=False)[places]
            self._missing.append(rows[~present])
        _, data = values.buffers()
        if data is None:
            return
        held = np.frombuffer(data, dtype=self._numbers.dtype)
        self._numbers[rows] = held[values.offset : values.offset + len(values)][places] + more

    def array(self, found: NDArray[np.bool_]) -> pa.Array:
        absent = ~found
        for rows in self._missing:
            absent[rows] = True
        return pa.array(self._numbers, self._type, mask=absent)


class _Coded:
    """A column of few different texts: their codes are numbers."""

    def __init__(self, data_type: pa.DataType, count: int) -> None:
        self._type = data_type
        self._codes = _Numbers(pa.int32(), count)
        self._texts: list[pa.Array] = []
        self._begin = 0

    def add(self, rows: NDArray[np.int64], places: NDArray[np.int64], values: pa.Array) -> None:
        if not self._texts or not self._texts[-1].equals(values.dictionary):
            self._begin = sum(map(len, self._texts))
            self._texts.append(values.dictionary)
        self._codes.add(rows, places, values.indices, self._begin)

    def array(self, found: NDArray[np.bool_]) -> pa.Array:
        if not self._texts:
            return pa.nulls(len(found), self._type)
        return pa.concat_arrays(self._texts).cast(self._type).take(self._codes.array(found))


class _Others:
    """A column of any type."""

    def __init__(self, data_type: pa.DataType) -> None:
        self._type = data_type
        self._pieces: list[pa.Array] = []

    def add(self, rows: NDArray[np.int64], places: NDArray[np.int64], values: pa.Array) -> None:  # noqa: ARG002
        self._pieces.append(values.take(pa.array(places)))

    def array(self, found: NDArray[np.bool_]) -> pa.Array:
        if not self._pieces:
            return pa.nulls(len(found), self._type)
        values = pa.chunked_array(self._pieces).cast(self._type).combine_chunks()
        return values if found.all() else values.take(pa.array(np.cumsum(found) - 1, mask=~found))


def _column(field: pa.Field, count: int, *, is_coded: bool) -> _Column:
    if is_coded:
        return _Coded(field.type, count)
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    return _Numbers(field.type, count) if is_number else _Others(field.type)
