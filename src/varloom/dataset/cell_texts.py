"""Columns as texts, a whole column at a time: the cells of CSV and of JSON.

CSV cells that a spreadsheet would take for a formula get a leading apostrophe; numbers never do. Those that have
apostrophes before such a sign get one more, so that one less gives every text back.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.dataset.column_types import field_names, is_list, is_struct

_TEXT = pa.large_string()
_FORMULA_STARTS = "=+-@\t\r"
_FORMULA = r"^'*[=+\-@\t\r]"
_SIGNED_NUMBER = r"^[+-]((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)?$"
_JSON_SPECIAL = r'["\\\x00-\x1f\x7f]'
_JSON_ESCAPED = re.compile(_JSON_SPECIAL.encode())


def csv_cells(column: pa.Array, delimiter: str) -> pa.Array:
    """The cells of a column as they stand in a CSV or TSV file; missing ones are empty, and structs are JSON."""
    if is_struct(_leaf_type(column.type)):
        texts = pc.if_else(pc.is_valid(column), json_cells(column), None).cast(_TEXT)
        return pc.fill_null(_quoted(texts, delimiter), "")
    texts = _plain_texts(column, (",", ";"))
    if _leaf_type(column.type) == pa.string():
        texts = _harmless(texts)
    if is_list(column.type) or column.type == pa.string():
        texts = _quoted(texts, delimiter)
    return pc.fill_null(texts, "")


def csv_only_cells(column: pa.Array, delimiter: str) -> pa.Array:
    """As `csv_cells`, for a file with one column: empty cells are written as `""`, for an empty line is no row."""
    texts = csv_cells(column, delimiter)
    return pc.if_else(pc.equal(texts, ""), '""', texts).cast(_TEXT)


def csv_line(names: list[str], delimiter: str) -> bytes:
    """The header line."""
    cells = _quoted(_harmless(pa.array(names, _TEXT)), delimiter)
    return (delimiter.join(cells.to_pylist()) + "\n").encode("utf-8", "surrogateescape")


def json_cells(column: pa.Array) -> pa.Array:
    """The cells of a column as JSON values; missing ones are null."""
    if is_list(column.type):
        elements = json_cells(_flat(column))
        joined = pc.binary_join(_relisted(column, elements), pa.scalar(",", _TEXT))
        texts = _enclosed("[", joined, "]")
    elif is_struct(column.type):
        texts = _json_objects(column)
    elif column.type == pa.string():
        texts = _json_texts(column.cast(_TEXT))
    else:
        texts = _json_numbers(column)
    return pc.fill_null(texts, "null")


def lines_of(parts: list[Any], separator: str) -> bytes:
    """The rows made of parts (arrays, or texts that are the same in every row), each on a line of its own."""
    *before, last = parts
    # The line break goes into the last part: a join of its own would copy all bytes once more.
    ending = pa.scalar(last.as_py() + "\n", _TEXT) if isinstance(last, pa.Scalar) else _enclosed("", last, "\n")
    if not before:
        return _data(ending)
    return _data(pc.binary_join_element_wise(*before, ending, pa.scalar(separator, _TEXT)))


def _data(texts: pa.Array) -> bytes:
    """The bytes of all texts, one after the other."""
    _, offsets_buffer, data = texts.buffers()
    if not len(texts) or data is None:
        return b""
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)
    return bytes(memoryview(data)[offsets[texts.offset] : offsets[texts.offset + len(texts)]])


def _holds_any(texts: pa.Array, characters: str) -> bool:
    """Whether any of the characters stands anywhere in the texts: a quick look that spares most columns a regex."""
    data = _data(texts)
    return any(character.encode() in data for character in characters)


def _leaf_type(data_type: pa.DataType) -> pa.DataType:
    return _leaf_type(data_type.value_type) if is_list(data_type) else data_type


def _plain_texts(column: pa.Array, separators: tuple[str, ...]) -> pa.Array:
    """Cells as texts without quotes; elements of lists are joined as in a VCF, missing ones being dots.

    Lists of lists, one list for each sample, are joined by the second separator.
    """
    if is_list(column.type):
        nested = is_list(column.type.value_type)
        elements = pc.fill_null(_plain_texts(_flat(column), separators), ".")
        return pc.binary_join(_relisted(column, elements), pa.scalar(separators[1 if nested else 0], _TEXT))
    if pa.types.is_floating(column.type):
        return _float_texts(column)
    return column.cast(_TEXT)


def _float_texts(column: pa.Array) -> pa.Array:
    """Floats in their shortest exact form; `NaN`, `Infinity` and `-Infinity` where they are no numbers."""
    texts = column.cast(_TEXT)
    odd = pc.invert(pc.is_finite(column))
    if not pc.any(odd).as_py():
        return texts
    signed = pc.if_else(pc.greater(column, 0.0), "Infinity", "-Infinity")
    return pc.if_else(odd, pc.if_else(pc.is_nan(column), "NaN", signed), texts).cast(_TEXT)


def _harmless(texts: pa.Array) -> pa.Array:
    """Texts with an apostrophe before what a spreadsheet would run; a sign alone or a signed number is left."""
    if not _holds_any(texts, _FORMULA_STARTS):
        return texts
    risky = pc.and_(
        pc.match_substring_regex(texts, _FORMULA), pc.invert(pc.match_substring_regex(texts, _SIGNED_NUMBER))
    )
    return pc.if_else(risky, _enclosed("'", texts, ""), texts)


def _quoted(texts: pa.Array, delimiter: str) -> pa.Array:
    """Texts in double quotes where they hold the delimiter, a quote or a line break."""
    if not _holds_any(texts, f'"\r\n{delimiter}'):
        return texts
    if _holds_any(texts, '"\r\n'):
        special = pc.match_substring_regex(texts, f'["\\r\\n{delimiter}]')
        doubled = pc.replace_substring(texts, '"', '""')
    else:
        special, doubled = pc.match_substring(texts, delimiter), texts
    return pc.if_else(special, _enclosed('"', doubled, '"'), texts)


def _json_texts(texts: pa.Array) -> pa.Array:
    quoted = _enclosed('"', texts, '"')
    if not _JSON_ESCAPED.search(_data(texts)):
        return quoted
    special = pc.fill_null(pc.match_substring_regex(texts, _JSON_SPECIAL), fill_value=False)
    escaped = [json.dumps(text, ensure_ascii=False) for text in pc.filter(texts, special).to_pylist()]
    return pc.replace_with_mask(quoted, special, pa.array(escaped, _TEXT))


def _json_objects(structs: pa.StructArray) -> pa.Array:
    """Objects with the fields that are there: of the many that annotators list, most are missing in most entries."""
    members = []
    for name, values in zip(field_names(structs.type), structs.flatten(), strict=True):
        key = json.dumps(name, ensure_ascii=False) + ":"
        members.append(_enclosed(key, _json_texts(values.cast(_TEXT)), ""))
    joined = pc.binary_join_element_wise(*members, pa.scalar(",", _TEXT), null_handling="skip")
    objects = _enclosed("{", joined, "}")
    return pc.if_else(pc.is_valid(structs), objects, None) if structs.null_count else objects


def _json_numbers(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column.cast(_TEXT)
    texts = _float_texts(column)
    return pc.if_else(pc.is_finite(column), texts, _json_texts(texts))


def _flat(lists: pa.ListArray) -> pa.Array:
    """The elements of all lists that are there."""
    return lists.flatten()


def _relisted(lists: pa.ListArray, elements: pa.Array) -> pa.Array:
    """The same lists with other elements."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    mask = pc.is_null(lists) if lists.null_count else None
    return pa.LargeListArray.from_arrays(offsets, elements, mask=mask)


def _enclosed(before: str, texts: pa.Array, after: str) -> pa.Array:
    """Each text between two others; missing ones stay missing."""
    return pc.binary_join_element_wise(pa.scalar(before, _TEXT), texts, pa.scalar(after, _TEXT), pa.scalar("", _TEXT))
