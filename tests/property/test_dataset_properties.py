"""What must hold for any table, any name and any value."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from varloom.dataset import (
    ColumnCondition,
    Dataset,
    Manifest,
    Operator,
    Part,
    QueryEngine,
    SortKey,
    Source,
    filter_text,
    parse_sort,
    quote_column,
    sort_text,
)
from varloom.dataset.content_hash import ContentHasher, content_hash
from varloom.dataset.filter_sql import Condition, compile_filter
from varloom.dataset.table_columns import TableColumns
from varloom.errors import VarloomError
from varloom.reader import Column

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def engine() -> Iterator[QueryEngine]:
    with QueryEngine(memory_limit=128 * 1024**2, threads=1) as opened:
        yield opened


names = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.sampled_from(
        ["filter", "select", "order", "INFO.END", "a.b.c.d.e", "case", "null", "true", "not", "S.1", "date"]
    ),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0),
)


def columns_of(**types: pa.DataType) -> TableColumns:
    return TableColumns(manifest_of([Column(name, kind, "file") for name, kind in types.items()]))


def manifest_of(columns: list[Column], rows: int = 0, parts: tuple[Part, ...] = ()) -> Manifest:
    source = Source("a", 0, "", "csv", "none")
    return Manifest(rows, rows, tuple(columns), "blake3:0", source, parts, None, (), (), (), {}, "")


@given(name=names, value=texts)
def test_any_name_and_any_text_survive_the_filter_language(name: str, value: str) -> None:
    columns = columns_of(**{name: pa.string()})
    condition = compile_filter(filter_text([ColumnCondition(name, Operator.EQUALS, value)]), columns)
    assert condition.sql == "(c0 = $f0)"
    assert condition.parameters == {"f0": value}


@given(name=names, value=numbers)
@example(name="IF", value=0)
@example(name="END", value=0)
def test_any_number_survives_the_filter_language(name: str, value: float) -> None:
    columns = columns_of(**{name: pa.int64()})
    condition = compile_filter(filter_text([ColumnCondition(name, Operator.LESS, value)]), columns)
    assert condition.sql == "(c0 < $f0)"
    assert condition.parameters == {"f0": value}


@given(keys=st.lists(st.builds(SortKey, names, st.booleans()), max_size=4))
def test_sort_orders_survive_their_text(keys: list[SortKey]) -> None:
    assert list(parse_sort(sort_text(keys))) == keys


@given(
    text=st.one_of(
        texts,
        st.lists(
            st.sampled_from(
                [
                    "a",
                    "=",
                    "'x'",
                    "(",
                    ")",
                    "AND",
                    "OR",
                    "NOT",
                    "IN",
                    "LIKE",
                    "IS",
                    "NULL",
                    "1",
                    "-",
                    ",",
                    "BETWEEN",
                    ";",
                    '"',
                    "--",
                    "SELECT",
                    "FROM",
                    "read_csv",
                    "[",
                    "]",
                    "::",
                    "$1",
                    "?",
                    "*",
                    ".",
                    "lambda",
                    "x",
                    ":",
                    "CASE",
                    "WHEN",
                    "EXISTS",
                ]
            ),
            max_size=15,
        ).map(" ".join),
    )
)
@settings(max_examples=500)
def test_no_text_gets_past_the_filter_language(text: str) -> None:
    """Whatever is not refused consists of the view's columns, parameters and a few words, and nothing else."""
    condition = compiled(text)
    if isinstance(condition, VarloomError):
        assert condition.code == "filter_invalid"
        assert condition.place.column is not None
        return
    allowed = {"c0", "c1", "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "BETWEEN", "true", "false"}
    allowed |= {"=", "<>", "<", "<=", ">", ">=", *(f"${name}" for name in condition.parameters)}
    words = condition.sql.replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert set(words) <= allowed


def compiled(text: str) -> Condition | VarloomError:
    try:
        return compile_filter(text, columns_of(a=pa.string(), x=pa.int64()))
    except VarloomError as error:
        return error


cells: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.none() | texts),
    "float64": (pa.float64(), st.none() | st.floats()),
    "int64": (pa.int64(), st.none() | st.integers(-(2**63), 2**63 - 1)),
    "bool": (pa.bool_(), st.none() | st.booleans()),
    "list<int32>": (pa.list_(pa.int32()), st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=3)),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    kinds = draw(st.lists(st.sampled_from(sorted(cells)), min_size=1, max_size=4))
    rows = draw(st.integers(0, 25))
    arrays = [pa.array(range(rows), pa.int64())]
    for kind in kinds:
        data_type, strategy = cells[kind]
        arrays.append(pa.array(draw(st.lists(strategy, min_size=rows, max_size=rows)), data_type))
    return pa.table(
        arrays,
        names=[
            "rowno",
            *draw(
                st.lists(names, min_size=len(kinds), max_size=len(kinds), unique_by=str.casefold).filter(
                    lambda found: "rowno" not in [name.casefold() for name in found]
                )
            ),
        ],
    )


def hashed(batches: list[pa.Table]) -> str:
    hasher = ContentHasher()
    for batch in batches:
        hasher.add(batch)
    schema = batches[0].schema
    return content_hash([(item.name, item.type, hasher.digest(item)) for item in schema], sum(map(len, batches)))


@given(table=tables(), data=st.data())
def test_the_content_hash_sees_values_and_not_batches(table: pa.Table, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, table.num_rows))
    assert hashed([table.slice(0, cut), table.slice(cut)]) == hashed([table])
    if table.num_rows > 1:
        moved = pa.concat_tables([table.slice(1), table.slice(0, 1)])
        assert hashed([moved]) != hashed([table])


@given(table=tables(), data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_table_is_given_back_page_by_page(engine: QueryEngine, table: pa.Table, data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, 30))
    column = data.draw(st.sampled_from(table.column_names))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part-00000.parquet"
        pq.write_table(table, path, write_statistics=False)
        part = Part(path.name, table.num_rows, path.stat().st_size, "")
        columns = [Column(item.name, item.type, "file") for item in table.schema]
        dataset = Dataset(Path(folder), manifest_of(columns, table.num_rows, (part,)))
        for sort in ("", quoted := sort_text([SortKey(column)]), f"-{quoted}"):
            rows: list[dict[str, Any]] = []
            page = engine.rows(dataset, limit=limit, sort=sort)
            rows += page.rows
            while page.next:
                page = engine.rows(dataset, limit=limit, sort=sort, cursor=page.next)
                rows += page.rows
            numbers_found = [row["rowno"] for row in rows]
            assert sorted(numbers_found) == list(range(table.num_rows))
            missing = [row[column] is None for row in rows]
            assert missing == sorted(missing) or not sort
        present = f"{quote_column(column)} IS NOT NULL"
        assert engine.count(dataset, where=present) == table.num_rows - table[column].null_count
