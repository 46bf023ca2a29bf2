"""The filter language, asked of a small table whose answers are plain to see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from dataset_rows import GivenRows, numbered

from varloom.dataset import (
    AnyOf,
    ColumnCondition,
    Dataset,
    Manifest,
    Operator,
    QueryEngine,
    Source,
    filter_text,
    write_dataset,
)
from varloom.dataset.filter_sql import compile_filter
from varloom.dataset.regions import Region, parse_region
from varloom.dataset.table_columns import TableColumns
from varloom.errors import VarloomError
from varloom.reader import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

NAN = float("nan")
COLUMNS = {
    "contig": pa.array(["chr1", "chr1", "chr2", "chr10", "chrX"]),
    "position": pa.array([100, 200, 300, 400, 500]),
    "ref": pa.array(["A", "AC", "G", "T", "C"]),
    "qual": pa.array([10.5, None, 30.0, NAN, 1e300]),
    "filter": pa.array(["PASS", "q10", None, "PASS", "50%_off"]),
    "INFO.DP": pa.array([5, 15, None, 2**31, 2**62], pa.int64()),
    "INFO.DB": pa.array([True, False, None, True, None]),
    "INFO.AC": pa.array([[1], [2, 3], None, [], [None, 7]], pa.list_(pa.int32())),
    "INFO.SET": pa.array([["a", "b"], ["B"], None, ["it's"], [""]]),
    "INFO.FLOAT": pa.array([10.5, 1.0, 31.0, 5.0, NAN]),
    "INFO.FLOATS": pa.array([[NAN], [NAN, 3.0], None, [2.0], [float("inf")]]),
    "INFO.1000G": pa.array([1, None, None, None, None], pa.int32()),
    "INFO.END": pa.array([110, 201, 300, 405, 500]),
    "NA12878-1.GT": pa.array(["0/1", "1/1", "0|1", "./.", None]),
    'odd "name" ; -- x': pa.array([1, 2, 3, 4, 5]),
    "größe": pa.array(["x\\y", "x%y", "x_y", "'", "\n"]),
    "FORMAT.PL": pa.array([[[1]], None, None, None, None], pa.list_(pa.list_(pa.int32()))),
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    directory = tmp_path_factory.mktemp("filters") / "ds"
    write_dataset(GivenRows([numbered(0, COLUMNS)]), directory, source_name="a.vcf", assembly=None)
    return Dataset.open(directory)


@pytest.fixture(scope="module")
def engine() -> Iterator[QueryEngine]:
    with QueryEngine(memory_limit=256 * 1024**2, threads=1) as opened:
        yield opened


def selected(engine: QueryEngine, dataset: Dataset, where: str) -> list[int]:
    page = engine.rows(dataset, where=where, columns=["rowno"])
    assert page.total == len(page.rows) == engine.count(dataset, where=where)
    return [row["rowno"] for row in page.rows]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("  \n", [0, 1, 2, 3, 4]),
        ("true", [0, 1, 2, 3, 4]),
        ("contig = 'chr1'", [0, 1]),
        ("'chr1' = contig", [0, 1]),
        ("contig != 'chr1'", [2, 3, 4]),
        ("contig <> 'chr1' AND position <= 400", [2, 3]),
        ("position > 100 and position < 300", [1]),
        ("300 <= position", [2, 3, 4]),
        ("100 >= position", [0]),
        ("position = 100 OR position = 300 AND qual > 5", [0, 2]),
        ("(position = 100 OR position = 300) AND qual > 20", [2]),
        ("NOT position = 100", [1, 2, 3, 4]),
        ("NOT (position = 100 OR position = 200)", [2, 3, 4]),
        ("position BETWEEN 200 AND 300", [1, 2]),
        ("position NOT BETWEEN 200 AND 300", [0, 3, 4]),
        ("filter IN ('PASS', 'q10')", [0, 1, 3]),
        ("filter NOT IN ('PASS')", [1, 4]),
        ("ref LIKE 'A%'", [0, 1]),
        ("ref NOT LIKE 'A%'", [2, 3, 4]),
        ("ref LIKE '_'", [0, 2, 3, 4]),
        ("filter ILIKE 'pass'", [0, 3]),
        ("filter NOT ILIKE 'pass'", [1, 4]),
        (r"filter LIKE '50\%\_%' ESCAPE '\'", [4]),
        (r"filter NOT LIKE '50\%\_%' ESCAPE '\'", [0, 1, 3]),
        ("filter IS NULL", [2]),
        ("filter IS NOT NULL", [0, 1, 3, 4]),
        ("contains(contig, '1')", [0, 1, 3]),
        ("starts_with(filter, '50%')", [4]),
        ("ends_with(ref, 'C')", [1, 4]),
        ("CONTAINS(ref, 'c')", []),
        ("INFO.DB", [0, 3]),
        ("NOT INFO.DB", [1]),
        ("INFO.DB = false", [1]),
        ("INFO.DB IS TRUE", [0, 3]),
        ("INFO.DB IS NOT TRUE", [1, 2, 4]),
        ("INFO.DP >= 2147483648", [3, 4]),
        ("INFO.DP = 4611686018427387904", [4]),
        ("INFO.DP > 15.5", [3, 4]),
        ("INFO.DP > -1", [0, 1, 3, 4]),
        ("INFO.DP < 99999999999999999999999", [0, 1, 3, 4]),
        ("qual > 1e299", [4]),
        ("qual >= 1e300", [4]),
        ("qual != 30", [0, 3, 4]),
        ("qual < INFO.FLOAT", [2]),
        ("qual = INFO.FLOAT", [0]),
        ("INFO.FLOATS > 2", [1, 4]),
        ("qual < .5e2", [0, 2]),
        ("INFO.END > position", [0, 1, 3]),
        ("has(INFO.AC, 3)", [1]),
        ("INFO.AC = 3", [1]),
        ("INFO.AC > 1", [1, 4]),
        ("INFO.AC IN (1, 7)", [0, 4]),
        ("INFO.AC BETWEEN 2 AND 4", [1]),
        ("INFO.AC != 3", [0, 3, 4]),
        ("NOT has(INFO.AC, 3)", [0, 3, 4]),
        ("INFO.AC IS NULL", [2]),
        ("has(INFO.SET, 'it''s')", [3]),
        ("INFO.SET ILIKE 'b'", [0, 1]),
        ("contains(INFO.SET, 'b')", [0]),
        ("INFO.SET = ''", [4]),
        ('INFO."1000G" = 1', [0]),
        ('"INFO.1000G" = 1', [0]),
        ('"INFO".DP = 5', [0]),
        ("\"NA12878-1.GT\" = '0/1'", [0]),
        ("\"NA12878-1\".GT IN ('0/1', '0|1')", [0, 2]),
        ('"odd ""name"" ; -- x" >= 4', [3, 4]),
        ("\"größe\" = ''''", [3]),
        ("\"größe\" = '\n'", [4]),
        ("region('chr1')", [0, 1]),
        ("region('chr1:150-250')", [1]),
        ("region('1:1-1,000')", [0, 1]),
        ("region('chrX:400-')", [4]),
        ("region('chr2:300')", [2]),
        ("region('chr3:300')", []),
        ("ref = 'A; DROP VIEW cells'", []),
        ("rowno = 3", [3]),
    ],
)
def test_filters_select(engine: QueryEngine, dataset: Dataset, where: str, rows: list[int]) -> None:
    assert selected(engine, dataset, where) == rows


@pytest.mark.parametrize(
    ("where", "position", "told"),
    [
        ("qual >", 6, "was not expected here"),
        ("position = 1 AND", 14, "was not expected here"),
        ("quall > 3", 1, "did you mean qual?"),
        ("Contig = 'chr1'", 1, "did you mean contig?"),
        ("ref = 'A' AND AC = 1", 15, "did you mean INFO.AC?"),
        ("nothing_like_it = 1", 1, "The columns are rowno, record, contig"),
        ("position > 'x'", 12, "position holds numbers; a number such as 10 or 0.5 was expected"),
        ("contig = 1", 10, "contig holds text; a text in single quotes such as 'PASS' was expected"),
        ("INFO.DB = 1", 11, "INFO.DB holds true or false; true or false was expected"),
        ("INFO.AC = 'x'", 11, "INFO.AC holds lists of numbers"),
        ("position IN (1, 'x')", 17, "a number such as 10"),
        ("position BETWEEN 1 AND 'x'", 24, "a number such as 10"),
        ("position LIKE '1%'", 1, "a column of text was expected"),
        ("contig LIKE 1", 13, "a text in single quotes"),
        ("contig = PASS", 10, "If a text was meant, put it in single quotes."),
        ("contig = ref2", 10, "no column 'ref2'"),
        ("contig = position", 1, "contig holds text and position holds numbers"),
        ("contig", 1, "an operator and a value were expected"),
        ("filter = NULL", 1, "write IS NULL"),
        ("filter IS 'x'", 1, "IS goes with NULL"),
        ("1 = 1", 1, "one side of a comparison has to be a column"),
        ("'a'", 1, "a value alone is no condition"),
        ("position + 1 > 2", 1, "filters do not calculate"),
        ("NA12878-1.GT = '0/1'", 14, "signs or leading digits go in double quotes"),
        ("NA12878-GT = '0/1'", 1, "put it in double quotes"),
        ("position > 1e999", 12, "the number is too large"),
        ("INFO.DP = 340282366920938463463374607431768211456", 11, "the number is too large"),
        ("has(position, 3)", 1, "has() needs a column of lists"),
        ("has(INFO.AC)", 1, "has is used as has(INFO.AC, 2)"),
        ("region('chr1:x')", 1, "is no region"),
        ("region('chr1:300-200')", 1, "is no region"),
        ("FORMAT.PL = 1", 1, "lists of lists"),
        ("INFO.AC > position", 1, "can only be compared with a value"),
        ("contig = 'chr1", 10, "a quote is opened here and never closed"),
        ('"contig = 1', 1, "a quote is opened here and never closed"),
        ("position = 1; DROP TABLE x", 13, "a semicolon"),
        ("position = 1 -- hi", 13, "a comment"),
        ("position = 1 /* hi */", 13, "a comment"),
        ("position = ?", 12, "a placeholder"),
        ("position = $1", 12, "a parameter"),
        ("position IN (SELECT 1)", 14, "cannot contain queries"),
        ("EXISTS (FROM cells)", 1, ""),
        ("position IN (FROM cells)", 1, ""),
        ("read_csv('/etc/passwd') = 1", 1, "no function of filters"),
        ("getenv('HOME') = 'x'", 1, "getenv is no function of filters, which are contains"),
        ("length(ref) > 1", 1, "length is no function of filters"),
        ("count(*) > 1", 1, "no function of filters"),
        ("position::text = '1'", 1, ""),
        ("CAST(position AS text) = '1'", 6, ""),
        ("CASE WHEN true THEN true END", 1, ""),
        ("position IS DISTINCT FROM 1", 1, ""),
        ("ref ~ 'A'", 1, ""),
        ("ref GLOB 'A'", 1, ""),
        ("ref SIMILAR TO 'A'", 1, ""),
        ("INFO.AC[1] = 1", 1, ""),
        ("position = ANY([1])", 17, ""),
        ("contig COLLATE nocase = 'x'", 1, ""),
        ("contig = 'a' 'b'", 10, ""),
        ("contig = E'a\\n'", 10, ""),
        ("contig = DATE '2020-01-01'", 15, ""),
        ("contig LIKE 'a' ESCAPE 'bc'", 1, "ESCAPE needs one character"),
        ("contig LIKE 'a' ESCAPE 'é'", 1, "ESCAPE needs one character, of ASCII"),
        ("contig LIKE '%' ESCAPE '%'", 1, "the pattern ends with its ESCAPE character '%'"),
        (r"contig NOT ILIKE 'a\\\' ESCAPE '\'", 1, "write it twice"),
        ("position = .5.", 1, "0.5. is no number"),
        ("ref = $$A$$", 7, "dollar-quoted"),
        ("position = 1 position = 2", 23, "was not expected here"),
        ("position, ref", 9, "was not expected here"),
        ("SELECT 1", 1, "cannot contain queries"),
        ("DROP VIEW cells", 11, "not part of the filter language"),
        ("PRAGMA version", 8, "not part of the filter language"),
        ("ATTACH 'x.db'", 8, "not part of the filter language"),
        ("*", 1, ""),
        ("(" * 51 + "position = 1" + ")" * 51, 51, "nests deeper than 50 levels"),
        ("NOT " * 60 + "INFO.DB", 201, "nests deeper than 50 levels"),
        ("position = " + "9" * 5000, 12, "the number has too many digits"),
        ("x" * 100_001, 100_001, "longer than 100,000 characters"),
    ],
)
def test_what_is_no_filter_is_refused_with_its_position(
    engine: QueryEngine, dataset: Dataset, where: str, position: int, told: str
) -> None:
    with pytest.raises(VarloomError) as caught:
        engine.count(dataset, where=where)
    assert caught.value.code == "filter_invalid"
    assert told in caught.value.message
    assert caught.value.place.column == position
    assert caught.value.message.startswith(f"At position {position} of the filter: ")
    assert caught.value.kind.status == 400


def test_a_filter_may_be_long_but_not_deep(engine: QueryEngine, dataset: Dataset) -> None:
    assert selected(engine, dataset, " OR ".join(f"position = {number}" for number in range(3000))) == [0, 1, 2, 3, 4]
    listed = ", ".join(str(number) for number in range(10_000))
    assert selected(engine, dataset, f"position IN ({listed})") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("condition", "text", "rows"),
    [
        (ColumnCondition("qual", Operator.GREATER_OR_EQUAL, 10.5), "qual >= 10.5", [0, 2, 4]),
        (ColumnCondition("INFO.DP", Operator.LESS, 10), "INFO.DP < 10", [0]),
        (ColumnCondition("position", Operator.NOT_EQUALS, 100), "position != 100", [1, 2, 3, 4]),
        (ColumnCondition("position", Operator.BETWEEN, (150, 350)), "position BETWEEN 150 AND 350", [1, 2]),
        (ColumnCondition("INFO.DB", Operator.EQUALS, True), "INFO.DB = TRUE", [0, 3]),
        (ColumnCondition("filter", Operator.IN, ["PASS", "q10"]), "filter IN ('PASS', 'q10')", [0, 1, 3]),
        (ColumnCondition("filter", Operator.NOT_IN, ["PASS"]), "filter NOT IN ('PASS')", [1, 4]),
        (ColumnCondition("filter", Operator.MISSING), "filter IS NULL", [2]),
        (ColumnCondition("filter", Operator.PRESENT), "filter IS NOT NULL", [0, 1, 3, 4]),
        (ColumnCondition("filter", Operator.CONTAINS, "as"), "filter ILIKE '%as%'", [0, 3]),
        (ColumnCondition("filter", Operator.NOT_CONTAINS, "as"), "filter NOT ILIKE '%as%'", [1, 4]),
        (ColumnCondition("filter", Operator.CONTAINS, "%_"), r"filter ILIKE '%\%\_%' ESCAPE '\'", [4]),
        (ColumnCondition("größe", Operator.CONTAINS, "x\\"), "\"größe\" ILIKE '%x\\\\%' ESCAPE '\\'", [0]),
        (ColumnCondition("größe", Operator.EQUALS, "'"), "\"größe\" = ''''", [3]),
        (ColumnCondition("ref", Operator.STARTS_WITH, "a"), "ref ILIKE 'a%'", [0, 1]),
        (ColumnCondition("ref", Operator.ENDS_WITH, "c"), "ref ILIKE '%c'", [1, 4]),
        (ColumnCondition("NA12878-1.GT", Operator.EQUALS, "0/1"), "\"NA12878-1.GT\" = '0/1'", [0]),
        (ColumnCondition("INFO.1000G", Operator.EQUALS, 1), '"INFO.1000G" = 1', [0]),
        (ColumnCondition("INFO.AC", Operator.EQUALS, 3), "INFO.AC = 3", [1]),
        (ColumnCondition('odd "name" ; -- x', Operator.LESS_OR_EQUAL, 2), '"odd ""name"" ; -- x" <= 2', [0, 1]),
        (
            AnyOf([ColumnCondition("position", Operator.EQUALS, 100), ColumnCondition("qual", Operator.GREATER, 29)]),
            "(position = 100 OR qual > 29)",
            [0, 2, 4],
        ),
    ],
)
def test_conditions_of_a_grid_become_filters(
    engine: QueryEngine, dataset: Dataset, condition: ColumnCondition | AnyOf, text: str, rows: list[int]
) -> None:
    assert filter_text([condition]) == text
    assert selected(engine, dataset, text) == rows


def test_several_conditions_have_to_hold_together(engine: QueryEngine, dataset: Dataset) -> None:
    either = AnyOf([ColumnCondition("filter", Operator.MISSING), ColumnCondition("filter", Operator.EQUALS, "PASS")])
    text = filter_text([either, ColumnCondition("position", Operator.GREATER, 100)])
    assert text == "(filter IS NULL OR filter = 'PASS') AND position > 100"
    assert selected(engine, dataset, text) == [2, 3]
    assert filter_text([]) == ""


@pytest.mark.parametrize(
    "condition",
    [
        ColumnCondition("a", Operator.EQUALS, None),
        ColumnCondition("a", Operator.EQUALS, NAN),
        ColumnCondition("a", Operator.IN, "PASS"),
        ColumnCondition("a", Operator.IN, []),
        ColumnCondition("a", Operator.CONTAINS, 3),
        ColumnCondition("a", Operator.BETWEEN, [1]),
        AnyOf([]),
    ],
)
def test_conditions_without_sense_have_no_text(condition: ColumnCondition | AnyOf) -> None:
    with pytest.raises(ValueError):
        filter_text([condition])


def documented_filters() -> list[str]:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "filters.md"
    blocks = re.findall(r"```filter\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("where", documented_filters())
def test_every_documented_filter_works(where: str) -> None:
    text, number, flag = pa.string(), pa.int64(), pa.bool_()
    kinds = {
        **dict.fromkeys(["contig", "id", "ref", "filter", "csq.gene", "csq.hgvs_p", "csq.hgvs_c", "select"], text),
        **dict.fromkeys(["HG002.GT", "NA12878-1.GT"], text),
        **dict.fromkeys(["position", "qual", "INFO.AF", "INFO.DP", "INFO.1000G", 'allele "count"'], number),
        "INFO.DB": flag,
        "INFO.AC": pa.list_(number),
    }
    columns = tuple(Column(name, kind, "VCF") for name, kind in kinds.items())
    manifest = Manifest(
        records=0,
        variants=0,
        columns=columns,
        content_hash="",
        source=Source("", 0, "", "vcf", "none"),
        parts=(),
        assembly=None,
        samples=(),
        contigs=(),
        warnings=(),
        versions={},
        header="",
    )
    assert compile_filter(where, TableColumns(manifest)).sql


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr7", Region("chr7")),
        ("7", Region("chr7")),
        ("chr8:1-2", Region("8", 1, 2)),
        ("chr7:117,559,590", Region("chr7", 117_559_590, 117_559_590)),
        (" chr7:1-2,000 ", Region("chr7", 1, 2000)),
        ("chr7:5-", Region("chr7", 5, None)),
        ("HLA-A*01:01", Region("HLA-A*01:01")),
        ("HLA-A*01:01:7-9", Region("HLA-A*01:01", 7, 9)),
        ("chr7:", None),
        ("chr7:a-b", None),
        ("chr7:9-8", None),
        ("", None),
        ("chr7:,", None),
    ],
)
def test_regions_are_read_as_people_write_them(text: str, region: Region | None) -> None:
    assert parse_region(text, ("chr7", "8", "HLA-A*01:01")) == region
