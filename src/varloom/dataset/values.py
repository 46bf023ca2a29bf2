"""Cells as JSON can carry them."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from varloom.dataset.column_types import is_list


def may_hold_odd_floats(data_type: pa.DataType) -> bool:
    """Whether values of the type may be NaN or infinite, which JSON has no numbers for."""
    return may_hold_odd_floats(data_type.value_type) if is_list(data_type) else pa.types.is_floating(data_type)


def json_safe(value: Any) -> Any:
    """A cell without NaN and infinities: they become the texts `NaN`, `Infinity` and `-Infinity`.

    They are not null, for null is a missing value. Integers stay integers, however long.
    """
    if isinstance(value, list):
        return [json_safe(element) for element in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
