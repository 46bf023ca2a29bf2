"""What must hold for any table that a dataset can hold: its Parquet file says the same to every reader."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varloom.dataset.parquet_file import ParquetFile
from varloom.dataset.parquet_leaves import leaves_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
SCALARS = [pa.bool_(), *WHOLE, pa.float32(), pa.float64(), pa.string()]
STRUCT = pa.struct([pa.field("Gene", pa.string()), pa.field("a.b", pa.string())])
LIST_OF_NUMBERS = pa.list_(pa.field("element", pa.int64()))
TYPES = [
    *SCALARS,
    *(pa.list_(pa.field("element", each)) for each in SCALARS),
    pa.list_(pa.field("element", pa.list_(pa.field("element", pa.int32())))),
    pa.list_(pa.field("element", pa.list_(pa.field("element", pa.string())))),
    pa.list_(pa.field("element", STRUCT)),
    pa.list_(pa.field("element", pa.list_(pa.field("element", STRUCT)))),
    STRUCT,
]
WITH_DICTIONARY = {"RLE", "PLAIN", "RLE_DICTIONARY"}
settings_here = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


# --- tables -----------------------------------------------------------------------------------------------------------


class Maker:
    """Makes arrays of any type out of a seed: some missing, some values often, some seldom, some at the limits."""

    def __init__(self, seed: int, missing: float, distinct: int) -> None:
        self._random = np.random.default_rng(seed)
        self._missing = missing
        self._distinct = distinct

    def array(self, data_type: Any, size: int) -> pa.Array:
        """An array that begins in the middle of its buffers."""
        return self._whole(data_type, size + 3).slice(2, size)

    def _whole(self, data_type: Any, size: int) -> pa.Array:
        mask = pa.array(self._holes(size))
        if pa.types.is_list(data_type):
            return self._lists(data_type, size, mask)
        if pa.types.is_struct(data_type):
            fields = [self.array(field.type, size) for field in data_type]
            return pa.StructArray.from_arrays(fields, fields=list(data_type), mask=mask)
        return pc.if_else(mask, pa.scalar(None, data_type), self._values(data_type, size))

    def _holes(self, size: int) -> Any:
        """In runs, as most fields of real files are missing, or each by itself."""
        length = int(self._random.integers(1, 200))
        runs = self._random.random(size // length + 1) < self._missing
        return np.repeat(runs, length)[:size]

    def _lists(self, data_type: Any, size: int, mask: pa.Array) -> pa.Array:
        """Lists; those that are missing have elements in the buffers, too."""
        lengths = self._random.integers(0, 4, size)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        elements = self.array(data_type.value_type, int(offsets[-1]))
        return pa.ListArray.from_arrays(pa.array(offsets), elements, type=data_type, mask=mask)

    def _values(self, data_type: pa.DataType, size: int) -> pa.Array:
        chosen = self._random.integers(0, self._distinct, size)
        if data_type == pa.bool_():
            return pa.array(chosen % 2 == 0)
        if data_type == pa.string():
            texts = ["", "é", "x" * 15, "x" * 16, "\0", "\0\0"] + [f"{'y' * (each % 70)}{each}" for each in range(600)]
            return pa.array([texts[each % len(texts)] for each in chosen], pa.string())
        bits = self._random.integers(0, 2**64, self._distinct, np.uint64)[chosen]
        if self._random.random() < 0.5:
            bits = np.cumsum(chosen).astype(np.uint64)
        limits = np.array([0, 1 << 63, (1 << 63) - 1, (1 << 64) - 1, 0x7FF8000000000123, 0xFFF0 << 48], np.uint64)
        at_limit = self._random.random(size) < 0.02
        bits = np.where(at_limit, limits[self._random.integers(0, len(limits), size)], bits)
        width = np.dtype(data_type.to_pandas_dtype()).itemsize
        return pa.array(bits.view(f"u{width}")[:: 8 // width].copy()).view(data_type)


@st.composite
def tables(draw: st.DrawFn, most: int) -> pa.Table:
    """A table of a few columns in pieces, which begin anywhere in their buffers."""
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4))
    schema = pa.schema([pa.field(f"INFO.C{number}", each) for number, each in enumerate(types)])
    pieces = draw(st.lists(st.integers(0, most), max_size=3))
    maker = Maker(
        draw(st.integers(0, 2**32)),
        draw(st.sampled_from([0.0, 0.02, 0.5, 1.0])),
        draw(st.sampled_from([1, 2, 300, 10**6])),
    )
    batches = [pa.record_batch([maker.array(each, size) for each in types], schema=schema) for size in pieces]
    return pa.Table.from_batches(batches, schema)


def written(table: pa.Table, *, dictionary: bool) -> bytes:
    leaves = [leaf for field in table.schema for leaf in leaves_of(field.name, field.type)]
    whole = [leaf.name for leaf in leaves if pa.types.is_integer(leaf.type)]
    texts = [leaf.name for leaf in leaves if leaf.type == pa.string()]
    sink = io.BytesIO()
    file = ParquetFile(
        sink,
        table.schema,
        dictionary=[leaf.name for leaf in leaves] if dictionary else [],
        extremes=[*whole, *texts],
    )
    file.write(table)
    file.close()
    return sink.getvalue()


# --- comparisons ------------------------------------------------------------------------------------------------------


def bits_of(array: Any) -> pa.Array:
    """The same with floats as whole numbers, so that NaN equals itself and 0 differs from -0."""
    if pa.types.is_floating(array.type):
        return array.view(pa.int64() if array.type == pa.float64() else pa.int32())
    if pa.types.is_list(array.type):
        lists = pa.ListArray.from_arrays(array.offsets, bits_of(array.values))
        return pc.if_else(array.is_valid(), lists, pa.scalar(None, lists.type))
    return array


def assert_same(found: pa.Table, wanted: pa.Table) -> None:
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        one, other = found[name].combine_chunks(), wanted[name].combine_chunks()
        assert bits_of(one.cast(other.type)).equals(bits_of(other)), name


def assert_all_read(content: bytes, table: pa.Table, path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    """pyarrow, DuckDB and polars find what was written."""
    path.write_bytes(content)
    found = pq.read_table(path)
    assert found.schema.equals(table.schema, check_metadata=True)
    found.validate(full=True)
    assert_same(found, table)
    assert_same(duck.read_parquet(str(path)).to_arrow_table(), table)
    assert_same(pl.read_parquet(path).to_arrow(compat_level=pl.CompatLevel.oldest()), table)


# --- what holds -------------------------------------------------------------------------------------------------------


@given(table=tables(most=300), dictionary=st.booleans())
@settings_here
def test_any_table_is_read_back(
    *, table: pa.Table, dictionary: bool, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    assert_all_read(written(table, dictionary=dictionary), table, tmp_path / "a.parquet", duck)


@given(table=tables(most=40_000), dictionary=st.booleans())
@settings(settings_here, max_examples=25)
def test_any_table_of_many_pages_is_read_back(
    *, table: pa.Table, dictionary: bool, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    assert_all_read(written(table, dictionary=dictionary), table, tmp_path / "a.parquet", duck)


@pytest.mark.parametrize("data_type", TYPES, ids=str)
@pytest.mark.parametrize("rows", [1, 20_481, 60_000])
@pytest.mark.parametrize("distinct", [3, 10**6])
def test_every_type_is_read_back(
    data_type: pa.DataType, rows: int, distinct: int, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    table = pa.table({"C": Maker(rows + distinct, 0.1, distinct).array(data_type, rows)})
    assert_all_read(written(table, dictionary=distinct == 3), table, tmp_path / "a.parquet", duck)


@given(table=tables(most=300), dictionary=st.booleans())
@settings_here
def test_the_footer_says_what_arrow_would_say(*, table: pa.Table, dictionary: bool) -> None:
    leaves = [leaf for field in table.schema for leaf in leaves_of(field.name, field.type)]
    described = [leaf.name for leaf in leaves if pa.types.is_integer(leaf.type) or leaf.type == pa.string()]
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_statistics=described, row_group_size=max(1, len(table)))
    wanted, found = pq.read_metadata(sink), pq.read_metadata(io.BytesIO(written(table, dictionary=dictionary)))
    assert found.schema.equals(wanted.schema)
    assert found.metadata == wanted.metadata
    assert (found.num_rows, found.num_columns, found.format_version) == (len(table), len(leaves), "2.6")
    assert found.num_row_groups == (1 if len(table) else 0)
    for group in range(found.num_row_groups):
        assert found.row_group(group).num_rows == len(table)
        for index, leaf in enumerate(leaves):
            one, other = found.row_group(group).column(index), wanted.row_group(group).column(index)
            assert one.path_in_schema == other.path_in_schema == leaf.name
            assert (one.num_values, one.physical_type, one.compression) == (
                other.num_values,
                other.physical_type,
                "ZSTD",
            )
            assert extremes(one.statistics) == extremes(other.statistics)


def extremes(statistics: Any) -> tuple[Any, ...] | None:
    if statistics is None:
        return None
    least, most = (statistics.min, statistics.max) if statistics.has_min_max else (None, None)
    return statistics.null_count, least, most


@given(table=tables(most=300), dictionary=st.booleans(), data=st.data())
@settings_here
def test_statistics_let_no_row_be_left_out(
    *, table: pa.Table, dictionary: bool, data: st.DataObject, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(written(table, dictionary=dictionary))
    for name in [field.name for field in table.schema if field.type in {*WHOLE, pa.string()}]:
        column = table[name].combine_chunks()
        if column.null_count == len(column):
            continue
        value = data.draw(st.sampled_from(column.drop_null().unique().to_pylist()))
        query = f'SELECT count(*) FROM read_parquet(?) WHERE "{name}" = ?'
        ((count,),) = duck.execute(query, [str(path), value]).fetchall()
        assert count == pc.sum(pc.equal(column, pa.scalar(value, column.type))).as_py()


# --- cases ------------------------------------------------------------------------------------------------------------


def test_a_dictionary_that_grows_too_large_is_left(tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    table = pa.table(
        {
            "text": [f"{number:020d}" for number in range(60_000)],
            "number": pa.array(range(0, 600_000, 10), pa.int64()),
            "float": pa.array([number / 7 for number in range(60_000)], pa.float64()),
            "elements": pa.array(
                [[number * 5, number * 7, None, number * 11] for number in range(60_000)], LIST_OF_NUMBERS
            ),
        }
    )
    content = written(table, dictionary=True)
    assert_all_read(content, table, tmp_path / "a.parquet", duck)
    group = pq.read_metadata(io.BytesIO(content)).row_group(0)
    encodings = [set(group.column(index).encodings) for index in range(4)]
    assert encodings == [
        {"RLE", "DELTA_LENGTH_BYTE_ARRAY"},
        WITH_DICTIONARY,
        WITH_DICTIONARY,
        {"RLE", "DELTA_BINARY_PACKED"},
    ]


@pytest.mark.parametrize("data_type", TYPES, ids=str)
def test_pages_of_nothing_are_read_back(
    data_type: pa.DataType, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    maker = Maker(1, 0.1, 1000)
    pieces = [pa.nulls(50_000, data_type), maker.array(data_type, 100), pa.nulls(50_000, data_type)]
    table = pa.table({"C": pa.chunked_array(pieces)})
    for dictionary in (False, True):
        assert_all_read(written(table, dictionary=dictionary), table, tmp_path / "a.parquet", duck)


def test_long_texts_and_many_elements_are_read_back(tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    table = pa.table(
        {
            "text": [None, "x" * 5_000_000, "", "y" * 70_000, "z"],
            "elements": pa.array([list(range(700_000)), None, [], [None] * 90_000, [1]], LIST_OF_NUMBERS),
        }
    )
    for dictionary in (False, True):
        assert_all_read(written(table, dictionary=dictionary), table, tmp_path / "a.parquet", duck)


def test_long_texts_are_no_extremes() -> None:
    table = pa.table({"contig": ["a", "x" * 5000]})
    statistics = pq.read_metadata(io.BytesIO(written(table, dictionary=True))).row_group(0).column(0).statistics
    assert (statistics.null_count, statistics.has_min_max) == (0, False)


@pytest.mark.parametrize("data_type", [pa.date32(), pa.list_(pa.decimal128(5)), pa.binary()], ids=str)
def test_a_type_that_no_dataset_holds_is_refused(data_type: pa.DataType) -> None:
    with pytest.raises(ValueError, match="no columns of type"):
        written(pa.table({"C": pa.nulls(1, data_type)}), dictionary=False)


def test_a_table_of_other_columns_is_refused() -> None:
    file = ParquetFile(io.BytesIO(), pa.schema([pa.field("a", pa.int32())]), dictionary=[], extremes=[])
    with pytest.raises(ValueError, match="has the columns of its file"):
        file.write(pa.table({"a": pa.array([1], pa.int64())}))
