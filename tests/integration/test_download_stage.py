"""The download stage as the child runs it, on a storage of this machine and on an object store."""

from __future__ import annotations

import errno
import hashlib
import uuid
from dataclasses import replace

import pytest
from tests.sources import web_source

from varloom.errors import VarloomError
from varloom.pipeline.request import Scratch, SourceLocation, StageRequest
from varloom.pipeline.stages import download
from varloom.storage import LocalStorage, ObjectStorage, held_folder
from varloom.storage.object_access import access_of
from varloom.transfer import partial_file
from varloom.transfer.model import TransferOptions

CONTENT = b"a,b\n1,2\n" * 100_000


@pytest.fixture
def source():
    with web_source() as opened:
        opened.serve("/x.csv", CONTENT)
        yield opened


class Stage:
    def __init__(self, source, storage, tmp_path):
        self.storage = storage
        self.location = SourceLocation(
            str(uuid.uuid4()),
            source.url("/x.csv?token=canary"),
            TransferOptions(allowed_endpoints=(source.endpoint,), silence=5),
        )
        self.scratch = tmp_path / "scratch"

    def run(self, *further):
        token = str(uuid.uuid4())
        scratch = Scratch(self.scratch / token, self.scratch / "sources", 10**9, self.scratch / "downloads")
        request = StageRequest(
            "download",
            None,
            f"attempts/{self.location.folder}/{token}",
            {},
            self.storage.access,
            None if isinstance(self.storage, LocalStorage) else scratch,
            self.location,
            further_locations=further,
        )
        request = StageRequest.from_json(request.as_json())
        assert "canary" not in repr(request)
        return download.run(request, lambda *_: None).result

    @property
    def arriving(self):
        local = self.storage.local_path("downloads")
        return (local or self.scratch / "downloads") / self.location.folder


@pytest.fixture(params=["local", "s3"])
def stage(source, tmp_path, request):
    if request.param == "local":
        return Stage(source, LocalStorage(tmp_path / "storage"), tmp_path)
    store = request.getfixturevalue("s3")
    storage = ObjectStorage(access_of(f"{store.url}/stage-{uuid.uuid4()}", store.environment))
    return Stage(source, storage, tmp_path)


def test_the_file_is_left_in_the_attempts_own_folder(stage, tmp_path):
    result = stage.run()
    assert result["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert result["url"].endswith("/x.csv?token=\u2026")
    assert stage.storage.size(result["key"]) == result["bytes"] == len(CONTENT)
    stored = stage.storage.fetch(result["key"], tmp_path / "copy")
    assert stored.sha256 == result["sha256"]


def test_after_a_settle_that_was_lost_nothing_is_fetched_twice(source, tmp_path):
    stage = Stage(source, LocalStorage(tmp_path / "storage"), tmp_path)
    first = stage.run()
    before = source.sent()
    second = stage.run()
    assert (second["sha256"], second["resumed"]) == (first["sha256"], len(CONTENT))
    assert source.sent() - before == 1
    assert stage.storage.exists(first["key"])
    assert stage.storage.exists(second["key"])


def test_what_a_process_beside_it_fetches_stays(stage):
    beside = stage.arriving / "beside-another" / "part"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(b"half of it")
    stage.run()
    assert beside.read_bytes() == b"half of it"
    assert (stage.arriving / "part").exists() == isinstance(stage.storage, LocalStorage)


def test_beside_a_process_that_lives_on_it_begins_in_a_folder_of_its_own(stage, monkeypatch):
    monkeypatch.setattr(held_folder, "LOCK_PATIENCE", 0.1)
    zombie = partial_file.PartialFile(stage.arriving)
    try:
        assert stage.run()["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    finally:
        zombie.close()


def test_until_it_is_kept_no_other_process_works_in_its_folder(stage, monkeypatch):
    """Else one that came back from the dead could throw away what another is fetching."""
    monkeypatch.setattr(held_folder, "LOCK_PATIENCE", 0.1)
    keep, tried = download._keep, []

    def kept(*given):
        with pytest.raises(BlockingIOError):
            partial_file.PartialFile(stage.arriving)
        tried.append(True)
        keep(*given)

    monkeypatch.setattr(download, "_keep", kept)
    stage.run()
    assert tried
    partial_file.PartialFile(stage.arriving).close()


def test_a_disk_that_cannot_take_the_last_step_is_told(source, tmp_path, monkeypatch):
    stage = Stage(source, LocalStorage(tmp_path / "storage"), tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.os, "link", full)
    with pytest.raises(VarloomError) as caught:
        stage.run()
    assert caught.value.code == "storage_full"


def test_of_several_files_one_that_fails_is_named_and_the_others_are_not_fetched_again(stage, source):
    """As the two mates of a lane, of which the second is missing."""
    stage.location = replace(stage.location, url=source.url("/R1.fastq"))
    mates = {f"/R{number}.fastq": bytes([64 + number]) * 300_000 for number in (1, 2, 3)}
    source.serve("/R1.fastq", mates["/R1.fastq"])
    further = [
        replace(stage.location, folder=f"{stage.location.folder}/{number}", url=source.url(f"/R{number}.fastq"))
        for number in (2, 3)
    ]
    with pytest.raises(VarloomError) as missing:
        stage.run(*further)
    assert (missing.value.code, missing.value.place.url) == ("download_not_found", source.url("/R2.fastq"))
    sent = sum(asked.sent for asked in source.asked if asked.path == "/R1.fastq")
    assert sent >= 300_000
    for path in ("/R2.fastq", "/R3.fastq"):
        source.serve(path, mates[path])
    result = stage.run(*further)
    assert sum(asked.sent for asked in source.asked if asked.path == "/R1.fastq") - sent < 1_000
    files = [result, *result["further"]]
    assert [stage.storage.read_bytes(file["key"]) for file in files] == list(mates.values())
    assert stage.storage.local_path("x") is not None or not stage.arriving.exists(), "it is in the storage now"


def test_several_files_have_the_room_of_an_account_together(stage, source):
    options = replace(stage.location.transfer, room=len(CONTENT) * 2 + 10)
    stage.location = replace(stage.location, transfer=options)
    further = [replace(stage.location, folder=f"{stage.location.folder}/{number}") for number in (2, 3)]
    with pytest.raises(VarloomError) as over:
        stage.run(*further)
    assert over.value.code == "quota_exceeded"
