"""What a stage is given and what becomes of it, with a storage that is not on this machine."""

from __future__ import annotations

import hashlib
import os
import secrets

import pytest

from varloom.dataset.stored import fetch_dataset
from varloom.errors import VarloomError
from varloom.pipeline.request import Scratch, SourceFile, StageRequest
from varloom.pipeline.workspace import open_workspace
from varloom.storage import LocalStorage, ObjectStorage
from varloom.storage.object_access import access_of

CONTENT = os.urandom(20_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "uploads/1/source"


@pytest.fixture
def storage(s3):
    storage = ObjectStorage(access_of(f"{s3.url}/workspace-{secrets.token_hex(4)}", s3.environment))
    storage.write_bytes(KEY, CONTENT)
    return storage


@pytest.fixture
def request_for(storage, tmp_path):
    def make(sha256=SHA256):
        scratch = Scratch(tmp_path / "attempts" / "2", tmp_path / "sources", 10**9, tmp_path / "downloads")
        source = SourceFile(KEY, "a.vcf", len(CONTENT), sha256)
        made = StageRequest("parse", source, "attempts/1/2", {"a": 1}, storage.access, scratch)
        assert StageRequest.from_json(made.as_json()) == made
        return made

    return make


class Reports(list):
    def __call__(self, done, total, unit):
        self.append((done, total, unit))


def write_output(workspace):
    workspace.output.mkdir()
    (workspace.output / "dataset").mkdir()
    (workspace.output / "dataset" / "part").write_bytes(CONTENT)
    (workspace.output / "dataset" / "manifest.json").write_bytes(b"{}")


def files(folder):
    return [path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_fetching_and_storing_show_that_the_stage_moves(storage, request_for, tmp_path):
    reports = Reports()
    with open_workspace(request_for(), reports) as workspace:
        assert workspace.source.read_bytes() == CONTENT
        fetching = list(reports)
        assert len(fetching) >= 3
        assert fetching[-1] == (len(CONTENT), len(CONTENT), "bytes")
        write_output(workspace)
        assert list(storage.list_prefix("attempts")) == []
    assert len(reports) >= len(fetching) + 3
    assert reports[-1] == (len(CONTENT) + 2, len(CONTENT) + 2, "bytes")
    assert list(storage.list_prefix("attempts")) == [
        "attempts/1/2/dataset/manifest.json",
        "attempts/1/2/dataset/part",
    ]
    assert files(tmp_path) == [], "neither the copy of the source nor the output stays"


def fail(request, error):
    with open_workspace(request, Reports()) as workspace:
        write_output(workspace)
        raise error


def test_a_next_attempt_finds_the_source_and_a_refused_file_is_not_kept(storage, request_for, tmp_path):
    for error, kept in ((RuntimeError("crash"), ["source"]), (VarloomError(_refusal(), "no"), [])):
        with pytest.raises(type(error)):
            fail(request_for(), error)
        assert files(tmp_path) == kept
        assert list(storage.list_prefix("attempts")) == []
        if kept:
            storage.delete_tree("uploads")
    with pytest.raises(VarloomError) as caught, open_workspace(request_for(), Reports()):
        pass
    assert caught.value.code == "upload_gone"


def _refusal():
    from varloom.pipeline.problems import UPLOAD_GONE

    return UPLOAD_GONE


def test_a_source_that_is_not_what_was_uploaded_is_refused(request_for, tmp_path):
    with pytest.raises(VarloomError) as caught, open_workspace(request_for("0" * 64), Reports()):
        pass
    assert (caught.value.code, caught.value.kind.retryable) == ("upload_damaged", True)
    assert files(tmp_path) == []


def test_a_local_storage_is_worked_on_in_place(tmp_path):
    storage = LocalStorage(tmp_path / "storage")
    request = StageRequest("parse", SourceFile(KEY, "a", 3, None), "attempts/1/2", {}, storage.access)
    with pytest.raises(VarloomError) as caught, open_workspace(request, Reports()):
        pass
    assert caught.value.code == "upload_gone"
    storage.write_bytes(KEY, b"abc")
    reports = Reports()
    with open_workspace(request, reports) as workspace:
        assert workspace.source == storage.path(KEY)
        assert workspace.output == storage.path("attempts/1/2")
    assert reports == []


def test_a_dataset_that_is_not_as_it_was_written_is_not_opened(storage, tmp_path):
    from varloom.dataset import load_file

    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    load_file(tmp_path / "a.csv", tmp_path / "dataset")
    [part] = (tmp_path / "dataset").glob("*.parquet")
    storage.store_folder("attempts/1/2/whole", tmp_path / "dataset", last="manifest.json")
    (tmp_path / "copy").mkdir()
    fetch_dataset(storage, "attempts/1/2/whole", tmp_path / "copy")
    assert (tmp_path / "copy" / part.name).read_bytes() == part.read_bytes()

    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))
    storage.store_folder("attempts/1/2/flipped", tmp_path / "dataset", last="manifest.json")
    part.unlink()
    storage.store_folder("attempts/1/2/missing", tmp_path / "dataset", last="manifest.json")
    for key, code in (("flipped", "dataset_damaged"), ("missing", "dataset_damaged"), ("nothing", "dataset_missing")):
        (tmp_path / key).mkdir()
        with pytest.raises(VarloomError) as caught:
            fetch_dataset(storage, f"attempts/1/2/{key}", tmp_path / key)
        assert caught.value.code == code
