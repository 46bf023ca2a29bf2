"""Cells as JSON can carry them."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from varloom.dataset.column_types import is_list

LARGEST_EXACT = 2**53 - 1
"""The largest whole number that a browser reads exactly; what is larger is rounded there without a word."""


def needs_care(data_type: pa.DataType) -> bool:
    """Whether values of the type may be NaN, infinite or too large for a JSON number of a browser."""
    if is_list(data_type):
        return needs_care(data_type.value_type)
    return data_type in {pa.float32(), pa.float64(), pa.int64(), pa.uint64()}


def json_safe(value: Any) -> Any:
    """A cell as every reader of JSON understands it.

    NaN and infinities become the texts `NaN`, `Infinity` and `-Infinity`: not null, for null is a missing value. Whole
    numbers beyond 2^53 become text, for browsers would round them.
    """
    if isinstance(value, list):
        return [json_safe(element) for element in value]
    if isinstance(value, dict):
        return {name: json_safe(element) for name, element in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        return str(value)
    return value
