"""What the content hash makes of Arrow's layouts; tests/unit/test_dataset_writer.py holds it to its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from varloom.dataset.content_hash import ColumnDigest, values_of


def digest(*arrays: Any) -> bytes:
    found = ColumnDigest(arrays[0].type)
    for array in arrays:
        found.add(values_of(pa.chunked_array([array])))
    return found.digest()


def with_missing(array: Any, *missing: int) -> Any:
    """The array with values taken away whose bytes stay where they are."""
    present = np.ones(len(array), np.uint8)
    present[list(missing)] = 0
    bitmap = pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    children = [array.values] if pa.types.is_list(array.type) else None
    return pa.Array.from_buffers(
        array.type, len(array), [bitmap, *array.buffers()[1 : 2 if children else None]], children=children
    )


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "bc", "", "def"]),
        pa.array([[1], [2, 3], [], [4]]),
        pa.array([["a"], ["b", None], [], ["c"]]),
        pa.array([1.0, 2.0, float("nan"), 4.0]),
        pa.array([1, 2, 3, 4], pa.int8()),
        pa.array([True, False, True, True]),
    ],
)
def test_what_lies_beneath_a_missing_value_does_not_count(values: Any) -> None:
    hidden = with_missing(values, 1, 3)
    assert digest(hidden) == digest(pa.array(hidden.to_pylist(), hidden.type))
    assert digest(hidden.slice(1, 3)) == digest(pa.array(hidden.slice(1, 3).to_pylist(), hidden.type))


def test_every_nan_is_the_same_and_zeros_are_not() -> None:
    other_nan = pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(bytes.fromhex("010000000000f8ff"))])
    assert digest(other_nan) == digest(pa.array([float("nan")]))
    assert digest(pa.array([0.0])) != digest(pa.array([-0.0]))


def test_missing_empty_and_moved_values_differ() -> None:
    kinds: list[list[str | None]] = [
        ["ab", ""],
        ["", "ab"],
        ["a", "b"],
        ["ab", None],
        [None, "ab"],
        ["ab"],
        ["ab", "", None],
        ["ab", None, None],
        [None, None],
        [None],
        [""],
        [],
    ]
    assert len({digest(pa.array(values, pa.string())) for values in kinds}) == len(kinds)


def test_pieces_leave_no_trace() -> None:
    values = [None if number % 7 == 5 else str(number) * (number % 4) for number in range(200)]
    lists = [[value] * (len(value or "") % 3) for value in values]
    numbers = [None if number % 50 in range(9) else number / 8 for number in range(200)]
    for array in (pa.array(values), pa.array(lists), pa.array(numbers), pa.array([None, True, False, True] * 50)):
        expected = digest(array)
        assert digest(*(array.slice(start, 9) for start in range(0, 200, 9))) == expected
        together = ColumnDigest(array.type)
        together.add(values_of(pa.chunked_array([array.slice(0, 90), array.slice(90, 0), array.slice(90)])))
        assert together.digest() == expected
