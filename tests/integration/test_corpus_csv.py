"""Every CSV of the shared corpus is refused with its line, or arrives whole, each cell as it stands."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from decimal import Decimal

import pytest
from tests.shared_data import SHARED, needs

from varloom.reader import FileRefused, open_reader

CORPUS = SHARED / "corpus"
OTHER_DIALECT = "read with another separator or quote than the manifest's, so it is ragged at another line"
EXCEPTIONS = {
    "csv/apriha+snps/tests/input/myheritage_extra_quotes.csv": "its first line is a comment, which the manifest took "
    "for the header row; below the header row, line 3 is the first that is ragged",
    "csv/duckdb+duckdb/data/csv/broken/test.csv.zst": "the manifest judged packed bytes; no row of the text is ragged",
    "csv/duckdb+duckdb/data/csv/no_quote.csv": "the row spans lines 2 and 3; we name where it starts",
    "csv/duckdb+duckdb/data/csv/unquoted_escape/human_eval.csv": OTHER_DIALECT,
    "csv/duckdb+duckdb/data/csv/unquoted_escape/human_eval.tsv": OTHER_DIALECT,
}


def manifest():
    if not CORPUS.is_dir():
        return {}
    with (CORPUS / "csv.tsv").open(newline="", encoding="utf-8") as file:
        by_source = defaultdict(list)
        for row in csv.DictReader(file, delimiter="\t"):
            by_source[row["path"].split("/")[1]].append(row)
    return by_source


FILES = manifest()
pytestmark = [
    pytest.mark.corpus,
    needs(CORPUS / "csv.tsv"),
]


def text_of(path):
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if raw.startswith(mark):
            return raw.removeprefix(mark).decode(encoding)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def unchanged(text, value):
    """Whether a typed value still says exactly what the text says."""
    match value:
        case None:
            return text == ""
        case bool():
            return text.lower() == str(value).lower()
        case int():
            return text == str(value)
        case float():
            return Decimal(text) == Decimal(repr(value))
        case _:
            return text == value


def changed_cells(path, separator, batches):
    """Cells that differ from what Python's csv module reads, as (line, text, value)."""
    text = text_of(path)
    lines = text.replace("\r", "\n") if "\n" not in text else text
    rows = [row for row in csv.reader(lines.splitlines(keepends=True), delimiter=separator) if row]
    table = [list(row.values()) for batch in batches for row in batch.to_pylist()]
    assert len(table) == len(rows) - 1, path
    return [
        (values[1], cell, value)
        for row, values in zip(rows[1:], table, strict=True)
        for cell, value in zip(row, values[2:], strict=True)
        if not unchanged(cell, value)
    ]


def fault(row):
    """What is wrong with how a file is treated, or None."""
    path = CORPUS / row["path"]
    try:
        reader = open_reader(path)
        batches = list(reader.batches())
    except FileRefused as refused:
        if not refused.message or not refused.problems:
            return f"{row['path']}: refused without a word"
        ragged = refused.code == "csv_ragged_row" and row["first_ragged_line"]
        wrong = ragged and str(refused.place.line) != row["first_ragged_line"]
        return f"{row['path']}: ragged at {row['first_ragged_line']}, told {refused.place.line}" if wrong else None
    if row["first_ragged_line"]:
        return f"{row['path']}: ragged at {row['first_ragged_line']}, but read"
    rows = sum(batch.num_rows for batch in batches)
    if row["rows_pycsv"] and rows != int(row["rows_pycsv"]) - 1:
        return f"{row['path']}: {rows} rows, not {int(row['rows_pycsv']) - 1}"
    separator = row["delim"].strip("'").replace("\\\\t", "\t").replace("\\t", "\t")
    if (
        separator
        and row["rows_pycsv"]
        and not any(w.kind.code == "tsv_quotes_as_text" for w in reader.summary().warnings)
    ):
        changed = changed_cells(path, separator, batches)
        return f"{row['path']}: {changed[:3]}" if changed else None
    return None


@pytest.mark.parametrize("source", sorted(FILES) or [None])
def test_each_file_arrives_whole_or_is_refused(source):
    faults = [fault(row) for row in FILES[source] if row["path"] not in EXCEPTIONS]
    assert [found for found in faults if found] == []


def test_the_exceptions_are_still_needed():
    rows = {row["path"]: row for source in FILES.values() for row in source}
    assert [path for path in EXCEPTIONS if fault(rows[path]) is None] == []
