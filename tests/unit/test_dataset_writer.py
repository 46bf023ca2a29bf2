from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_rows import GivenRows, column_of, numbered, rows_of, witnessed_hash

from varloom.dataset import Dataset, Manifest, row_store, write_dataset, written_directories
from varloom.dataset.durable import is_disk_full
from varloom.dataset.repetition import repetitive_leaves
from varloom.errors import INTERNAL_ERROR, VarloomError
from varloom.reader import Column

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(reader: GivenRows, directory: Path, **options: Any) -> Manifest:
    (manifest,) = write_dataset(reader, directory, source_name="a.vcf", assembly="GRCh38", **options)
    return manifest


def every_type(start: int, rows: int) -> pa.RecordBatch:
    numbers = list(range(start, start + rows))
    return numbered(
        start,
        {
            "contig": pa.array([f"chr{number // 100}" for number in numbers]),
            "qual": pa.array([None if number % 5 == 0 else number / 8 for number in numbers], pa.float64()),
            "INFO.ODD": pa.array(
                [[float("nan"), -0.0, float("inf"), 1e-310][number % 4] for number in numbers], pa.float64()
            ),
            "INFO.DB": pa.array([[True, False, None][number % 3] for number in numbers], pa.bool_()),
            "INFO.AC": pa.array(
                [[None, [], [number], [number, None, -1]][number % 4] for number in numbers],
                pa.list_(pa.int32()),
            ),
            'INFO.é "x".y': pa.array([["", "ü", None, "x" * 50][number % 4] for number in numbers]),
            "INFO.NEST": pa.array(
                [[["a", None], [], None][: number % 4] for number in numbers], pa.list_(pa.list_(pa.string()))
            ),
            "INFO.LATE": pa.array([None if number > 60 else number for number in numbers], pa.int32()),
            "INFO.CSQ": pa.array(
                [
                    [None, [], [{"Gene": "a", "SYMBOL": None}, {"Gene": "", "SYMBOL": "b"}]][number % 3]
                    for number in numbers
                ],
                pa.list_(pa.struct({"Gene": pa.string(), "SYMBOL": pa.string()})),
            ),
        },
    )


def test_a_dataset_holds_the_rows_and_what_is_known_of_them(tmp_path: Path) -> None:
    reader = GivenRows([every_type(0, 70), every_type(70, 30)], samples=("S1",))
    manifest = write(reader, tmp_path / "ds")

    # Compared as text, in which NaN equals NaN and -0.0 differs from 0.0.
    expected = every_type(0, 70).to_pylist() + every_type(70, 30).to_pylist()
    assert str(rows_of(tmp_path / "ds").to_pylist()) == str(expected)
    found = json.loads((tmp_path / "ds" / "manifest.json").read_text())
    assert found == manifest.as_dict()
    assert Manifest.load(tmp_path / "ds") == manifest == Dataset.open(tmp_path / "ds").manifest
    assert (found["format_version"], found["records"], found["variants"]) == (1, 100, 100)
    assert found["source"] == {"name": "a.vcf", "bytes": 1234, "sha256": "ab" * 32}
    assert found["columns"][6] == {
        "name": "INFO.AC",
        "type": "list<int32>",
        "origin": "INFO",
        "description": None,
        "sample": None,
        "field": "AC",
    }
    part = (tmp_path / "ds" / "part-00000.parquet").read_bytes()
    assert found["parts"] == [
        {
            "name": "part-00000.parquet",
            "rows": 100,
            "bytes": len(part),
            "sha256": hashlib.sha256(part).hexdigest(),
        }
    ]
    assert sorted(path.name for path in (tmp_path / "ds").iterdir()) == ["manifest.json", "part-00000.parquet"]


def test_the_content_hash_is_that_of_the_documented_rules(tmp_path: Path) -> None:
    manifest = write(GivenRows([every_type(0, 100)]), tmp_path / "ds")
    assert manifest.content_hash == witnessed_hash(tmp_path / "ds")


