"""Columns of texts by the chunk: out of lines with tabs or commas, out of INFO, into numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

OTHER_COLUMNS = "lines with another number of columns than the header"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_NUMBER = r"^[0-9]{1,18}$"
_COUNT = r"^[0-9]{1,9}$"
_MISSING = ("", ".", "NA", "nan", "NaN")


def split_lines(
    text: memoryview, names: Sequence[str], wanted: Sequence[str], unused: Counter[str], delimiter: str = "\t"
) -> dict[str, pa.Array]:
    """The wanted columns of whole lines, as texts; lines with another number of columns are counted and left out."""

    def count(_: object) -> str:
        unused[OTHER_COLUMNS] += 1
        return "skip"

    table = pa_csv.read_csv(
        pa.py_buffer(text),
        read_options=pa_csv.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, quote_char=False, double_quote=False, escape_char=False, invalid_row_handler=count
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=list(wanted),
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    return {name: _one(table[name]) for name in wanted}


def info_field(info: pa.Array, key: str) -> pa.StringArray:
    """The text of an INFO key in each record; missing where it is not there or is `.`."""
    found = pc.extract_regex(info, f"(?:^|;){re.escape(key)}=(?P<value>[^;]*)")
    values = pc.struct_field(found, "value")
    return missing_as_null(pc.if_else(found.is_valid(), values, None))


def missing_as_null(texts: pa.StringArray) -> pa.StringArray:
    """Without the signs for a missing value."""
    return pc.if_else(pc.is_in(texts, value_set=pa.array(_MISSING)), None, texts)


def as_float(texts: pa.StringArray, what: str, unused: Counter[str]) -> pa.DoubleArray:
    """Numbers; what is none, and no sign for a missing value, is counted and missing."""
    return _as_number(texts, _NUMBER, pa.float64(), what, unused)


def as_integer(texts: pa.StringArray, what: str, unused: Counter[str]) -> pa.Int64Array:
    """Whole numbers from 0; what is none, and no sign for a missing value, is counted and missing."""
    return _as_number(texts, _WHOLE_NUMBER, pa.int64(), what, unused)


def as_count(texts: pa.StringArray, what: str, unused: Counter[str]) -> pa.Int32Array:
    """Whole numbers from 0 below a billion; what is none, and no sign for a missing value, is counted and missing."""
    return _as_number(texts, _COUNT, pa.int32(), what, unused)


def _as_number(texts: pa.StringArray, pattern: str, data_type: pa.DataType, what: str, unused: Counter[str]) -> Any:
    texts = missing_as_null(texts)
    fine = pc.match_substring_regex(texts, pattern)
    wrong = len(texts) - texts.null_count - (pc.sum(fine).as_py() or 0)
    if wrong:
        unused[f"values of {what} that are not numbers"] += wrong
        texts = pc.if_else(fine, texts, None)
    return pc.cast(texts, data_type)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
