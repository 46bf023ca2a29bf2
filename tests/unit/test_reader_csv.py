"""CSV and TSV: dialects, encodings, header rows, ragged rows, and types that never guess."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from varloom.genomics.recognition import SourceFormat
from varloom.reader import FileRefused, ReadOptions, open_reader
from varloom.reader.delimited import rows as rows_module


@pytest.fixture
def load(tmp_path):
    def read(content, name="a.csv", options=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        reader = open_reader(path, options=options or ReadOptions())
        rows = [row for batch in reader.batches() for row in batch.to_pylist()]
        return rows, reader

    return read


@pytest.fixture
def refused(load):
    def error(content, name="a.csv"):
        with pytest.raises(FileRefused) as caught:
            load(content, name)
        return caught.value

    return error


def types_of(reader):
    return {column.name: column.type for column in reader.summary().columns}


def test_columns_are_ours_then_the_files_own(load):
    rows, reader = load("gene,score\nBRCA1,1.5\nTP53,\n")
    assert rows == [
        {"rowno": 0, "line": 2, "gene": "BRCA1", "score": 1.5},
        {"rowno": 1, "line": 3, "gene": "TP53", "score": None},
    ]
    assert [column.origin for column in reader.summary().columns] == ["varloom", "varloom", "file", "file"]
    assert (reader.summary().records, reader.summary().variants) == (2, 2)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-5", "0", ""], pa.int64()),
        (["9007199254740992", "-9007199254740992"], pa.int64()),
        (["9007199254740993"], pa.string()),
        (["-9007199254740993"], pa.string()),
        (["12345678901234567890"], pa.string()),
        (["007", "1"], pa.string()),
        (["+5"], pa.string()),
        (["-0"], pa.float64()),
        (["1", "2.50", "-0.001"], pa.float64()),
        (["1.5", "9007199254740993"], pa.string()),
        (["9007199254740993", "1.5"], pa.string()),
        (["0.1234567890123456789"], pa.string()),
        (["0.30000000000000004"], pa.float64()),
        (["1e-05", "1.5E+10"], pa.float64()),
        (["1E5", "2E7"], pa.string()),
        (["1e+400"], pa.string()),
        (["1e-400"], pa.string()),
        (["01.5"], pa.string()),
        ([".5"], pa.string()),
        (["1,5"], pa.string()),
        (["NaN", "1.5"], pa.string()),
        (["NA", "1"], pa.string()),
        (["true", "false", ""], pa.bool_()),
        (["TRUE", "FALSE"], pa.bool_()),
        (["true", "FALSE"], pa.string()),
        (["true", "1"], pa.string()),
        (["", ""], pa.string()),
        ([" 1"], pa.string()),
        (["2024-01-05"], pa.string()),
    ],
)
def test_a_type_is_taken_only_when_it_keeps_every_cell(load, cells, expected):
    rows, reader = load("id,value\n" + "".join(f'r,"{cell}"\n' for cell in cells))
    assert types_of(reader)["value"] == expected
    if expected == pa.string():
        assert [row["value"] for row in rows] == [cell or None for cell in cells]


def test_one_odd_cell_at_the_end_of_a_long_file_decides(load):
    rows, reader = load("id,value\n" + "r,1\n" * 20_000 + "r,x\n")
    assert types_of(reader)["value"] == pa.string()
    assert (rows[0]["value"], rows[-1]["value"], len(rows)) == ("1", "x", 20_001)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_separators_are_found(load, separator):
    rows, reader = load(f'name{separator}n\n"a{separator}b"{separator}1\nc{separator}2\n', "a.txt")
    assert [(row["name"], row["n"]) for row in rows] == [(f"a{separator}b", 1), ("c", 2)]
    assert reader.recognition.format is (SourceFormat.TSV if separator == "\t" else SourceFormat.CSV)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: gzip.compress(text.encode("utf-8")),
        lambda text: text.replace("\n", "\r\n").encode("utf-8"),
        lambda text: text.replace("\n", "\r").encode("utf-8"),
        lambda text: text.removesuffix("\n").encode("utf-8"),
    ],
    ids=["utf-8", "utf-8 bom", "utf-16 bom", "utf-16", "utf-16-be bom", "gzip", "crlf", "cr", "no final newline"],
)
def test_encodings_and_line_ends(load, encode):
    rows, reader = load(encode("naïve,n\n\u00b5g,1\n"))
    assert rows == [{"rowno": 0, "line": 2, "naïve": "\u00b5g", "n": 1}]
    assert reader.summary().warnings == ()


def test_latin1_is_read_with_a_warning(load):
    rows, reader = load("name,n\ncaf\u00e9,1\n".encode("latin-1"))
    assert rows[0]["name"] == "caf\u00e9"
    assert [problem.kind.code for problem in reader.summary().warnings] == ["csv_latin1"]


def test_lines_are_those_of_the_file_however_cells_are_quoted(load):
    rows, _ = load('a,b\n"x\ny",1\n"say ""hi""",2\nz,3\n')
    assert [(row["line"], row["a"]) for row in rows] == [(2, "x\ny"), (4, 'say "hi"'), (5, "z")]


