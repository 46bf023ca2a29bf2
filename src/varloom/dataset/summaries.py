"""What a column holds: its most frequent values, or the distribution of its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from varloom.dataset import statements
from varloom.dataset.problems import COLUMN_NOT_NUMERIC, PAGE_INVALID
from varloom.dataset.table_columns import TableColumn, ValueKind
from varloom.dataset.values import json_safe
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from varloom.dataset.filter_sql import Condition
    from varloom.dataset.sessions import Session

MOST_FACETS = 10_000
MOST_BINS = 1_000


@dataclass(frozen=True, slots=True)
class Facets:
    """The most frequent values of a column among the selected rows.

    Attributes:
        values: each with the number of rows that have it, most frequent first; of a column of lists, each element.
        distinct: how many different values there are, whatever was searched for.
        missing: rows without a value.
    """

    column: str
    values: tuple[tuple[Any, int], ...]
    distinct: int
    missing: int

    def as_dict(self) -> dict[str, Any]:
        """What the API answers."""
        values = [{"value": value, "count": count} for value, count in self.values]
        return {"column": self.column, "values": values, "distinct": self.distinct, "missing": self.missing}


@dataclass(frozen=True, slots=True)
class Histogram:
    """How the numbers of a column are distributed among the selected rows.

    Attributes:
        edges: one more than there are bins; a bin holds its lower edge, the last one its upper edge too.
        counts: numbers in each bin; of a column of lists, elements.
        missing: rows without a value.
        odd: numbers that no bin can hold: NaN and infinities.
    """

    column: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    odd: int

    def as_dict(self) -> dict[str, Any]:
        """What the API answers."""
        return {
            "column": self.column,
            "edges": list(self.edges),
            "counts": list(self.counts),
            "missing": self.missing,
            "odd": self.odd,
        }


def find_facets(session: Session, column: TableColumn, condition: Condition, search: str, limit: int) -> Facets:
    """The most frequent values; with `search` those whose text contains it, letters' case aside.

    Raises:
        VarloomError: `page_invalid`.
    """
    if not 1 <= limit <= MOST_FACETS:
        raise VarloomError(PAGE_INVALID, f"The limit {limit} is not between 1 and {MOST_FACETS:,}.")
    value = f"unnest(list_distinct({column.sql}))" if column.is_list else column.sql
    parameters = condition.parameters | {"search": search, "limit": limit}
    found = session.fetch(statements.value_counts(value, condition.sql), parameters)
    distinct = found[0][2] if found else _distinct(session, value, condition)
    values = tuple((json_safe(value), rows) for value, rows, _ in found)
    return Facets(column.name, values, distinct, _missing(session, column, condition))


def find_histogram(session: Session, column: TableColumn, condition: Condition, bins: int) -> Histogram:
    """The distribution over equal bins from the smallest to the largest number.

    Whole numbers with fewer different values than bins get one bin each.

    Raises:
        VarloomError: `column_not_numeric` or `page_invalid`.
    """
    if column.kind is not ValueKind.NUMBER:
        raise VarloomError(COLUMN_NOT_NUMERIC, f"The column {column.name} does not hold numbers.")
    if not 1 <= bins <= MOST_BINS:
        raise VarloomError(PAGE_INVALID, f"The number of bins {bins} is not between 1 and {MOST_BINS:,}.")
    value = f"unnest({column.sql})" if column.is_list else column.sql
    usable = "isfinite(value)" if pa.types.is_floating(column.value_type) else "value IS NOT NULL"
    span = session.fetch(statements.span(value, condition.sql, usable), condition.parameters)
    low, high, inside, present = span[0]
    missing = _missing(session, column, condition)
    if not inside:
        return Histogram(column.name, (), (), missing, present)
    edges = _edges(low, high, bins, whole=pa.types.is_integer(column.value_type))
    width = edges[1] - edges[0]
    counted = session.fetch(
        statements.bin_counts(value, condition.sql, usable),
        condition.parameters | {"last": len(edges) - 2, "width": float(width), "low": float(edges[0])},
    )
    counts = [0] * (len(edges) - 1)
    for place_found, count in counted:
        counts[place_found] = count
    return Histogram(column.name, edges, tuple(counts), missing, present - inside)


def _edges(low: float, high: float, bins: int, *, whole: bool) -> tuple[float, ...]:
    if whole and high - low < bins:
        return tuple(range(int(low), int(high) + 2))
    if low == high:
        return (low, low + max(1.0, abs(low) * 1e-9))
    width = high / bins - low / bins
    return (*(low + width * number for number in range(bins)), high)


def _distinct(session: Session, value: str, condition: Condition) -> int:
    sql = statements.count_distinct(value, condition.sql)
    return int(session.fetch(sql, condition.parameters)[0][0])


def _missing(session: Session, column: TableColumn, condition: Condition) -> int:
    sql = statements.count_missing(column.sql, condition.sql)
    return int(session.fetch(sql, condition.parameters)[0][0])
