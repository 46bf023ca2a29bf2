"""Whether the first row of a CSV names its columns or is already data."""

from __future__ import annotations

import re
from itertools import pairwise

from varloom.reader.delimited.inference import CellType

_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*")


def looks_like_data(first: list[str], types: list[CellType]) -> bool:
    """Whether the first row is rather data than names.

    It is when all its cells are numbers or empty, and when at least half of the columns that hold numbers below have
    one in the first row too; evenly rising whole numbers, such as years, count as names.

    Args:
        first: the cells of the first row.
        types: what the cells below them are, column by column.
    """
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    if len(numbers) == sum(1 for cell in first if cell.strip()):
        return True
    numeric = [cell for cell, kind in zip(first, types, strict=True) if kind in {CellType.INTEGER, CellType.FLOAT}]
    also = sum(1 for cell in numeric if _NUMBER.fullmatch(cell))
    return bool(also) and 2 * also >= len(numeric) and not _rises_evenly(numbers)


def _rises_evenly(cells: list[str]) -> bool:
    if len(cells) < 3 or not all(cell.isascii() and cell.isdigit() for cell in cells):
        return False
    values = [int(cell) for cell in cells]
    steps = {after - before for before, after in pairwise(values)}
    return len(steps) == 1 and min(steps) > 0
