"""Which rows answer a question, in which order, and how they are fetched.

Pages are never found by OFFSET. Without filter and order the row numbers follow from the offset; otherwise they are
found once, kept, and cut; only then are the columns of the page's rows read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from varloom.dataset import statements
from varloom.dataset.filter_sql import EVERYTHING, Condition
from varloom.dataset.row_count import FIRST_ROWNO
from varloom.dataset.sorting import SortKey, order_by
from varloom.dataset.values import json_safe, needs_care

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.dataset.permutations import Permutations, RowNumbers
    from varloom.dataset.sessions import Session
    from varloom.dataset.table_columns import TableColumn

FIRST_ROWS = 2_000
"""So many first rows of a sort order are found before the whole order, which takes several times as long."""

_NEAR_ROWS = 100_000
"""Rows that lie so near to each other are in one or two row groups."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of one dataset that a condition selects, in a sort order.

    Attributes:
        permutations: the whole orders that are known.
        beginnings: the first rows of orders.
    """

    session: Session
    condition: Condition
    keys: tuple[SortKey, ...]
    permutations: Permutations
    beginnings: Permutations

    @property
    def is_to_be_found(self) -> bool:
        """Whether the whole order of the rows is not known yet, and would be of use."""
        return bool(self.keys) and self.permutations.peek(self._key) is None

    def find(self) -> None:
        """Find the whole order, unless it is known."""
        self.permutations.get(self._key, self._find)

    @property
    def _key(self) -> tuple[Any, ...]:
        return (*self._content_key, self.condition.key, self.keys)

    @property
    def _content_key(self) -> tuple[Any, ...]:
        dataset = self.session.dataset
        return dataset.directory, dataset.manifest.content_hash

    def all_numbers(self) -> RowNumbers:
        """The numbers of all selected rows, in the order."""
        return self.permutations.get(self._key, self._find)

    def count(self) -> int:
        """How many rows are selected."""
        if self.condition == EVERYTHING:
            return self.session.dataset.manifest.variants
        unsorted_key = (*self._content_key, self.condition.key, ())
        for key in (self._key, unsorted_key):
            known = self.permutations.peek(key)
            if known is not None:
                return len(known)
        sql = statements.count_rows(self.condition.sql)
        return int(self.session.fetch(sql, self.condition.parameters)[0][0])

    def page(self, offset: int, limit: int) -> RowNumbers:
        """The row numbers of the page."""
        if self.condition == EVERYTHING and not self.keys:
            end = min(offset + limit, self.session.dataset.manifest.variants)
            return np.arange(FIRST_ROWNO + offset, FIRST_ROWNO + max(offset, end), dtype=np.uint64)
        known = self.permutations.peek(self._key)
        if known is None and self.keys and offset + limit <= FIRST_ROWS:
            known = self.beginnings.get(self._key, lambda: self._find(FIRST_ROWS))
        if known is None:
            known = self.all_numbers()
        return known[offset : offset + limit]

    def _find(self, most: int | None = None) -> RowNumbers:
        return find_numbers(self.session, self.condition, self.keys, most)

    def fetch(self, numbers: RowNumbers, columns: Sequence[TableColumn]) -> list[dict[str, Any]]:
        """The named columns of the rows with these numbers, in their order; `rowno` is always among them."""
        if not len(numbers):
            return []
        found = {row[0]: row for row in self._cells([column.sql for column in columns], numbers)}
        names = [column.name for column in columns]
        careful = [column.name for column in columns if needs_care(column.column.type)]
        return [_row(found[number], names, careful) for number in numbers.tolist()]

    def _cells(self, expressions: Sequence[str], numbers: RowNumbers) -> list[tuple[Any, ...]]:
        """Cells of these rows, each after its number: neighbours are read as one range, wherever they lie."""
        first, last = int(numbers.min()), int(numbers.max())
        if last - first >= _NEAR_ROWS:
            return self.session.fetch_scattered(expressions, numbers.tolist())
        parameters: dict[str, Any] = {"first": first, "last": last}
        some = last - first + 1 != len(numbers)
        if some:
            parameters["numbers"] = numbers.tolist()
        return self.session.fetch(statements.rows_between(expressions, some=some), parameters)


def find_numbers(
    session: Session, condition: Condition, keys: Sequence[SortKey], most: int | None = None
) -> RowNumbers:
    """The numbers of the rows that a condition selects, in a sort order; of the first `most` rows only."""
    source, order = order_by(keys, session.columns)
    sql = statements.row_numbers(source, condition.sql, order, most)
    found = session.run(sql, condition.parameters, lambda cursor: cursor.fetchnumpy()["c0"])
    small = session.dataset.manifest.variants + FIRST_ROWNO < 2**32
    numbers: RowNumbers = np.asarray(found).astype(np.uint32 if small else np.uint64)
    return numbers


def _row(cells: tuple[Any, ...], names: Sequence[str], careful: Sequence[str]) -> dict[str, Any]:
    row = {"rowno": cells[0], **dict(zip(names, cells[1:], strict=True))}
    for name in careful:
        row[name] = json_safe(row[name])
    return row
