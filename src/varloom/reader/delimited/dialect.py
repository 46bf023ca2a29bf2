"""How a CSV or TSV is written: separator, quote and line end, found in its first text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, replace

from varloom.genomics.recognition import PERSONAL_EXPORT

SEPARATORS = (",", "\t", ";", "|")
_LOOKED_AT_ROWS = 200
_ANNOUNCEMENT = re.compile(r'(?:sep=([^\w" \r\n])|"sep=([^\w" \r\n])")(?:\r?\n|\r|$)', re.IGNORECASE)
_TRUSTED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells and lines are told apart.

    Attributes:
        separator: of cells.
        line_end: end of lines.
        quotes: whether double quotes enclose cells, or are letters like any other.
        above: how many lines stand above the header row and are no rows: a spreadsheet's note of the separator, such as
            `sep=;`, or the comments of a personal genotype export.
        mark: what makes a comment of the header row of such an export; it belongs to no cell.
    """

    separator: str
    line_end: str = "\n"
    quotes: bool = True
    above: int = 0
    mark: str = ""


def find_dialect(sample: str, *, whole: bool, named_tsv: bool = False) -> Dialect:
    """The dialect of a text that starts with `sample`; `whole` tells that the sample is all of it.

    The separator is the one that the first line announces; else a tab in a file named TSV, unless tabs cut fewer than
    half of its rows alike; else the one that cuts the most rows into the same number of cells, and then into the most
    cells.
    """
    line_end = "\r" if "\r" in sample and "\n" not in sample else "\n"
    if announcement := _ANNOUNCEMENT.match(sample):
        return Dialect(announcement[1] or announcement[2], line_end, above=1)
    above, mark = _comments(sample)
    found = _found(sample[above + len(mark) :], line_end, whole=whole, named_tsv=named_tsv)
    return replace(found, above=sample.count("\n", 0, above), mark=mark)


def _comments(sample: str) -> tuple[int, str]:
    """How many characters of comments stand above the header row of a personal export, and its own comment mark.

    A table whose first column is called `#rsid`, without comments above, is a table like any other.
    """
    match = PERSONAL_EXPORT.match(sample)
    if match is None or ("#" not in match["above"] and (match["mark"] or "#") == "#"):
        return 0, ""
    return match.end("above"), match["mark"] or ""


def _found(sample: str, line_end: str, *, whole: bool, named_tsv: bool) -> Dialect:
    lines = sample.split(line_end)
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    scores = {separator: _score(lines, separator) for separator in SEPARATORS}
    if named_tsv and scores["\t"][0] >= _TRUSTED_SHARE:
        return Dialect("\t", line_end)
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
