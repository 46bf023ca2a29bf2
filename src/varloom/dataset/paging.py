"""Pages: cursors that only Varloom makes, and permutations that are found once."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from varloom.dataset.cursors import open_cursor, seal_cursor
from varloom.dataset.problems import PAGE_INVALID
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

RowNumbers: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""The `rowno` of selected rows, in the order of the answer."""

LARGEST_PAGE = 10_000
"""The most rows that one page can have."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the table.

    Attributes:
        rows: a dictionary a row, by column name; `rowno` is always there.
        offset: how many rows stand before the page in the answer.
        total: how many rows the filter selects.
        next: the cursor of the next page; None on the last.
    """

    rows: list[dict[str, Any]]
    offset: int
    total: int
    next: str | None

    def as_dict(self) -> dict[str, Any]:
        """What the API answers."""
        return {"rows": self.rows, "offset": self.offset, "total": self.total, "next": self.next}


def check_page(offset: int, limit: int) -> None:
    """See that a page can be served.

    Raises:
        VarloomError: `page_invalid`.
    """
    if not 0 <= offset < 2**63:
        raise VarloomError(PAGE_INVALID, f"The offset {offset} is not 0 or more.")
    if not 1 <= limit <= LARGEST_PAGE:
        raise VarloomError(PAGE_INVALID, f"The limit {limit} is not between 1 and {LARGEST_PAGE:,}.")


def make_cursor(offset: int, question: Sequence[str]) -> str:
    """The cursor of the page at `offset` of a question: dataset, filter and sort order."""
    return seal_cursor(struct.pack(">Q", offset), question)


def read_cursor(cursor: str, question: Sequence[str]) -> int:
    """The offset within a cursor.

    Raises:
        VarloomError: `cursor_invalid`.
    """
    return int(struct.unpack(">Q", open_cursor(cursor, question))[0])


class Permutations:
    """The row numbers of questions that were asked last, bounded in bytes; each is found by one thread only."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._finding: dict[Hashable, threading.Lock] = {}
        self._found: OrderedDict[Hashable, RowNumbers] = OrderedDict()
        self.bytes = 0

    def peek(self, key: Hashable) -> RowNumbers | None:
        """The row numbers if they are known."""
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
            return found

    def get(self, key: Hashable, find: Callable[[], RowNumbers]) -> RowNumbers:
        """The row numbers, found now if they are not known."""
        with self._lock:
            finding = self._finding.setdefault(key, threading.Lock())
        with finding:
            try:
                found = self.peek(key)
                if found is None:
                    found = find()
                    self._keep(key, found)
                return found
            finally:
                with self._lock:
                    self._finding.pop(key, None)

    def _keep(self, key: Hashable, found: RowNumbers) -> None:
        if found.nbytes > self._most_bytes:
            return
        with self._lock:
            replaced = self._found.pop(key, None)
            self._found[key] = found
            self.bytes += found.nbytes - (0 if replaced is None else replaced.nbytes)
            while self.bytes > self._most_bytes:
                _, dropped = self._found.popitem(last=False)
                self.bytes -= dropped.nbytes
