"""The columns of a dataset as Parquet sees them: a tree of named elements, whose leaves hold the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from varloom.dataset.column_types import is_list, is_struct
from varloom.dataset.native.column_encoder import BOOL, NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.dataset.native.thrift_compact import CompactWriter

_OPTIONAL, _REPEATED = 1, 2
_UTF8, _LIST = 0, 3
_STRING_TYPE, _LIST_TYPE, _INTEGER_TYPE = 1, 3, 10
_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _BYTE_ARRAY = 0, 1, 2, 4, 5, 6


class _Stored(NamedTuple):
    """How the values of a type are stored: as which of Parquet's types, and what else is told of them.

    `converted` and `integer` (its bits, and whether it has a sign) are told where the type alone does not say it.
    """

    kind: int
    physical: int
    width: int = 0
    converted: int | None = None
    integer: tuple[int, bool] | None = None


_STORED: dict[pa.DataType, _Stored] = {
    pa.bool_(): _Stored(BOOL, _BOOLEAN),
    pa.int8(): _Stored(NUMBER, _INT32, 4, 15, (8, True)),
    pa.int16(): _Stored(NUMBER, _INT32, 4, 16, (16, True)),
    pa.int32(): _Stored(NUMBER, _INT32, 4),
    pa.int64(): _Stored(NUMBER, _INT64, 8),
    pa.uint8(): _Stored(NUMBER, _INT32, 4, 11, (8, False)),
    pa.uint16(): _Stored(NUMBER, _INT32, 4, 12, (16, False)),
    pa.uint32(): _Stored(NUMBER, _INT32, 4, 13, (32, False)),
    pa.uint64(): _Stored(NUMBER, _INT64, 8, 14, (64, False)),
    pa.float32(): _Stored(NUMBER, _FLOAT, 4),
    pa.float64(): _Stored(NUMBER, _DOUBLE, 8),
    pa.string(): _Stored(TEXT, _BYTE_ARRAY, 0, _UTF8),
}
_IN_FOUR_BYTES = {pa.int8(): pa.int32(), pa.int16(): pa.int32(), pa.uint8(): pa.uint32(), pa.uint16(): pa.uint32()}


class Leaf(NamedTuple):
    """Values at the bottom of a column.

    Attributes:
        path: the names from the column's own down to the leaf's.
        type: that of the values.
        field: which field of a structure it is; -1 where there is none.
    """

    path: tuple[str, ...]
    type: pa.DataType
    field: int = -1

    @property
    def name(self) -> str:
        """The path as Arrow tells it."""
        return ".".join(self.path)

    @property
    def kind(self) -> int:
        """What the encoder calls it: BOOL, NUMBER or TEXT."""
        return _STORED[self.type].kind

    @property
    def physical(self) -> int:
        """Parquet's number of the type as which it is stored."""
        return _STORED[self.type].physical

    @property
    def width(self) -> int:
        """The bytes of a number; 0 of what is none."""
        return _STORED[self.type].width

    @property
    def unsigned(self) -> bool:
        """Whether its values are numbers that have no sign."""
        return bool(pa.types.is_unsigned_integer(self.type))


def leaves_of(name: str, data_type: pa.DataType) -> list[Leaf]:
    """The leaves of a column, in Parquet's order.

    Raises:
        ValueError: a dataset cannot hold the type.
    """
    leaves = _leaves((name,), data_type)
    for leaf in leaves:
        if leaf.type not in _STORED:
            raise ValueError(f"a dataset has no columns of type {data_type}")
    return leaves


def _leaves(path: tuple[str, ...], data_type: Any) -> list[Leaf]:
    if is_list(data_type):
        return _leaves((*path, "list", "element"), data_type.value_type)
    if is_struct(data_type):
        return [Leaf((*path, field.name), field.type, index) for index, field in enumerate(data_type)]
    return [Leaf(path, data_type)]


def list_depth(data_type: Any) -> int:
    """How many layers of lists a column has."""
    return 1 + list_depth(data_type.value_type) if is_list(data_type) else 0


def in_whole_words(data_type: pa.DataType) -> pa.DataType:
    """The type with numbers of four bytes at least, as Parquet stores them."""
    if is_list(data_type):
        return pa.list_(pa.field("element", in_whole_words(data_type.value_type)))
    return _IN_FOUR_BYTES.get(data_type, data_type)


# --- SchemaElement of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift -------------


def write_schema(out: CompactWriter, field: int, columns: Sequence[tuple[str, pa.DataType]]) -> None:
    """Write the tree of all columns, flattened, as a field of what is written: each element before those below it."""
    out.structs(field, 1 + sum(_elements(data_type) for _, data_type in columns))
    out.begin()
    out.number(3, 0)
    out.binary(4, b"schema")
    out.number(5, len(columns))
    out.end()
    for name, data_type in columns:
        _write_element(out, name, data_type)


def _elements(data_type: Any) -> int:
    if is_list(data_type):
        return 2 + _elements(data_type.value_type)
    return 1 + data_type.num_fields if is_struct(data_type) else 1


def _write_element(out: CompactWriter, name: str, data_type: Any) -> None:
    """An element and those below it; nothing in a dataset is required."""
    if is_list(data_type):
        _write_group(out, name, _OPTIONAL, 1, is_list=True)
        _write_group(out, "list", _REPEATED, 1)
        _write_element(out, "element", data_type.value_type)
    elif is_struct(data_type):
        _write_group(out, name, _OPTIONAL, data_type.num_fields)
        for field in data_type:
            _write_element(out, field.name, field.type)
    else:
        _write_leaf(out, name, _STORED[data_type])


def _write_group(out: CompactWriter, name: str, repetition: int, children: int, *, is_list: bool = False) -> None:
    out.begin()
    out.number(3, repetition)
    out.binary(4, name.encode())
    out.number(5, children)
    if is_list:
        out.number(6, _LIST)
        out.struct(10)
        out.struct(_LIST_TYPE)
        out.end()
        out.end()
    out.end()


def _write_leaf(out: CompactWriter, name: str, stored: _Stored) -> None:
    out.begin()
    out.number(1, stored.physical)
    out.number(3, _OPTIONAL)
    out.binary(4, name.encode())
    if stored.converted is not None:
        out.number(6, stored.converted)
        out.struct(10)
        _write_logical_type(out, stored)
        out.end()
    out.end()


def _write_logical_type(out: CompactWriter, stored: _Stored) -> None:
    if stored.integer is None:
        out.struct(_STRING_TYPE)
    else:
        bits, signed = stored.integer
        out.struct(_INTEGER_TYPE)
        out.byte(1, bits)
        out.flag(2, signed)
    out.end()
