"""Whose folder it is: two loads never write into one, and none removes what another one wrote."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from dataset_rows import GivenRows, numbered, witnessed_hash

from varloom.dataset import Dataset, Manifest, write_dataset, writer
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOUR_AGO = 3600.0


def rows(mark: str, samples: int = 0) -> pa.RecordBatch:
    columns: dict[str, Any] = {"id": pa.array([mark] * 3)}
    columns |= {f"S{sample}.GT": pa.array(["0/1"] * 3) for sample in range(1, samples + 1)}
    return numbered(0, columns)


def write(reader: GivenRows, directory: Path, **options: Any) -> tuple[Manifest, ...]:
    return write_dataset(reader, directory, source_name=str(reader.given[0]["id"][0]), assembly=None, **options)


class Meanwhile(GivenRows):
    """Rows between which something else happens."""

    happens: Callable[[], object]

    def batches(self) -> Iterator[pa.RecordBatch]:
        self.happens()
        yield from super().batches()


def test_a_folder_that_is_being_written_is_not_taken_by_another(tmp_path: Path) -> None:
    refused = []

    def load_another() -> None:
        with pytest.raises(VarloomError, match="being written") as caught:
            write(GivenRows([rows("second")]), tmp_path / "ds")
        refused.append(caught.value.code)

    first = Meanwhile([rows("first")])
    first.happens = load_another
    write(first, tmp_path / "ds")
    assert refused == ["dataset_exists"]
    assert Dataset.open(tmp_path / "ds").manifest.source.name == "first"
    assert sorted(path.name for path in (tmp_path / "ds").iterdir()) == ["manifest.json", "part-00000.parquet"]
    assert Manifest.load(tmp_path / "ds").content_hash == witnessed_hash(tmp_path / "ds")


def test_a_folder_that_was_filled_between_the_look_and_the_claim_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(GivenRows([rows("first")]), tmp_path / "ds")
    monkeypatch.setattr(writer, "_refuse_used", lambda _: None)
    with pytest.raises(VarloomError) as caught:
        write(GivenRows([rows("second")]), tmp_path / "ds")
    assert caught.value.code == "dataset_exists"
    assert Dataset.open(tmp_path / "ds").manifest.source.name == "first"
    assert sorted(path.name for path in (tmp_path / "ds").iterdir()) == ["manifest.json", "part-00000.parquet"]


def test_a_split_removes_nothing_that_it_did_not_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(GivenRows([rows("another")]), tmp_path / "ds-1")
    looked = writer._refuse_used
    calls = iter([True] * 3)  # the whole, and the first look at both targets
    monkeypatch.setattr(writer, "_refuse_used", lambda path: None if next(calls, None) else looked(path))
    with pytest.raises(VarloomError) as caught:
        write(GivenRows([rows("split", 2)], samples=("S1", "S2")), tmp_path / "ds", split_by_sample=True)
    assert caught.value.code == "dataset_exists"
    assert [path.name for path in tmp_path.iterdir()] == ["ds-1"]
    assert Dataset.open(tmp_path / "ds-1").manifest.source.name == "another"


def test_two_splits_to_one_name_do_not_share_their_scratch(tmp_path: Path) -> None:
    def load_another() -> None:
        write(GivenRows([rows("second", 2)], samples=("S1", "S2")), tmp_path / "ds", split_by_sample=True)

    first = Meanwhile([rows("first", 2)], samples=("S1", "S2"))
    first.happens = load_another
    with pytest.raises(VarloomError) as caught:
        write(first, tmp_path / "ds", split_by_sample=True)
    assert caught.value.code == "dataset_exists"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ds-0", "ds-1"]
    assert {Dataset.open(tmp_path / f"ds-{index}").manifest.source.name for index in (0, 1)} == {"second"}


def test_scratch_of_killed_processes_is_removed_and_that_of_living_ones_is_not(tmp_path: Path) -> None:
    for name, age in (("ds.killed.whole", HOUR_AGO), ("ds.living.whole", HOUR_AGO), ("ds.new.whole", 0.0)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "part-00000.parquet").write_bytes(b"of a patient")
        stood = folder.stat().st_mtime - age
        os.utime(folder, (stood, stood))
    living = os.open(tmp_path / "ds.living.whole", os.O_RDONLY)
    fcntl.flock(living, fcntl.LOCK_EX)
    write(GivenRows([rows("split", 2)], samples=("S1", "S2")), tmp_path / "ds", split_by_sample=True)
    os.close(living)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ds-0", "ds-1", "ds.living.whole", "ds.new.whole"]


def test_a_folder_that_cannot_be_claimed_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "touch", full)
    with pytest.raises(VarloomError) as caught:
        write(GivenRows([rows("first")]), tmp_path / "ds")
    assert caught.value.code == "disk_full"
    assert list(tmp_path.iterdir()) == []