def test_the_content_hash_ignores_layout_and_sees_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = every_type(0, 100)
    first = write(GivenRows([whole]), tmp_path / "first")
    monkeypatch.setattr(row_store, "ROW_GROUP_ROWS", 7)
    cut = [whole.slice(start, 13) for start in range(0, 100, 13)]
    second = write(GivenRows(cut), tmp_path / "second")
    assert len(second.parts) > 1
    assert second.content_hash == first.content_hash == witnessed_hash(tmp_path / "second")

    changed = whole.set_column(3, "qual", pa.array([None] + [0.5] * 99))
    renamed = whole.rename_columns([*whole.schema.names[:-1], "INFO.OTHER"])
    empty_for_missing = whole.set_column(
        6, "INFO.AC", pa.array([value or [] for value in whole["INFO.AC"].to_pylist()], pa.list_(pa.int32()))
    )
    for number, other in enumerate([changed, renamed, empty_for_missing]):
        assert write(GivenRows([other]), tmp_path / f"other-{number}").content_hash != first.content_hash


def test_late_columns_and_wider_types_end_in_one_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_store, "ROW_GROUP_ROWS", 4)
    early = numbered(0, {"INFO.A": pa.array([1, 2, None, 4, 5], pa.int32()), "INFO.S": pa.array([1, None, 3, 4, 5])})
    late = numbered(
        5,
        {
            "INFO.A": pa.array([2**40, None, 7], pa.int64()),
            "INFO.NEW": pa.array(["x", None, "z"]),
            "INFO.S": pa.array([[1, 2], None, [3]], pa.list_(pa.int64())),
        },
    )
    manifest = write(GivenRows([early, late]), tmp_path / "ds")
    parts_found = [pq.ParquetFile(tmp_path / "ds" / part.name) for part in manifest.parts]
    schemas = [part.schema_arrow for part in parts_found]
    assert schemas == [schemas[0]] * len(schemas)
    assert schemas[0].names == late.schema.names
    table = rows_of(tmp_path / "ds").to_pydict()
    assert table["INFO.A"] == [1, 2, None, 4, 5, 2**40, None, 7]
    assert table["INFO.NEW"] == [None] * 5 + ["x", None, "z"]
    assert table["INFO.S"] == [[1], None, [3], [4], [5], [1, 2], None, [3]]
    assert manifest.content_hash == witnessed_hash(tmp_path / "ds")


def test_row_groups_and_parts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_store, "ROW_GROUP_ROWS", 10)
    monkeypatch.setattr(row_store, "_PARTS_OF_ONE", 1)
    manifest = write(GivenRows([every_type(0, 64), every_type(64, 36)]), tmp_path / "ds")
    assert [part.rows for part in manifest.parts] == [10, 80, 10]
    sizes = [
        pq.ParquetFile(tmp_path / "ds" / part.name).metadata.row_group(group).num_rows
        for part in manifest.parts
        for group in range(pq.ParquetFile(tmp_path / "ds" / part.name).num_row_groups)
    ]
    assert sizes == [10] * 10
    monkeypatch.setattr(row_store, "ROW_GROUP_BYTES", 1)
    wide = write(GivenRows([every_type(0, 3), every_type(3, 3)]), tmp_path / "wide")
    assert [part.rows for part in wide.parts] == [3, 3]


def test_only_columns_that_repeat_get_a_dictionary() -> None:
    table = pa.table(
        {
            "INFO.GT": pa.array(["0/1", "1/1"] * 500),
            "id": pa.array([f"rs{number}" for number in range(1000)]),
            "INFO.L": pa.array([[number % 3] for number in range(1000)]),
            "rowno": pa.array(range(1000)),
            "INFO.NONE": pa.nulls(1000, pa.string()),
        }
    )
    assert repetitive_leaves(table) == ["INFO.GT", "INFO.L.list.element", "INFO.NONE"]


def test_no_rows_make_a_dataset_with_its_columns(tmp_path: Path) -> None:
    columns = [column_of(field) for field in every_type(0, 1).schema]
    manifest = write(GivenRows([], columns=columns), tmp_path / "ds")
    assert manifest.variants == 0
    assert rows_of(tmp_path / "ds").schema.names == [column.name for column in columns]
    assert manifest.content_hash == witnessed_hash(tmp_path / "ds")


