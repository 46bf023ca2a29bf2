"""Types of CSV columns, inferred over the whole file and never by a lossy guess.

A column is int64 only when every cell is a plain whole number that is written back the same and that a float holds
too (up to 2^53: longer ones are ids, and programs that read JSON into floats would change them); float64 only when the
number that a cell names is exactly the shortest decimal of its float (so 0.10 is one, 0.12345678901234567890 is not);
bool only when every cell is true or false in one spelling. All else, ids with leading zeros among it, stays text.
Empty cells are missing in every type.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

_INTEGER = re.compile(r"-?[1-9][0-9]{0,15}|0")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?|[eE][-+][0-9]{1,3})?")
_LARGEST_INTEGER = 2**53
_SAFE_LENGTH = 15
FLOAT_KIND, OTHER_KIND = 128, 256
"""What the kernel notes of a column, one bit for each kind of cell; see native/delimited_cells.pxd."""
_BOOLEAN_KINDS = (1 | 2, 4 | 8, 16 | 32)
_SPELLINGS = ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})


class CellType(Enum):
    """What all cells of a column seen so far are."""

    NOTHING = "nothing"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    TEXT = "text"

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of such a column."""
        return _ARROW.get(self, pa.string())


_ARROW = {CellType.BOOLEAN: pa.bool_(), CellType.INTEGER: pa.int64(), CellType.FLOAT: pa.float64()}


def is_integer(text: str) -> bool:
    """Whether the text is a whole number up to 2^53, written as a program writes it."""
    return bool(_INTEGER.fullmatch(text)) and (len(text) < 16 or abs(int(text)) <= _LARGEST_INTEGER)


def is_exact_float(text: str) -> bool:
    """Whether a 64-bit float keeps the number exactly as it is written, trailing zeros apart."""
    if not _FLOAT.fullmatch(text):
        return False
    if len(text) <= _SAFE_LENGTH and "e" not in text and "E" not in text:
        return True
    value = float(text)
    return math.isfinite(value) and Decimal(repr(value)) == Decimal(text)


class ColumnInference:
    """The narrowest type for one column; it only ever widens."""

    def __init__(self) -> None:
        self.type = CellType.NOTHING
        self._spelling: set[str] = set()

    def see(self, cells: Iterable[str]) -> None:
        """Take some more cells into account."""
        if self.type is CellType.TEXT:
            return
        distinct = set(cells)
        distinct.discard("")
        if distinct:
            self.type = self._widened(distinct)

    def _widened(self, cells: set[str]) -> CellType:
        match self.type:
            case CellType.NOTHING if self._is_boolean(cells):
                return CellType.BOOLEAN
            case CellType.BOOLEAN:
                return CellType.BOOLEAN if self._is_boolean(cells) else CellType.TEXT
            case CellType.NOTHING | CellType.INTEGER if all(map(is_integer, cells)):
                return CellType.INTEGER
            case _:
                return CellType.FLOAT if all(map(is_exact_float, cells)) else CellType.TEXT

    def _is_boolean(self, cells: set[str]) -> bool:
        together = self._spelling | cells
        if any(together <= spelling for spelling in _SPELLINGS):
            self._spelling = together
            return True
        return False


def type_of_kinds(kinds: int) -> CellType:
    """The type of a column whose cells were of these kinds."""
    if kinds & OTHER_KIND:
        return CellType.TEXT
    if kinds & sum(_BOOLEAN_KINDS):
        return CellType.BOOLEAN if any(kinds | each == each for each in _BOOLEAN_KINDS) else CellType.TEXT
    if kinds & FLOAT_KIND:
        return CellType.FLOAT
    return CellType.INTEGER if kinds else CellType.NOTHING


def convert(cells: Iterable[str], kind: CellType) -> pa.Array:
    """The cells as an Arrow array of the inferred type; empty ones are missing."""
    values: list[Any]
    match kind:
        case CellType.INTEGER:
            values = [int(cell) if cell else None for cell in cells]
        case CellType.FLOAT:
            values = [float(cell) if cell else None for cell in cells]
        case CellType.BOOLEAN:
            values = [cell.lower() == "true" if cell else None for cell in cells]
        case _:
            values = [cell or None for cell in cells]
    return pa.array(values, kind.arrow)
