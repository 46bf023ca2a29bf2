"""Every query that datasets are asked, over the view `cells` with its columns c0, c1, ... (c0 is `rowno`).

What is put into these texts was built by Varloom: names of the view's columns, conditions of `filter_sql`, orders of
`sorting`. Names and values of users are never among it; values are parameters.
"""
# ruff: noqa: S608 -- see above: no text of a user gets here

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


CONTIG_ORDER = (
    "CREATE TABLE contig_order AS SELECT unnest($contigs::VARCHAR[]) AS contig, unnest(range($count::BIGINT)) AS place"
)
"""The place of each contig in the order of the file."""


def count_rows(condition: str) -> str:
    """How many rows a condition selects."""
    return f"SELECT count(*) FROM cells WHERE {condition}"


def row_numbers(source: str, condition: str, order: str, most: int | None) -> str:
    """The numbers of the selected rows in an order; at most `most`."""
    limit = "" if most is None else f" LIMIT {most:d}"
    return f"SELECT c0 FROM {source} WHERE {condition} ORDER BY {order}{limit}"


def nearest_row(contig: str, position: str, condition: str, *, before: bool) -> str:
    """The selected row on a contig of `$contigs` that is nearest to `$position`: the next one, or the last before."""
    side, order = ("<", "DESC") if before else (">=", "ASC")
    return (
        f"SELECT c0, {contig}, {position} FROM cells WHERE {contig} IN (SELECT unnest($contigs::VARCHAR[])) "
        f"AND {position} {side} $position AND {condition} ORDER BY {position} {order}, c0 LIMIT 1"
    )


def scattered_rows(expressions: Sequence[str]) -> str:
    """Cells of the rows in `$numbers`, each after its number."""
    return f"SELECT {', '.join(['c0', *expressions])} FROM cells WHERE c0 IN (SELECT unnest($numbers::BIGINT[]))"


def rows_between(expressions: Sequence[str], *, some: bool) -> str:
    """Cells of the rows from `$first` to `$last`, each after its number; with `some` only those in `$numbers`."""
    listed = " AND c0 IN (SELECT unnest($numbers::BIGINT[]))" if some else ""
    return f"SELECT {', '.join(['c0', *expressions])} FROM cells WHERE c0 BETWEEN $first AND $last{listed}"


def value_counts(value: str, condition: str) -> str:
    """Values with their numbers of rows and the number of different values; `$search` and `$limit` apply."""
    return (
        "WITH found AS MATERIALIZED (SELECT value, count(*) AS rows "
        f"FROM (SELECT {value} AS value FROM cells WHERE {condition}) WHERE value IS NOT NULL GROUP BY value) "
        "SELECT value, rows, (SELECT count(*) FROM found) FROM found "
        "WHERE contains(lower(value::VARCHAR), lower($search)) ORDER BY rows DESC, value LIMIT $limit"
    )


def count_distinct(value: str, condition: str) -> str:
    """How many different values there are."""
    return f"SELECT count(DISTINCT value) FROM (SELECT {value} AS value FROM cells WHERE {condition})"


def count_missing(expression: str, condition: str) -> str:
    """How many selected rows have no value."""
    return f"SELECT count(*) FROM cells WHERE {condition} AND {expression} IS NULL"


def span(value: str, condition: str, usable: str) -> str:
    """Smallest and largest usable value, how many are usable, and how many there are."""
    return (
        f"SELECT min(value) FILTER ({usable}), max(value) FILTER ({usable}), count(*) FILTER ({usable}), "
        f"count(value) FROM (SELECT {value} AS value FROM cells WHERE {condition})"
    )


def bin_counts(value: str, condition: str, usable: str) -> str:
    """How many values are in each bin of `$width` from `$low`; `$last` is the last bin."""
    # Divided before they are subtracted, so that the span of the largest doubles does not overflow.
    place = "greatest(0, least($last, floor(value / $width - $low / $width)))::INTEGER"
    return (
        f"SELECT {place} AS place, count(*) FROM (SELECT {value} AS value FROM cells WHERE {condition}) "
        f"WHERE {usable} GROUP BY place"
    )


def exported_range(expressions: Sequence[str], condition: str) -> str:
    """Cells of the selected rows from `$first` to `$last`, in row order."""
    return f"SELECT {_named(expressions)} FROM cells WHERE c0 BETWEEN $first AND $last AND {condition} ORDER BY c0"


def view_of(columns: Sequence[str], paths: Sequence[str]) -> str:
    """The view `cells` over the parts; a view takes no parameters, so the paths come as literals."""
    return f"CREATE VIEW cells({', '.join(columns)}) AS {_all_of(paths)}"


def copy_of(columns: Sequence[str], paths: Sequence[str]) -> str:
    """The table `cells` with all that is in the parts, in their order."""
    return f"CREATE TABLE cells AS SELECT * FROM ({_all_of(paths)}) AS parts({', '.join(columns)})"


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _all_of(paths: Sequence[str]) -> str:
    return f"SELECT * FROM read_parquet([{', '.join(quoted(path) for path in paths)}])"


def _named(expressions: Sequence[str]) -> str:
    return ", ".join(f"{expression} AS e{number}" for number, expression in enumerate(expressions))
