"""How a CSV or TSV is written: separator, quote and line end, found in its first text."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

SEPARATORS = (",", "\t", ";", "|")
_LOOKED_AT_ROWS = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """Separator of cells, end of lines, and whether double quotes enclose cells or are letters like any other."""

    separator: str
    line_end: str = "\n"
    quotes: bool = True


def find_dialect(sample: str, *, whole: bool) -> Dialect:
    """The dialect of a text that starts with `sample`; `whole` tells that the sample is all of it.

    The separator is the one that cuts the most rows into the same number of cells, and then into the most cells.
    """
    line_end = "\r" if "\r" in sample and "\n" not in sample else "\n"
    lines = sample.split(line_end)
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    scores = {separator: _score(lines, separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: scores[separator])
    return Dialect(best if scores[best] > (0.0, 0) else ",", line_end)


def _score(lines: list[str], separator: str) -> tuple[float, int]:
    """Share of rows that have as many cells as most rows, and that number; (0, 0) when it cuts nothing."""
    counts: Counter[int] = Counter()
    try:
        for row in csv.reader([line.rstrip("\r") + "\n" for line in lines[:_LOOKED_AT_ROWS]], delimiter=separator):
            if row:
                counts[len(row)] += 1
    except csv.Error:
        pass
    wide = {cells: rows for cells, rows in counts.items() if cells > 1}
    if not wide:
        return (0.0, 0)
    cells, rows = max(wide.items(), key=lambda item: (item[1], item[0]))
    return (rows / counts.total(), cells)
