"""Orders of a table: as they are written, and as they are kept once they were found."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from varloom.dataset import SortKey, parse_sort, sort_text
from varloom.dataset.permutations import Permutations
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", []),
        ("qual", [SortKey("qual")]),
        ("-qual, position", [SortKey("qual", descending=True), SortKey("position")]),
        ('"a,b",-"c""d"', [SortKey("a,b"), SortKey('c"d', descending=True)]),
        ('-"-x"', [SortKey("-x", descending=True)]),
    ],
)
def test_sort_orders_are_read(text: str, keys: list[SortKey]) -> None:
    assert list(parse_sort(text)) == keys
    assert list(parse_sort(sort_text(keys))) == keys


@pytest.mark.parametrize("text", [",", "qual,", "-", '"qual', '"qual"x', '"a",', "a,,b"])
def test_what_is_no_sort_order_is_refused(text: str) -> None:
    with pytest.raises(VarloomError) as caught:
        parse_sort(text)
    assert caught.value.code == "sort_invalid"


def test_permutations_are_bounded_and_found_once() -> None:
    permutations = Permutations(1_000)
    found = []

    def find() -> Any:
        found.append(1)
        return np.arange(100, dtype=np.uint32)

    threads = [threading.Thread(target=permutations.get, args=("same", find)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    for key in ("second", "third"):
        permutations.get(key, find)
    assert permutations.bytes == 800
    assert permutations.peek("same") is None
    assert permutations.peek("third") is not None
    permutations.get("large", lambda: np.arange(1_000, dtype=np.uint32))
    assert permutations.bytes == 800


def test_orders_that_were_found_are_found_again_in_their_folder(tmp_path: Path) -> None:
    def never() -> Any:
        raise AssertionError("it was found already")

    numbers = np.arange(100, 0, -1, dtype=np.uint32)
    before = Permutations(1_000, tmp_path / "orders")
    before.get(("old", 1.5), lambda: numbers)
    before.get("empty", lambda: numbers[:0])
    assert (tmp_path / "orders").stat().st_mode & 0o77 == 0
    (tmp_path / "orders" / "half.npy.unfinished").write_bytes(b"x")
    (tmp_path / "orders" / "damaged.npy").write_bytes(b"x")
    after = Permutations(1_000, tmp_path / "orders")
    assert after.get(("old", 1.5), never).tolist() == numbers.tolist()
    assert after.get("empty", never).tolist() == []
    assert after.peek(("old", "1.5")) is None
    for key in ("second", "third"):
        after.get(key, lambda: numbers)
    assert after.peek(("old", 1.5)) is None
    assert sum(path.stat().st_size for path in (tmp_path / "orders").iterdir()) < 1_200
