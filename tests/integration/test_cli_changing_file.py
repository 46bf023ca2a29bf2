"""A file that changes while `varloom submit` sends it is noticed, whatever its length, and nothing of it is kept."""

from __future__ import annotations

import secrets

import pytest

from running import serving
from varloom.cli.connection import Server, ServerChoice
from varloom.cli.resumable_upload import ResumableUpload
from varloom.errors import VarloomError

CONTENT = b"a,b\n" + b"1,2\n" * 700_000
"""Of several chunks."""


@pytest.fixture(scope="module")
def running(module_data_folder):
    with serving(module_data_folder) as server:
        yield server


def rewritten(path):
    with path.open("r+b") as file:
        file.seek(10)
        file.write(b"7")


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(CONTENT)
    other.replace(path)


def appended(path):
    with path.open("ab") as file:
        file.write(b"3,4\n")


def removed(path):
    path.unlink()


class Meddler:
    """In the place of the bar: it does something to the file as soon as the first bytes are on their way."""

    def __init__(self, meddle):
        self.meddle = meddle

    def advance(self, _amount):
        self.meddle, meddle = lambda: None, self.meddle
        meddle()

    def reach(self, done, total):
        pass


def send(running, path, meddle):
    server = Server(ServerChoice(None, None, running.data))
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            key = secrets.token_hex(8)
            return ResumableUpload(server, file, path.name, size, Meddler(meddle), key=key).send({})
    finally:
        server.close()


@pytest.mark.parametrize("meddle", [rewritten, replaced, appended, removed])
def test_a_change_is_refused_and_nothing_stays(running, tmp_path, meddle):
    path = tmp_path / f"{meddle.__name__}.csv"
    path.write_bytes(CONTENT)
    with pytest.raises(VarloomError) as refused:
        send(running, path, lambda: meddle(path))
    assert refused.value.code == "source_changed"
    assert path.name in refused.value.message
    assert running.client.get("uploads").json() == {"uploads": []}
    jobs = running.client.get("jobs").json()["jobs"]
    assert [job for job in jobs if job["source"]["name"] == path.name] == []
    kept = [file for file in running.data.rglob("*") if file.is_file() and "postgres" not in str(file)]
    assert [file for file in kept if file.stat().st_size >= len(CONTENT) // 2] == []


def test_a_file_that_is_only_read_meanwhile_is_taken(running, tmp_path):
    path = tmp_path / "read.csv"
    path.write_bytes(CONTENT)
    assert send(running, path, path.read_bytes)["source"]["bytes"] == len(CONTENT)