GAP = pa.record_batch({"rowno": [3, 4], "record": [4, 5]})
RECORD_GAP = pa.record_batch({"rowno": [2, 3], "record": [4, 5]})
START = pa.record_batch({"rowno": [0, 1], "record": [1, 2]})


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (GivenRows([START], variants=3), "2 rows were written, but 3 variants were read"),
        (GivenRows([START], records=3), "2 records were written, but 3 were read"),
        (GivenRows([START, GAP]), "rowno goes on with 3 where 2 was expected"),
        (GivenRows([START, RECORD_GAP]), "record goes on with 4 where 3 was expected"),
        (GivenRows([START.slice(1)]), "rowno goes on with 1 where 0 was expected"),
        (GivenRows([pa.record_batch({"rowno": [0, 2], "record": [1, 2]})]), "rowno does not go on"),
        (GivenRows([START], columns=[Column("rowno", pa.int64(), "varloom")]), "'record' was read but is not"),
    ],
)
def test_rows_that_do_not_add_up_are_never_a_dataset(tmp_path: Path, reader: GivenRows, told: str) -> None:
    with pytest.raises(VarloomError, match=told) as caught:
        write(reader, tmp_path / "ds")
    assert caught.value.code == "dataset_inconsistent"
    assert not (tmp_path / "ds").exists()


def test_a_value_that_would_change_ends_the_writing(tmp_path: Path) -> None:
    columns = [column_of(pa.field(name, pa.int64())) for name in ("rowno", "record")]
    columns.append(Column("qual", pa.float64(), "VCF"))
    reader = GivenRows([numbered(0, {"qual": pa.array([2**53 + 1])})], columns=columns)
    with pytest.raises(VarloomError, match="cannot go from int64 to double without loss"):
        write(reader, tmp_path / "ds")


def test_a_failed_reader_leaves_nothing_and_a_dataset_is_never_overwritten(tmp_path: Path) -> None:
    class Broken(GivenRows):
        def batches(self) -> Iterator[pa.RecordBatch]:
            yield START
            raise VarloomError(INTERNAL_ERROR, "line 3 is broken")

    (tmp_path / "ds").mkdir()
    with pytest.raises(VarloomError, match="line 3"):
        write(Broken([START]), tmp_path / "ds")
    assert list((tmp_path / "ds").iterdir()) == []
    with pytest.raises(VarloomError) as caught:
        Dataset.open(tmp_path / "ds")
    assert caught.value.code == "dataset_missing"
    write(GivenRows([START]), tmp_path / "ds")
    with pytest.raises(VarloomError) as caught:
        write(GivenRows([START]), tmp_path / "ds")
    assert caught.value.code == "dataset_exists"
    assert Dataset.open(tmp_path / "ds").manifest.variants == 2