@pytest.mark.parametrize("note", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
def test_a_line_that_announces_the_separator_is_no_row(load, refused, note):
    rows, reader = load(note + 'a;b\n"x\ny";1,5\nz;2\n')
    assert rows == [
        {"rowno": 0, "line": 3, "a": "x\ny", "b": "1,5"},
        {"rowno": 1, "line": 5, "a": "z", "b": "2"},
    ]
    assert reader.summary().warnings == ()
    assert refused(note + "a;b\n1;2\n1\n").place.line == 4


def test_a_file_named_tsv_is_cut_at_tabs_although_commas_would_do(load):
    rows, _ = load("a,x\tb,y\n1,2\t3,4\n", "a.tsv")
    assert rows == [{"rowno": 0, "line": 2, "a,x": "1,2", "b,y": "3,4"}]
    rows, _ = load("a,b\n1,2\n", "a.tsv")
    assert rows == [{"rowno": 0, "line": 2, "a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("content", "line"),
    [("a,b\n1,2\n".encode("utf-16-le") + b"\0", 3), ("a,b\n1,\ud800\n".encode("utf-16-le", "surrogatepass"), 2)],
)
def test_damaged_utf16_is_refused_at_its_line(refused, content, line):
    error = refused(b"\xff\xfe" + content)
    assert (error.code, error.place.line) == ("csv_utf16_invalid", line)


def test_ragged_rows_are_refused_with_their_lines(refused):
    error = refused('a,b\n"x\ny",1\n1,2,3\n4\n5,6\n')
    assert [(problem.kind.code, problem.place.line) for problem in error.problems] == [
        ("csv_ragged_row", 4),
        ("csv_ragged_row", 5),
    ]
    assert error.problems[1].message == "The row has 1 cell where the header row has 2."
    assert error.kind.title == "Parsing error"
    assert "3 cells where the header row has 2" in error.message


@pytest.mark.parametrize(
    "content",
    ["1,2,3\n4,5,6\n", "rs1,1,12345,AA\nrs2,1,12346,AC\n", "5\n", "1,,2\nx,y,z\n", "a,1.5\nb,2.5\n"],
)
def test_a_file_without_header_row_is_refused(refused, content):
    error = refused(content)
    assert (error.code, error.place.line) == ("csv_header_missing", 1)
    assert "column names first" in error.as_dict()["resolution"][0]


@pytest.mark.parametrize(
    "content", ["gene,2019,2020,2021\nBRCA1,3,4,5\n", "a,b\nx,y\n", "a,b\n", "sample1,sample2\n1,2\n"]
)
def test_a_header_row_is_not_taken_for_data(load, content):
    rows, _ = load(content)
    assert len(rows) == content.count("\n") - 1


@pytest.mark.parametrize(
    ("content", "line"),
    [('a,b\n"x,1\n', 2), ('a,b\n1,2\n"x"y,1\n', 3)],
)
def test_broken_quotes_are_refused(refused, content, line):
    error = refused(content)
    assert (error.code, error.place.line) == ("csv_quote_invalid", line)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(refused, monkeypatch):
    monkeypatch.setattr(rows_module, "CELL_LIMIT", 1000)
    error = refused('a,b\n1,2\n3,"x\n' + "4,5\n" * 1000)
    assert (error.code, error.place.line) == ("csv_quote_invalid", 3)
    assert "a cell is longer" in error.message


def test_stray_quotes_in_a_tsv_are_letters(load):
    rows, reader = load('name\tn\n"Swing it" later\t1\n"whole"\t2\n', "a.tsv")
    assert [row["name"] for row in rows] == ['"Swing it" later', '"whole"']
    assert [problem.kind.code for problem in reader.summary().warnings] == ["tsv_quotes_as_text"]


def test_stray_quotes_in_a_tsv_never_make_one_row_of_two(load):
    rows, reader = load('a\tb\n1\t"5 prime\n2\tend"\n3\tc\n', "a.tsv")
    assert [(row["line"], row["b"]) for row in rows] == [(2, '"5 prime'), (3, 'end"'), (4, "c")]
    assert [problem.kind.code for problem in reader.summary().warnings] == ["tsv_quotes_as_text"]
    rows, reader = load('a\tb\n1\t"two\nlines"\n', "a.tsv")
    assert [row["b"] for row in rows] == ["two\nlines"]


def test_header_cells_that_clash_or_are_empty_get_a_name_with_a_warning(load):
    rows, reader = load("line,x,X,,rowno\n7,a,b,c,d\n")
    assert rows == [{"rowno": 0, "line": 2, "line_2": 7, "x": "a", "X_2": "b", "column_4": "c", "rowno_2": "d"}]
    assert {problem.kind.code for problem in reader.summary().warnings} == {"column_renamed"}
    assert [column.field for column in reader.summary().columns][2:] == ["line", "x", "X", "", "rowno"]


def test_blank_lines_hold_no_row_and_are_told(load):
    rows, reader = load("a,b\n\nx,1\n\n")
    assert [(row["line"], row["a"]) for row in rows] == [(3, "x")]
    assert [(problem.kind.code, problem.place.line) for problem in reader.summary().warnings] == [("csv_blank_line", 2)]


def test_a_nul_character_is_refused_at_its_line(refused):
    error = refused("a,b\n1,2\n3,\0\n")
    assert (error.code, error.place.line) == ("control_character", 3)


def test_a_cut_gzip_is_refused_with_the_last_good_line(refused):
    content = gzip.compress(b"a,b\n" + b"".join(b"x%d,%d\n" % (at, at * at) for at in range(20_000)))
    error = refused(content[: len(content) // 2], "a.csv.gz")
    assert error.code == "compression_truncated"
    assert error.place.line > 2


def test_batches_are_bounded_and_together_the_file(load):
    content = "id,n\n" + "".join(f"x,{at}\n" for at in range(1000))
    rows, _ = load(content, options=ReadOptions(batch_rows=64))
    assert [row["n"] for row in rows] == list(range(1000))
    assert [row["rowno"] for row in rows] == list(range(1000))


@pytest.mark.parametrize("content", [b"sep=,\na,b\r1,2\r3,4\r", b'"c0"\r9\n07\n', b"a,b\rc\n1,2\n"])
def test_a_carriage_return_in_the_header_row_loses_no_row(tmp_path, content):
    path = tmp_path / "returns.csv"
    path.write_bytes(content)
    with pytest.raises(FileRefused) as refused:
        list(open_reader(path).batches())
    assert refused.value.code == "csv_quote_invalid"


def test_latin_1_is_told_of_a_tsv_whose_quotes_are_letters_too(tmp_path):
    path = tmp_path / "quotes.tsv"
    path.write_bytes(b'"c0\xc3\t"c1"\tc2\nx\ty\tz\n')
    reader = open_reader(path)
    list(reader.batches())
    assert {"csv_latin1", "tsv_quotes_as_text"} <= {warning.kind.code for warning in reader.summary().warnings}


@pytest.mark.parametrize("rows", [1, 20_000])
def test_latin_1_behind_a_quote_that_is_a_letter_in_a_tsv(load, rows):
    content = "h\ti\tj\n" + '"t"x\t1\n' * rows + '"t"x\t1\t\u00e9\n'
    with pytest.raises(FileRefused) as caught:
        load(content.encode("latin-1"), "a.tsv")
    assert caught.value.problems[0].place.line == 2
    whole, reader = load(content.replace("\t1\n", "\t1\t2\n").encode("latin-1"), "b.tsv")
    assert len(whole) == rows + 1
    assert whole[-1]["j"] == "\u00e9"
    assert {"csv_latin1", "tsv_quotes_as_text"} == {warning.kind.code for warning in reader.summary().warnings}
