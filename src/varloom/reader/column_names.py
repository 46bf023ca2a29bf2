"""Names of columns, each given once: names that differ only in case count as the same, as they do in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import safe_excerpt
from varloom.reader.problems import COLUMN_RENAMED

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis


class ColumnNames:
    """Gives out unique names; the one that comes second gets a number, with a warning."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self._taken: set[str] = set()
        self._diagnosis = diagnosis

    def claim(self, wanted: str) -> str:
        """`wanted` itself, or `wanted_2`, `wanted_3` ... when it is taken."""
        name, number = wanted, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name.casefold())
        if name != wanted:
            self._diagnosis.warn(
                COLUMN_RENAMED,
                wanted,
                f"There is another column {safe_excerpt(wanted, 60)!r} (letters' case aside); "
                f"this one is called {safe_excerpt(name, 70)!r}.",
            )
        return name
