"""Results of bounded size: long texts are cut, and what was cut is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CELL_LIMIT = 300
"""The most characters of one value of a table or an annotation."""
MESSAGE_LIMIT = 1_000
"""The most characters of one message."""
NAME_LIMIT = 200


def plain(text: object, limit: int = MESSAGE_LIMIT) -> str:
    """Text of a user or a server on one line, without control characters, cut."""
    return safe_excerpt(str(text), limit)


def plain_or_none(text: object, limit: int = MESSAGE_LIMIT) -> str | None:
    """The same; None stays None."""
    return None if text is None else plain(text, limit)


class Cutter:
    """Cuts values, and remembers under which names it did."""

    def __init__(self, limit: int = CELL_LIMIT) -> None:
        self.limit = limit
        self.names: dict[str, None] = {}

    def value(self, name: str, value: Any) -> Any:
        """The value; one that is longer than the limit becomes the beginning of its text, or of its JSON text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        text = value if isinstance(value, str) else as_text(value)
        if len(text) <= self.limit:
            return value
        self.names[name] = None
        return text[: self.limit] + "…"

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of a table, or the values of an annotation, by name."""
        return {name: self.value(name, value) for name, value in row.items()}


def as_text(value: Any) -> str:
    """A value as text: texts as they are, lists and structs as JSON, a missing one as nothing."""
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def text_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lines of cells with tabs between them, the names first."""
    lines = [names, *rows]
    return "\n".join("\t".join(plain(as_text(cell), CELL_LIMIT + 1) for cell in line) for line in lines)
