"""The types that a dataset's columns can have, and their names in the manifest."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

_SCALARS: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
}
_NAMES: dict[pa.DataType, str] = {data_type: name for name, data_type in _SCALARS.items()}
_STRINGS = (pa.string(), pa.large_string(), pa.string_view())


def plain_type(data_type: pa.DataType) -> pa.DataType:
    """The logical type behind an Arrow layout: dictionaries, views and large offsets are how, not what.

    Raises:
        ValueError: a dataset cannot hold the type.
    """
    if pa.types.is_dictionary(data_type):
        return plain_type(data_type.value_type)
    if data_type in _STRINGS:
        return pa.string()
    if is_list(data_type):
        return pa.list_(pa.field("element", plain_type(data_type.value_type)))
    if is_struct(data_type):
        return _struct([field.name for field in data_type if plain_type(field.type) == pa.string()], data_type)
    if pa.types.is_null(data_type):
        return pa.string()
    if data_type not in _NAMES:
        raise ValueError(f"a dataset has no columns of type {data_type}")
    return data_type


def type_name(data_type: pa.DataType) -> str:
    """The name of a type in the manifest, such as `int32`, `list<string>` or `list<struct<"Allele","Gene">>`."""
    data_type = plain_type(data_type)
    if is_struct(data_type):
        return f"struct<{json.dumps(field_names(data_type), ensure_ascii=False, separators=(',', ':'))[1:-1]}>"
    if is_list(data_type):
        return f"list<{type_name(data_type.value_type)}>"
    return _NAMES[data_type]


def type_of(name: str) -> pa.DataType:
    """The Arrow type of a name in the manifest; the inverse of `type_name`.

    Raises:
        ValueError: the name is not one of a type.
    """
    if name.startswith("list<") and name.endswith(">"):
        return pa.list_(pa.field("element", type_of(name[5:-1])))
    if name.startswith("struct<") and name.endswith(">"):
        return _struct_of(name)
    if name not in _SCALARS:
        raise ValueError(f"{name!r} is not a column type")
    return _SCALARS[name]


def _struct_of(name: str) -> pa.DataType:
    try:
        names = json.loads(f"[{name[7:-1]}]")
    except ValueError:
        names = []
    if not names or not all(isinstance(each, str) for each in names):
        raise ValueError(f"{name!r} is not a column type")
    return pa.struct([pa.field(each, pa.string()) for each in names])


def _struct(names: list[str], data_type: pa.DataType) -> pa.DataType:
    """A struct of texts; the only kind that a dataset holds."""
    if len(names) != data_type.num_fields or not names:
        raise ValueError(f"a dataset has no columns of type {data_type}")
    return pa.struct([pa.field(name, pa.string()) for name in names])


def is_struct(data_type: pa.DataType) -> bool:
    """Whether a value of the type has fields, each a text."""
    return bool(pa.types.is_struct(data_type))


def field_names(data_type: Any) -> list[str]:
    """The names of a struct's fields."""
    return [field.name for field in data_type]


def is_list(data_type: pa.DataType) -> bool:
    """Whether a value of the type is a list."""
    types: Any = pa.types
    return bool(types.is_list(data_type) or types.is_large_list(data_type) or types.is_list_view(data_type))


def is_numeric(data_type: pa.DataType) -> bool:
    """Whether a value of the type is a number (a bool is not)."""
    return bool(pa.types.is_integer(data_type) or pa.types.is_floating(data_type))
