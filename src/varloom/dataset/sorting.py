"""Sort orders: `-qual,position` and the SQL for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.dataset.problems import SORT_INVALID
from varloom.errors import Place, VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.dataset.table_columns import TableColumn, TableColumns


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of a sort order."""

    column: str
    descending: bool = False


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """Read a sort order: names with commas between them, a minus in front for descending, quotes where needed.

    Raises:
        VarloomError: `sort_invalid`.
    """
    keys: list[SortKey] = []
    rest = text.strip()
    while rest:
        descending = rest.startswith("-")
        name, rest = _name(text, rest[1:] if descending else rest)
        keys.append(SortKey(name, descending))
    return tuple(keys)


def sort_text(keys: Sequence[SortKey]) -> str:
    """The text of a sort order; `parse_sort` reads it back."""
    return ",".join(("-" if key.descending else "") + _quoted(key.column) for key in keys)


def order_by(keys: Sequence[SortKey], columns: TableColumns) -> tuple[str, str]:
    """The FROM clause and the ORDER BY list for a sort order.

    Missing values come last in both directions, equal rows stay in row order, and contigs come in the order of the
    file, so that chr2 stands before chr10.

    Raises:
        VarloomError: `column_unknown`.
    """
    found = [(columns.require(key.column), key.descending) for key in keys]
    source = "cells"
    terms = []
    for column, descending in found:
        expression = column.sql
        if _is_contig(column):
            source = f"cells LEFT JOIN contig_order ON {column.sql} = contig_order.contig"
            expression = "contig_order.place"
        terms.append(f"{expression} {'DESC' if descending else 'ASC'} NULLS LAST")
    return source, ", ".join([*terms, "c0"])


def _is_contig(column: TableColumn) -> bool:
    return column.name == "contig" and column.column.origin == "VCF"


def _name(text: str, rest: str) -> tuple[str, str]:
    """The name at the start of `rest`, and what follows its comma."""
    if not rest.startswith('"'):
        name, comma, rest = rest.partition(",")
        if not name.strip() or (comma and not rest.strip()):
            raise _invalid(text, "a column name was expected")
        return name.strip(), rest.lstrip()
    end = 1
    while (end := rest.find('"', end)) >= 0 and rest[end : end + 2] == '""':
        end += 2
    if end < 0:
        raise _invalid(text, "a double quote is opened and never closed")
    name, rest = rest[1:end].replace('""', '"'), rest[end + 1 :].lstrip()
    if rest and (not rest.startswith(",") or not rest[1:].strip()):
        raise _invalid(text, "a comma and another name were expected after the closing quote")
    return name, rest[1:].lstrip()


def _quoted(name: str) -> str:
    plain = name and name == name.strip() and not name.startswith(("-", '"')) and "," not in name
    return name if plain else '"' + name.replace('"', '""') + '"'


def _invalid(text: str, expected: str) -> VarloomError:
    shown = safe_excerpt(text, 60)
    return VarloomError(SORT_INVALID, f"In the sort order {shown!r} {expected}.", Place(excerpt=shown))
