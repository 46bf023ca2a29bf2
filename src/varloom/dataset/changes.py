"""What differs between two versions of a table in the columns that annotation added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from varloom.dataset.manifest import Dataset

ORIGIN = "annotation"
"""Of the columns that are compared; all others are the file's, and the same in every version."""
ROWS_AT_ONCE = 122_880
"""About a row group: only so many rows of both versions are in memory."""
_MEMORY = "400MB"
_COUNTS = (
    "count(*) FILTER (o.{name} IS NOT NULL AND n.{name} IS NOT NULL AND o.{name} IS DISTINCT FROM n.{name}), "
    "count(*) FILTER (o.{name} IS NULL AND n.{name} IS NOT NULL), "
    "count(*) FILTER (o.{name} IS NOT NULL AND n.{name} IS NULL)"
)


class ColumnChanges(NamedTuple):
    """How many rows have another value in one column.

    Attributes:
        changed: had a value, and have another one.
        gained: had none.
        lost: have none any more.
    """

    changed: int
    gained: int
    lost: int


class DatasetChanges(NamedTuple):
    """What differs; the columns that are the same in all rows are left out.

    Attributes:
        columns: by name, those that both versions have.
        added: the names of those that only the newer one has.
        removed: the names of those that only the older one has.
    """

    columns: dict[str, ColumnChanges]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        columns = {name: counts._asdict() for name, counts in self.columns.items()}
        return {"columns": columns, "added": list(self.added), "removed": list(self.removed)}


def changes_between(old: Dataset, new: Dataset, on_step: Callable[[int, int], None]) -> DatasetChanges | None:
    """Compare two versions row by row.

    Args:
        old: the version before.
        new: made of the same file.
        on_step: told after how many rows, and of how many.

    Returns:
        None where there is nothing to compare: the older one has no annotation, or other rows, because an older
        Varloom read the file in another way.

    Raises:
        duckdb.Error: a part cannot be read.
    """
    before, after = _annotated(old), _annotated(new)
    if not before or old.manifest.variants != new.manifest.variants:
        return None
    both = [name for name in after if name in set(before)]
    counts = _counts(old, new, both, on_step) if both else {}
    return DatasetChanges(
        {name: found for name, found in counts.items() if any(found)},
        tuple(name for name in after if name not in set(before)),
        tuple(name for name in before if name not in set(after)),
    )


def _annotated(dataset: Dataset) -> list[str]:
    return [column.name for column in dataset.manifest.columns if column.origin == ORIGIN]


def _counts(
    old: Dataset, new: Dataset, names: Sequence[str], on_step: Callable[[int, int], None]
) -> dict[str, ColumnChanges]:
    """The counts of all columns, added up over the rows a portion at a time."""
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    listed = ", ".join(_COUNTS.format(name=name) for name in quoted)
    portion = "(SELECT * FROM read_parquet($%s) WHERE rowno >= $first AND rowno < $end) AS %s"
    # The names of columns are Varloom's own, and quoted.
    query = f"SELECT {listed} FROM {portion % ('old', 'o')} JOIN {portion % ('new', 'n')} USING (rowno)"  # noqa: S608
    totals = [0] * (3 * len(names))
    files = {"old": [str(path) for path in old.part_paths], "new": [str(path) for path in new.part_paths]}
    rows = new.manifest.variants
    with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY}) as connection:
        for first in range(0, rows, ROWS_AT_ONCE):
            found = connection.execute(query, {**files, "first": first, "end": first + ROWS_AT_ONCE}).fetchall()[0]
            totals = [total + count for total, count in zip(totals, found, strict=True)]
            on_step(min(first + ROWS_AT_ONCE, rows), rows)
    return {name: ColumnChanges(*totals[3 * place : 3 * place + 3]) for place, name in enumerate(names)}
