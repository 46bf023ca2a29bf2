"""Pages, and cursors that only Varloom makes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varloom.dataset.cursors import open_cursor, seal_cursor
from varloom.dataset.problems import PAGE_INVALID
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