def test_damage_and_newer_formats_are_told(tmp_path: Path) -> None:
    write(GivenRows([START]), tmp_path / "ds")
    manifest_path = tmp_path / "ds" / "manifest.json"
    good = manifest_path.read_text()
    newer = json.loads(good) | {"format_version": 2, "columns": "unknown shape"}
    for text, code in [
        (json.dumps(newer), "dataset_too_new"),
        ("{", "dataset_damaged"),
        ("[]", "dataset_damaged"),
        ('{"format_version": 1}', "dataset_damaged"),
    ]:
        manifest_path.write_text(text)
        with pytest.raises(VarloomError) as caught:
            Manifest.load(tmp_path / "ds")
        assert caught.value.code == code
    manifest_path.write_text(good)
    part = tmp_path / "ds" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(VarloomError, match=r"part-00000.parquet .* bytes instead of"):
        Dataset.open(tmp_path / "ds")
    part.unlink()
    with pytest.raises(VarloomError, match=r"part-00000.parquet .* is missing"):
        Dataset.open(tmp_path / "ds")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_a_full_disk_is_seen_through_every_library() -> None:
    with pytest.raises(OSError) as caught, pa.OSFile("/dev/full", "wb") as file:
        file.write(b"x" * 1_000_000)
    assert is_disk_full(caught.value)
    with pytest.raises(OSError) as caught:
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    assert is_disk_full(caught.value)
    assert not is_disk_full(OSError(13, "Permission denied"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_ends_the_writing_with_its_code(small_disk: Path) -> None:
    noise = [pa.array([os.urandom(20).hex() for _ in range(100_000)])]
    with pytest.raises(VarloomError) as caught:
        write(GivenRows([numbered(0, {"id": noise[0]})]), small_disk / "ds")
    assert caught.value.code == "disk_full"
    assert caught.value.kind.retryable
    assert not (small_disk / "ds").exists()


def two_samples(start: int, rows: int) -> pa.RecordBatch:
    values = range(start, start + rows)
    return numbered(
        start,
        {
            "INFO.DP": pa.array(values, pa.int32()),
            "S1.GT": pa.array([f"0/{value % 2}" for value in values]),
            "S1.AD": pa.array([[value, None] for value in values]),
            "S2.GT": pa.array([None for _ in values], pa.string()),
            "S2.AD": pa.array([[-value] for value in values]),
            "csq.gene": pa.array(["TP53" for _ in values]),
        },
    )


def with_annotation(batch: pa.RecordBatch) -> list[Column]:
    columns = [column_of(field) for field in batch.schema]
    return [*columns[:-1], Column("csq.gene", pa.string(), "csq")]


def test_split_by_sample_gives_each_sample_its_columns_and_all_rows(tmp_path: Path) -> None:
    batches = [two_samples(0, 6), two_samples(6, 4)]
    reader = GivenRows(batches, columns=with_annotation(batches[0]), samples=("S1", "S2"))
    manifests = write_dataset(reader, tmp_path / "ds", source_name="a.vcf", assembly=None, split_by_sample=True)
    directories = written_directories(tmp_path / "ds", manifests)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ds-0", "ds-1"] == [path.name for path in directories]
    whole = pa.Table.from_batches(batches)
    for position, (directory, manifest) in enumerate(zip(directories, manifests, strict=True)):
        sample = f"S{position + 1}"
        names = ["rowno", "record", "INFO.DP", f"{sample}.GT", f"{sample}.AD", "csq.gene"]
        assert rows_of(directory).to_pylist() == whole.select(names).to_pylist()
        assert Dataset.open(directory).manifest == manifest
        assert (manifest.samples, manifest.records, manifest.variants) == ((sample,), 10, 10)
        assert manifest.as_dict()["split"] == {"sample": sample, "position": position, "of": 2}
        assert manifest.content_hash == witnessed_hash(directory)


def test_split_by_sample_takes_apart_the_lists_of_many_samples(tmp_path: Path) -> None:
    samples = tuple(f"S{number}" for number in range(70))
    genotypes = [[f"{row}|{number}" for number in range(70)] for row in range(5)]
    depths: list[list[list[int] | None] | None] = [[[row, number] for number in range(70)] for row in range(5)]
    depths[1], depths[2], depths[3] = None, [[1]], [None] * 70
    batch = numbered(0, {"FORMAT.GT": pa.array(genotypes), "FORMAT.AD": pa.array(depths)})
    reader = GivenRows([batch.slice(0, 3), batch.slice(3)], samples=samples)
    manifests = write_dataset(reader, tmp_path / "ds", source_name="a.vcf", assembly=None, split_by_sample=True)
    assert len(manifests) == 70
    table = rows_of(tmp_path / "ds-69").to_pydict()
    assert table["S69.GT"] == [f"{row}|69" for row in range(5)]
    assert table["S69.AD"] == [[0, 69], None, None, None, [4, 69]]
    assert rows_of(tmp_path / "ds-0").to_pydict()["S0.AD"] == [[0, 0], None, [1], None, [4, 0]]
    assert manifests[69].content_hash == witnessed_hash(tmp_path / "ds-69")


@pytest.mark.parametrize("samples", [(), ("S1",)])
def test_a_file_with_nothing_to_split_is_one_dataset(tmp_path: Path, samples: tuple[str, ...]) -> None:
    plain = write(GivenRows([START], samples=samples), tmp_path / "plain")
    split = write(GivenRows([START], samples=samples), tmp_path / "split", split_by_sample=True)
    assert split == plain
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "split"]


def test_a_split_without_rows_has_its_columns(tmp_path: Path) -> None:
    columns = with_annotation(two_samples(0, 1))
    reader = GivenRows([], columns=columns, samples=("S1", "S2"))
    manifests = write_dataset(reader, tmp_path / "ds", source_name="a", assembly=None, split_by_sample=True)
    assert [column.name for column in manifests[1].columns][-2:] == ["S2.AD", "csq.gene"]
    assert manifests[1].content_hash == witnessed_hash(tmp_path / "ds-1")


def test_a_failed_split_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "ds-1").mkdir()
    (tmp_path / "ds-1" / "manifest.json").write_text("{}")
    batch = two_samples(0, 3)
    reader = GivenRows([batch], columns=with_annotation(batch), samples=("S1", "S2"))
    with pytest.raises(VarloomError) as caught:
        write_dataset(reader, tmp_path / "ds", source_name="a", assembly=None, split_by_sample=True)
    assert caught.value.code == "dataset_exists"
    assert [path.name for path in (tmp_path / "ds-1").iterdir()] == ["manifest.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["ds-1"]
