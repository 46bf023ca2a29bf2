"""Questions to tables; what is expected is worked out in plain Python from the same rows."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
import random
import re
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_rows import GivenRows, column_of, numbered, rows_of

from varloom.dataset import (
    Dataset,
    Manifest,
    QueryEngine,
    SortKey,
    row_store,
    selection,
    sort_text,
    statements,
    write_dataset,
)
from varloom.dataset import export as export_module
from varloom.dataset.interrupts import answer_in_thread
from varloom.dataset.row_copies import RowCopies
from varloom.dataset.sessions import Session, SessionPool
from varloom.errors import VarloomError
from varloom.reader import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 3_000
NAN, INFINITY = float("nan"), float("inf")


def made_up_rows() -> dict[str, pa.Array]:
    chance = random.Random(7)
    rows = range(ROWS)
    return {
        "contig": pa.array([f"chr{(1, 2, 10, 11)[row * 4 // ROWS]}" for row in rows]),
        "position": pa.array([row * 10 + 1 for row in rows]),
        "qual": pa.array(
            [chance.choice([None, NAN, INFINITY, -INFINITY, -0.0, 1e-7, round(chance.random(), 2)]) for _ in rows]
        ),
        "INFO.DP": pa.array([chance.choice([None, 2**60 + 1, chance.randrange(50)]) for _ in rows], pa.int64()),
        "INFO.AC": pa.array(
            [chance.choice([None, [], [1, None], [chance.randrange(9)]]) for _ in rows], pa.list_(pa.int32())
        ),
        "INFO.F": pa.array([chance.choice([None, [NAN, 1.5], [INFINITY]]) for _ in rows], pa.list_(pa.float64())),
        "Info.dp": pa.array(
            [chance.choice(["=1+1", "+2", "-", "a,b", 'q"t', "tab\there", "", None, "line\nend", "ü"]) for _ in rows]
        ),
        "INFO.DB": pa.array([chance.choice([True, False, None]) for _ in rows]),
        'x" OR 1=1 --': pa.array([str(row) for row in rows]),
    }


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.Table.from_batches([numbered(0, made_up_rows())])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, table: pa.Table) -> Dataset:
    """Several parts with several row groups each, so that questions cross their borders."""
    columns = [Column(name, table.schema.field(name).type, "INFO") for name in table.column_names]
    columns[2] = Column("contig", pa.string(), "VCF")
    directory = tmp_path_factory.mktemp("queries") / "it's [a] *dataset*"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_store, "ROW_GROUP_ROWS", 97)
        reader = GivenRows(table.to_batches(), columns=columns)
        reader_summary = reader.summary
        reader.summary = lambda: summary_with_contigs(reader_summary())  # type: ignore[method-assign]
        write_dataset(reader, directory, source_name="a.vcf", assembly=None)
    return Dataset.open(directory)


def summary_with_contigs(summary: Any) -> Any:
    return summary._replace(contigs=("chr1", "chr2", "chr10", "chr11"))


@pytest.fixture(scope="module")
def engine() -> Iterator[QueryEngine]:
    with QueryEngine(memory_limit=256 * 1024**2, threads=2) as opened:
        yield opened


def odd_as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [odd_as_text(element) for element in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def safe(value: Any) -> Any:
    """A value as answers carry it: what a browser would round is text."""
    return str(value) if isinstance(value, int) and abs(value) >= 2**53 else odd_as_text(value)


def expected_rows(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: safe(value) for name, value in row.items()} for row in table.to_pylist()]


def expected_lines(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: odd_as_text(value) for name, value in row.items()} for row in table.to_pylist()]


def all_pages(engine: QueryEngine, dataset: Dataset, limit: int, **question: Any) -> list[dict[str, Any]]:
    page = engine.rows(dataset, limit=limit, **question)
    rows = list(page.rows)
    while page.next:
        page = engine.rows(dataset, limit=limit, cursor=page.next, **question)
        rows += page.rows
    return rows


def test_pages_by_cursor_give_every_row_once(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    rows = all_pages(engine, dataset, 700)
    assert rows == expected_rows(table)
    json.loads(json.dumps(rows, allow_nan=False))


def test_any_place_can_be_jumped_to(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    rows = expected_rows(table)
    for offset, limit in [(0, 1), (96, 3), (2_999, 10), (1_500, 100)]:
        page = engine.rows(dataset, offset=offset, limit=limit)
        assert page.rows == rows[offset : offset + limit]
        assert (page.offset, page.total) == (offset, ROWS)
    assert engine.rows(dataset, offset=ROWS).rows == []
    assert engine.rows(dataset, offset=2**62).rows == []


def test_only_chosen_columns_are_given(engine: QueryEngine, dataset: Dataset) -> None:
    page = engine.rows(dataset, limit=1, columns=['x" OR 1=1 --', "Info.dp"])
    assert list(page.rows[0]) == ["rowno", 'x" OR 1=1 --', "Info.dp"]
    with pytest.raises(VarloomError, match=r"did you mean INFO\.DP or Info\.dp") as caught:
        engine.rows(dataset, columns=["info.DP"])
    assert caught.value.code == "column_unknown"


def in_order(table: pa.Table, column: str, *, descending: bool) -> list[int]:
    """Row numbers by a column: missing ones last, NaN the largest, equal ones as they stand."""
    rows = table.select(["rowno", column]).to_pylist()

    def key(value: Any) -> Any:
        if isinstance(value, list):
            return [(element is None, 0 if element is None else key(element)) for element in value]
        return (1, 0.0) if isinstance(value, float) and math.isnan(value) else (0, value)

    present = [row for row in rows if row[column] is not None]
    present.sort(key=lambda row: key(row[column]), reverse=descending)
    if descending:  # reverse=True keeps equal rows as they stand
        assert present == sorted(present, key=lambda row: key(row[column]), reverse=True)
    return [row["rowno"] for row in present] + [row["rowno"] for row in rows if row[column] is None]


@pytest.mark.parametrize("column", ["qual", "INFO.DP", "Info.dp", "INFO.DB", 'x" OR 1=1 --', "position"])
@pytest.mark.parametrize("descending", [False, True])
def test_any_column_sorts_with_missing_values_last(
    engine: QueryEngine, dataset: Dataset, table: pa.Table, column: str, *, descending: bool
) -> None:
    sort = sort_text([SortKey(column, descending)])
    rows = all_pages(engine, dataset, 900, sort=sort, columns=[column])
    assert [row["rowno"] for row in rows] == in_order(table, column, descending=descending)


def test_lists_sort_too_and_contigs_stand_in_file_order(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    rows = all_pages(engine, dataset, 1_000, sort="INFO.AC", columns=["INFO.AC"])
    assert len({row["rowno"] for row in rows}) == ROWS
    present = [row["INFO.AC"] for row in rows if row["INFO.AC"] is not None]
    assert present == [row["INFO.AC"] for row in rows][: len(present)]
    assert present == sorted(present, key=lambda value: [(e is None, e or 0) for e in value])

    contigs = [row["contig"] for row in all_pages(engine, dataset, 1_000, sort="-contig", columns=["contig"])]
    assert list(dict.fromkeys(contigs)) == ["chr11", "chr10", "chr2", "chr1"]


def test_a_sorted_and_filtered_page_is_the_same_early_and_late(engine: QueryEngine, dataset: Dataset) -> None:
    question = {"where": "INFO.DB = true AND contig != 'chr2'", "sort": "-INFO.DP,qual"}
    whole = all_pages(engine, dataset, 10_000, **question)
    assert 500 < len(whole) < 1_500
    assert all_pages(engine, dataset, 37, **question) == whole
    with QueryEngine(memory_limit=256 * 1024**2, threads=1) as fresh:
        assert fresh.rows(dataset, offset=200, limit=50, **question).rows == whole[200:250]
    assert {row["contig"] for row in whole} == {"chr1", "chr10", "chr11"}
    assert all(row["INFO.DB"] is True for row in whole)


def test_cursors_belong_to_one_question(engine: QueryEngine, dataset: Dataset) -> None:
    cursor = engine.rows(dataset, limit=10, sort="qual").next
    assert cursor
    assert engine.rows(dataset, cursor=cursor, limit=10, sort="qual").offset == 10
    altered = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for bad, sort in [(cursor, ""), (cursor, "-qual"), (altered, "qual"), ("", "qual"), ("ü", "qual"), ("!!", "qual")]:
        with pytest.raises(VarloomError) as caught:
            engine.rows(dataset, cursor=bad, sort=sort)
        assert (caught.value.code, caught.value.kind.status) == ("cursor_invalid", 400)
    for options in [{"limit": 0}, {"limit": 10_001}, {"offset": -1}, {"offset": 2**63}]:
        with pytest.raises(VarloomError) as caught:
            engine.rows(dataset, **options)
        assert caught.value.code == "page_invalid"


def test_facets_count_rows(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    texts = table["Info.dp"].to_pylist()
    counts = Counter(text for text in texts if text is not None)
    found = engine.facets(dataset, "Info.dp")
    assert found.values == tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    assert (found.distinct, found.missing) == (len(counts), texts.count(None))
    assert engine.facets(dataset, "Info.dp", limit=2).values == found.values[:2]
    assert engine.facets(dataset, "Info.dp", search="T").distinct == len(counts)
    assert {value for value, _ in engine.facets(dataset, "Info.dp", search="T").values} == {'q"t', "tab\there"}
    assert engine.facets(dataset, "Info.dp", search="nowhere").as_dict() == {
        "column": "Info.dp",
        "values": [],
        "distinct": len(counts),
        "missing": texts.count(None),
    }


def test_facets_of_lists_count_the_rows_that_a_filter_would_find(engine: QueryEngine, dataset: Dataset) -> None:
    found = engine.facets(dataset, "INFO.AC", where="contig = 'chr1'")
    assert len(found.values) == 9
    for value, count in found.values:
        assert count == engine.count(dataset, where=f"contig = 'chr1' AND has(INFO.AC, {value})")
    assert found.missing == engine.count(dataset, where="contig = 'chr1' AND INFO.AC IS NULL")
    assert ("NaN", engine.count(dataset, where="has(INFO.F, 1.5)")) in engine.facets(dataset, "INFO.F").values
    assert engine.facets(dataset, "qual", search="inf").values[0][0] in {"Infinity", "-Infinity"}


def test_histograms_count_every_number_once(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    numbers = [value for value in table["qual"].to_pylist() if value is not None]
    finite = [value for value in numbers if math.isfinite(value)]
    found = engine.histogram(dataset, "qual", bins=10)
    assert (found.edges[0], found.edges[-1], len(found.edges)) == (min(finite), max(finite), 11)
    assert sum(found.counts) == len(finite)
    assert (found.missing, found.odd) == (ROWS - len(numbers), len(numbers) - len(finite))
    for lower, upper, count in zip(found.edges[:-1], found.edges[1:-1], found.counts[:-1], strict=False):
        inside = sum(lower <= value < upper for value in finite)
        on_border = sum(value in {lower, upper} for value in finite)
        assert abs(count - inside) <= on_border

    whole = engine.histogram(dataset, "INFO.DP", where="INFO.DP < 50", bins=100)
    low = [value for value in table["INFO.DP"].to_pylist() if value is not None and value < 50]
    assert whole.edges == tuple(range(min(low), max(low) + 2))
    assert list(whole.counts) == [low.count(value) for value in range(min(low), max(low) + 1)]
    assert sum(engine.histogram(dataset, "INFO.AC").counts) == sum(
        element is not None for value in table["INFO.AC"].to_pylist() for element in value or []
    )
    assert engine.histogram(dataset, "qual", where="qual IS NULL").counts == ()
    for column, bins, code in [
        ("Info.dp", 5, "column_not_numeric"),
        ("qual", 0, "page_invalid"),
        ("no", 5, "column_unknown"),
    ]:
        with pytest.raises(VarloomError) as caught:
            engine.histogram(dataset, column, bins=bins)
        assert caught.value.code == code


def exported(engine: QueryEngine, dataset: Dataset, target: str, **question: Any) -> bytes:
    return b"".join(engine.export(dataset, target, **question))


def csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join("." if element is None else csv_cell(element) for element in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@pytest.mark.parametrize("chunk", [100, 61_440])
@pytest.mark.parametrize(("target", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_and_tsv_hold_every_cell(
    engine: QueryEngine,
    dataset: Dataset,
    table: pa.Table,
    target: str,
    delimiter: str,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_module, "_CHUNK_ROWS", chunk)
    names = [name for name in table.column_names if name not in {"qual", "INFO.F"}]
    text = exported(engine, dataset, target, columns=names).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    assert header == names
    harmless = {"=1+1": "'=1+1"}
    expected = [
        [harmless.get(csv_cell(row[name]), csv_cell(row[name])) for name in names]
        for row in table.select(names).to_pylist()
    ]
    assert rows == expected


def test_csv_cells_are_no_formulas_and_numbers_stay_numbers(tmp_path: Path, engine: QueryEngine) -> None:
    texts = [
        "=A1",
        "+A1",
        "-A1",
        "@x",
        "\tx",
        "\rx",
        "-",
        "+",
        "-1.5e3",
        "+.5",
        "a=b",
        "'",
        "-1+1",
        "--1",
        "'=A1",
        "''-5",
    ]
    batch = numbered(
        0,
        {
            "=cmd": pa.array(texts),
            "n": pa.array([-1.0] * len(texts)),
            "l": pa.array([[text] for text in texts]),
            "m": pa.array([[-1, 2]] * len(texts)),
        },
    )
    write_dataset(GivenRows([batch]), tmp_path / "ds", source_name="a", assembly=None)
    text = exported(engine, Dataset.open(tmp_path / "ds"), "csv", columns=["=cmd", "n", "l", "m"]).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["'=cmd", "n", "l", "m"]
    safe_texts = ["'=A1", "'+A1", "'-A1", "'@x", "'\tx", "'\rx", "-", "+", "-1.5e3", "+.5", "a=b", "'", "'-1+1", "'--1"]
    safe_texts += ["''=A1", "'''-5"]
    assert rows == [[cell, "-1", cell, "-1,2"] for cell in safe_texts]
    assert [re.sub(r"^'(?='*[=+\-@\t\r])", "", row[0]) for row in rows] == texts


@pytest.mark.parametrize("target", ["csv", "tsv"])
def test_a_file_of_one_column_has_no_empty_lines(tmp_path: Path, engine: QueryEngine, target: str) -> None:
    batch = numbered(0, {"a": pa.array(["x", None, "", "y"]), "n": pa.array([1, None, None, 4])})
    write_dataset(GivenRows([batch]), tmp_path / "ds", source_name="a", assembly=None)
    dataset = Dataset.open(tmp_path / "ds")
    assert exported(engine, dataset, target, columns=["a"]) == b'a\nx\n""\n""\ny\n'
    assert exported(engine, dataset, target, columns=["n"]) == b'n\n1\n""\n""\n4\n'


def test_json_lines_hold_every_value(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    lines = exported(engine, dataset, "jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == expected_lines(table)
    with_sort = exported(engine, dataset, "jsonl", sort="-position", where="contig = 'chr10'", columns=["position"])
    positions = [row["position"] for row in expected_rows(table) if row["contig"] == "chr10"]
    assert [json.loads(line) for line in with_sort.splitlines()] == [{"position": p} for p in reversed(positions)]


def test_sorted_exports_pass_through_several_files(
    engine: QueryEngine, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_CHUNK_ROWS", 256)
    question = {"where": "contig != 'chr2'", "sort": "-INFO.DP,qual"}
    lines = exported(engine, dataset, "jsonl", **question).splitlines()
    assert len(lines) > 8 * 256
    found = [{name: safe(value) for name, value in json.loads(line).items()} for line in lines]
    assert found == all_pages(engine, dataset, 1_000, **question)


def test_parquet_exports_keep_types(engine: QueryEngine, dataset: Dataset, table: pa.Table) -> None:
    found = pq.read_table(io.BytesIO(exported(engine, dataset, "parquet")))
    assert found.schema == rows_of(dataset.directory).schema
    assert str(found.to_pylist()) == str(table.to_pylist())
    few = pq.read_table(io.BytesIO(exported(engine, dataset, "parquet", where="position < 30", sort="-position")))
    assert few["position"].to_pylist() == [21, 11, 1]
    none = pq.read_table(io.BytesIO(exported(engine, dataset, "parquet", where="position < 0")))
    assert none.schema == found.schema
    assert none.num_rows == 0


def test_a_wrong_export_is_refused_before_its_first_piece(engine: QueryEngine, dataset: Dataset) -> None:
    for target, question, code in [
        ("xls", {}, "export_format_unknown"),
        ("csv", {"where": "x"}, "filter_invalid"),
        ("csv", {"sort": "x"}, "column_unknown"),
        ("csv", {"columns": ["x"]}, "column_unknown"),
    ]:
        with pytest.raises(VarloomError) as caught:
            engine.export(dataset, target, **question)
        assert caught.value.code == code


@pytest.fixture(scope="module")
def many_samples(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    samples = tuple(f"S{number}" for number in range(20))
    batch = numbered(
        0,
        {
            "FORMAT.GT": pa.array([[f"{row}/{number}" for number in range(20)] for row in range(50)]),
            "FORMAT.DP": pa.array(
                [[None if number == row else number * row for number in range(20)] for row in range(50)]
            ),
            "FORMAT.AD": pa.array([[[row, number] for number in range(20)] for row in range(50)]),
            "S3.gt": pa.array(["a stored column"] * 50),
        },
    )
    directory = tmp_path_factory.mktemp("many") / "ds"
    columns = [*[column_of(item) for item in batch.schema][:-1], Column("S3.gt", pa.string(), "INFO")]
    write_dataset(GivenRows([batch], columns=columns, samples=samples), directory, source_name="a", assembly=None)
    return Dataset.open(directory)


def test_columns_of_single_samples_are_there_without_being_stored(engine: QueryEngine, many_samples: Dataset) -> None:
    columns = engine.columns(many_samples, search="s1.")
    assert [(column.name, column.virtual) for column in columns] == [("S1.GT", True), ("S1.DP", True), ("S1.AD", True)]
    assert columns[2].as_dict()["type"] == "list<int64>"
    assert engine.columns(many_samples, search="S3.GT")[1].name == "S3.GT_2"
    assert len(engine.columns(many_samples)) == len(many_samples.manifest.columns) + 60
    page = engine.rows(many_samples, columns=["S7.DP", "S19.AD", "S3.GT_2"], sort="-S7.DP", limit=2)
    assert page.rows == [
        {"rowno": 49, "S7.DP": 343, "S19.AD": [49, 19], "S3.GT_2": "49/3"},
        {"rowno": 48, "S7.DP": 336, "S19.AD": [48, 19], "S3.GT_2": "48/3"},
    ]
    assert engine.count(many_samples, where="S7.DP IS NULL") == 1
    assert engine.count(many_samples, where="S7.DP > 300 AND S0.GT LIKE '4%' AND has(S2.AD, 45)") == 1
    assert engine.facets(many_samples, "S7.GT", limit=1).distinct == 50
    assert engine.histogram(many_samples, "S7.DP", bins=1).counts == (49,)
    assert (
        exported(engine, many_samples, "csv", columns=["S1.AD", "FORMAT.AD"], where="rowno = 2")
        .decode()
        .startswith('S1.AD,FORMAT.AD\n"2,1","2,0;2,1;2,2;')
    )


def test_a_session_reaches_its_own_files_and_nothing_else(dataset: Dataset, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    (tmp_path / "spill").mkdir()
    session = Session(dataset, memory_limit=64 * 1024**2, threads=1, spill=tmp_path / "spill")
    try:
        for statement in [
            f"SELECT * FROM read_csv('{secret}')",
            f"SELECT * FROM read_text('{secret}')",
            f"SELECT * FROM read_parquet('{dataset.directory}/../x.parquet')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/other.db'",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "SET allowed_directories = ['/']",
            "SET memory_limit = '100GB'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SELECT * FROM read_parquet('https://localhost:1/x.parquet')",
        ]:
            with pytest.raises((duckdb.Error, VarloomError)):
                session.run(statement, {})
        assert not (tmp_path / "out.csv").exists()
        assert session.fetch("SELECT count(*) FROM cells", {}) == [(ROWS,)]
    finally:
        session.close()
    assert list((tmp_path / "spill").iterdir()) == []


def test_damaged_parts_are_told(dataset: Dataset, tmp_path: Path, engine: QueryEngine) -> None:
    write_dataset(GivenRows([numbered(0, {"a": pa.array([1, 2])})]), tmp_path / "ds", source_name="a", assembly=None)
    opened = Dataset.open(tmp_path / "ds")
    part = opened.part_paths[0]
    part.write_bytes(b"\0" * part.stat().st_size)
    with pytest.raises(VarloomError) as caught:
        engine.rows(opened)
    assert caught.value.code == "dataset_damaged"


def test_a_full_pool_waits_for_a_session_to_come_back(dataset: Dataset, many_samples: Dataset) -> None:
    closed: list[Dataset] = []

    class Recorded:
        def __init__(self, of: Dataset) -> None:
            self.of = of

        def close(self) -> None:
            closed.append(self.of)

    pool = SessionPool(Recorded, most=1)  # type: ignore[arg-type]
    entered = threading.Event()

    def second() -> None:
        with pool.borrow(many_samples):
            entered.set()

    thread = threading.Thread(target=second)
    with pool.borrow(dataset), pool.borrow(dataset):
        thread.start()
        assert not entered.wait(0.05)
        assert closed == []
    thread.join(10)
    assert entered.is_set()
    assert closed == [dataset]
    pool.close()
    assert closed == [dataset, many_samples]


@pytest.mark.parametrize("where", ["", "INFO.DB"])
@pytest.mark.parametrize(
    "asked", ["chr2:10,000", "2:9995", "chr10", "chr11:29,991", "chr11:99999999", "chr1:1-500", "chr12:5"]
)
def test_a_position_is_found_among_the_selected_rows(
    engine: QueryEngine, dataset: Dataset, table: pa.Table, where: str, asked: str
) -> None:
    contig, _, rest = asked.partition(":")
    wanted = int(rest.partition("-")[0].replace(",", "") or 1)
    rows = [row for row in table.to_pylist() if not where or row["INFO.DB"]]
    here = [place for place, row in enumerate(rows) if row["contig"].removeprefix("chr") == contig.removeprefix("chr")]
    at_or_after = [place for place in here if rows[place]["position"] >= wanted]
    expected = at_or_after[0] if at_or_after else here[-1] if here else None
    found = engine.locate(dataset, asked, where=where)
    assert found.offset == expected
    if expected is not None:
        assert (found.contig, found.position) == (rows[expected]["contig"], rows[expected]["position"])
        assert found.exact is (found.position == wanted)


def test_what_is_no_position_is_refused(engine: QueryEngine, dataset: Dataset, many_samples: Dataset) -> None:
    for text in ("", "chr7:", "chr7:x", "chr7:5-3"):
        with pytest.raises(VarloomError) as caught:
            engine.locate(dataset, text)
        assert caught.value.code == "position_invalid"


def test_a_whole_order_is_found_ahead_once(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int | None] = []
    find_numbers = selection.find_numbers

    def counted(*asked: Any) -> Any:
        found.append(asked[3])
        return find_numbers(*asked)

    monkeypatch.setattr(selection, "find_numbers", counted)
    with QueryEngine(memory_limit=256 * 1024**2, threads=1) as engine:
        monkeypatch.setattr(engine._closed, "wait", lambda _: False)
        pages = [engine.rows(dataset, sort="-position", offset=offset, limit=10).rows for offset in (0, 10, 20)]
        engine._ahead.submit(lambda: None).result()
        pages.append(engine.rows(dataset, sort="-position", offset=2_500, limit=10).rows)
    assert [page[0]["position"] for page in pages] == [29_991, 29_891, 29_791, 4_991]
    assert found == [selection.FIRST_ROWS, None], "its beginning, and then the whole, ahead of the page that needs it"


def test_scattered_rows_come_from_a_copy_as_from_the_parts(dataset: Dataset, tmp_path: Path) -> None:
    copies = RowCopies(tmp_path / "copies", 2**30, worthwhile_cells=1)
    half = tmp_path / "copies" / "0" / "rows.duckdb.unfinished"
    with QueryEngine(memory_limit=256 * 1024**2, threads=1, copies=copies) as engine:
        before = engine.rows(dataset, sort="-qual", limit=500)
        copies.finish()
        reader = copies.open(dataset, 1, 64 * 1024**2, tmp_path)
        for reached in ("/etc/passwd", str(dataset.directory / "manifest.json")):
            with pytest.raises(duckdb.Error, match="disabled"):
                reader.execute("SELECT * FROM read_text($path)", {"path": reached})
        reader.close()
        assert (tmp_path / "copies").stat().st_mode & 0o77 == 0, "nobody else may read what is in a table"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(selection, "_NEAR_ROWS", 0)
            patch.setattr(statements, "rows_between", None)  # the parts are not asked any more
            assert engine.rows(dataset, sort="-qual", limit=500) == before
        with QueryEngine(memory_limit=256 * 1024**2, threads=1) as plain:
            for order in ("-contig,INFO.DP", "INFO.AC", "-INFO.F,qual"):
                asked = {"sort": order, "where": "INFO.DB", "offset": 2_100 if order == "INFO.AC" else 0}
                assert engine.rows(dataset, **asked) == plain.rows(dataset, **asked)
            assert engine.rows(dataset, sort='"Info.dp"', limit=3_000).rows == (
                plain.rows(dataset, sort='"Info.dp"', limit=3_000).rows
            )
        engine.forget(dataset.manifest.content_hash)
        assert list((tmp_path / "copies").glob("*/rows.duckdb")) == []
    half.parent.mkdir()
    half.write_bytes(b"x")
    with QueryEngine(memory_limit=256 * 1024**2, threads=1, copies=RowCopies(tmp_path / "copies", 1, 1)) as engine:
        assert not half.exists(), "what an earlier process left half made"
        assert engine.rows(dataset, sort="-qual", limit=500).rows == before.rows, "too large for a copy"


def test_every_question_is_asked_of_the_copy_and_of_the_parts_when_it_is_damaged(
    dataset: Dataset, tmp_path: Path
) -> None:
    def answers(engine: QueryEngine) -> list[Any]:
        return [
            engine.count(dataset, where="contains(contig, '1')"),
            engine.rows(dataset, offset=900, limit=30),
            engine.rows(dataset, where="INFO.DP > 10", limit=30),
            engine.facets(dataset, "contig"),
            engine.histogram(dataset, "qual"),
            engine.locate(dataset, "chr1:2000"),
            b"".join(engine.export(dataset, "csv", sort="-qual")),
        ]

    copies = RowCopies(tmp_path / "copies", 2**30, worthwhile_cells=1)
    copies.want(dataset)
    copies.finish()
    [copy] = (tmp_path / "copies").glob("*/rows.duckdb")
    with QueryEngine(memory_limit=256 * 1024**2, threads=1) as plain:
        expected = answers(plain)
    whole = copy.read_bytes()
    with QueryEngine(memory_limit=256 * 1024**2, threads=1, copies=copies) as engine:
        assert answers(engine) == expected
        with engine._sessions.borrow(dataset) as session, pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "_connection", None)  # the parts
            assert answers(engine) == expected
    for number in range(3, len(whole) // 4096 - 1, 11):  # its head is looked at when it is opened
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(whole)
        with copy.open("r+b") as file:
            file.seek(number * 4096)
            file.write(bytes(byte ^ 0xFF for byte in whole[number * 4096 : number * 4096 + 4096]))
        copies = RowCopies(tmp_path / "copies", 2**30, worthwhile_cells=10**9)
        with QueryEngine(memory_limit=256 * 1024**2, threads=1, copies=copies) as engine:
            assert answers(engine) == expected, number


ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE (a.range * b.range) % 7 = 3"


async def test_a_cancelled_question_stops_its_query(dataset: Dataset, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    session = Session(dataset, memory_limit=64 * 1024**2, threads=1, spill=tmp_path)
    started, ended = threading.Event(), threading.Event()

    def question() -> None:
        started.set()
        try:
            session.fetch(ENDLESS, {})
        finally:
            ended.set()

    with ThreadPoolExecutor(1) as executor:
        task = asyncio.create_task(answer_in_thread(executor, question))
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)
        assert ended.is_set()
        assert await answer_in_thread(executor, session.fetch, "SELECT count(*) FROM cells", {}) == [(ROWS,)]
    session.close()


async def test_questions_are_answered_beside_the_event_loop(engine: QueryEngine, dataset: Dataset) -> None:
    answers = await asyncio.gather(*(engine.answer(engine.count, dataset, where=f"rowno < {n}") for n in range(10)))
    assert answers == list(range(10))
    with pytest.raises(VarloomError):
        await engine.answer(engine.count, dataset, where="x")


def test_what_needs_too_much_memory_is_told(dataset: Dataset, tmp_path: Path) -> None:
    session = Session(dataset, memory_limit=8 * 1024**2, threads=1, spill=tmp_path)
    with pytest.raises(VarloomError) as caught:
        session.fetch("SELECT list(range) FROM range(50000000)", {})
    assert caught.value.code == "query_too_large"
    session.close()


def test_a_manifest_is_enough_to_know_the_columns(engine: QueryEngine, dataset: Dataset) -> None:
    elsewhere = Dataset(Path("/nowhere"), Manifest.load(dataset.directory))
    assert engine.columns(elsewhere, limit=3)[2].as_dict() == {
        "name": "contig",
        "type": "string",
        "kind": "text",
        "list": False,
        "origin": "VCF",
        "description": None,
        "sample": None,
        "field": None,
        "virtual": False,
    }
