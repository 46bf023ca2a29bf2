"""Made-up CSVs arrive cell by cell as Python's csv module wrote them, and any text at all is read or refused."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varloom.reader import FileRefused, check_file, open_reader

FILE_SETTINGS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LETTERS = st.characters(codec="utf-8", exclude_categories=["C"])
ANY_TEXT = st.text(st.one_of(LETTERS, st.sampled_from("\t\n,;|\"'#")), max_size=8)
NUMBERS = st.one_of(st.integers(-(2**65), 2**65).map(str), st.floats(allow_nan=False).map(repr), st.decimals().map(str))
CELL = st.one_of(ANY_TEXT, NUMBERS, st.sampled_from(["", "true", "false", "007", "1E5", "NA"]))


@st.composite
def tables(draw):
    width = draw(st.integers(2, 4))
    column = [
        draw(st.sampled_from([ANY_TEXT, NUMBERS, CELL, st.sampled_from(["true", "false", ""])])) for _ in range(width)
    ]
    rows = draw(st.lists(st.tuples(*column), max_size=8))
    return [tuple(f"name {at}" for at in range(width)), *rows]


def unchanged(text, value):
    if value is None:
        return text == ""
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int):
        return text == str(value)
    return Decimal(text) == Decimal(repr(value)) if isinstance(value, float) else text == value


@FILE_SETTINGS
@given(table=tables(), delimiter=st.sampled_from([",", ";", "\t", "|"]))
def test_every_cell_arrives_unchanged(tmp_path, table, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    path = tmp_path / "made.csv"
    path.write_bytes(text.getvalue().encode())
    rows = [list(row.values()) for batch in open_reader(path).batches() for row in batch.to_pylist()]
    assert len(rows) == len(table) - 1
    for cells, values in zip(table[1:], rows, strict=True):
        assert all(map(unchanged, cells, values[2:])), (cells, values)


@FILE_SETTINGS
@given(table=tables(), at=st.integers(0, 7), longer=st.booleans())
def test_a_ragged_row_is_refused_at_its_line(tmp_path, table, at, longer):
    rows = [[cell.replace("\n", " ") for cell in row] for row in table]
    at = 1 + at % max(1, len(rows) - 1)
    rows.insert(at, [*rows[0], "more"] if longer else rows[0][:-1])
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    path = tmp_path / "ragged.csv"
    path.write_bytes(text.getvalue().encode())
    result = check_file(path)
    assert not result.ok
    assert (result.problems[0].kind.code, result.problems[0].place.line) == ("csv_ragged_row", at + 1)


@FILE_SETTINGS
@given(content=st.binary(max_size=200), name=st.sampled_from(["a.csv", "a.tsv", "a.vcf", "a.vcf.gz", "a"]))
def test_any_bytes_are_read_or_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    try:
        reader = open_reader(path)
        rows = sum(batch.num_rows for batch in reader.batches())
    except FileRefused as refused:
        told = refused.as_dict()
    else:
        told = {"message": "read", "resolution": ["-"]}
        if reader.summary().variants != rows:
            raise AssertionError(content)
    assert told["message"]
    assert told["resolution"]
