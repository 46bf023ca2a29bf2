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
        name = self.reserve(wanted)
        self.tell(wanted, name)
        return name

    def reserve(self, wanted: str) -> str:
        """The name that `claim` would give, without its warning: the column may never be."""
        name, number = wanted, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name.casefold())
        return name

    def tell(self, wanted: str, name: str) -> None:
        """Warn that a column has another name than it should."""
        if name != wanted:
            self._diagnosis.warn(
                COLUMN_RENAMED,
                name,
                f"There is another column {safe_excerpt(wanted, 60)!r} (letters' case aside); "
                f"this one is called {safe_excerpt(name, 70)!r}.",
            )
