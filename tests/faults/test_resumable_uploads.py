"""The server dies in the midst of a resumable upload, at every boundary and at any moment: the bytes come out right."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path

import httpx
import pytest
from tests.running import Process, Server, serving, write_vcf

import varloom
from varloom.failpoints import VARIABLE

TUS = {"Tus-Resumable": "1.0.0"}
SOURCE = Path(varloom.__file__).parent
SHARE = 1_500_000


def points() -> list[str]:
    """The failpoints that only such an upload passes."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        found |= set(re.findall(r'(?<!\w)failpoint\("(spool\.[a-z_]+)"', path.read_text(encoding="utf-8")))
    return sorted(found)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return write_vcf(tmp_path_factory.mktemp("vcf") / "a.vcf", 150_000).read_bytes()


def begin(server, size):
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": "filename YS52Y2Y="}
    return server.client.post("uploads", headers=headers).raise_for_status().headers["location"].rpartition("/")[2]


def offset_of(server, upload):
    return int(server.client.head(f"uploads/{upload}", headers=TUS).raise_for_status().headers["upload-offset"])


def send(server, upload, offset, share):
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return server.client.patch(f"uploads/{upload}", content=share, headers=headers).raise_for_status()


def finish(server, upload, content):
    """Go on from where the server says, to the end; the job's source, byte for byte."""
    while (offset := offset_of(server, upload)) < len(content):
        send(server, upload, offset, content[offset : offset + SHARE])
    job = server.client.get(f"uploads/{upload}").json()["job"]
    assert job["source"]["bytes"] == len(content)
    [stored] = (server.data / "storage" / "uploads").glob("*/source")
    assert hashlib.sha256(stored.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert not list((server.data / "storage" / ".arriving").iterdir())
    assert len(server.client.get("jobs").json()["jobs"]) == 1
    return job


def test_killed_at_every_boundary(data_folder, open_folder, content):
    """Each kill leaves a note, so that it is known to have happened. Those of the end may come when a server starts."""
    kills = [f"{point}=kill@{hit}" for point in points() for hit in ((1, 3) if "write" in point else (1,))]
    upload = None
    for number, kill in enumerate(sorted(kills, key=lambda kill: ("after_rename" in kill, "rename" in kill))):
        log = open_folder / f"fired-{number}"
        with contextlib.suppress(httpx.HTTPError, AssertionError), Rounds(data_folder, f"{kill};log={log}") as server:
            upload = upload or begin(server, len(content))
            while (offset := offset_of(server, upload)) < len(content):
                send(server, upload, offset, content[offset : offset + SHARE])
        assert kill.split("=")[0] in log.read_text()
    with serving(data_folder, "--no-worker") as server:
        finish(server, upload, content)


class Rounds:
    """A server that is expected to die, and that is not let live on if it does not."""

    def __init__(self, data, rules):
        self.data, self.rules = data, rules

    def __enter__(self):
        self.server = Server(self.data, "--no-worker", **{VARIABLE: self.rules})
        return self.server

    def __exit__(self, *_):
        self.server.client.close()
        self.server.kill()


def test_killed_at_any_moment_in_one_long_request(data_folder, content):
    """kill -9 while the bytes stream in; what was told durable before is still there, and the rest is sent again."""
    upload, told = None, 0
    for moment in (0.3, 0.55, 0.8):
        with Rounds(data_folder, "") as server:
            upload = upload or begin(server, len(content))
            offset = offset_of(server, upload)
            assert offset >= told
            until = int(len(content) * moment)

            def dying(start=offset, end=until, victim=server):
                for at in range(start, end, 65_536):
                    yield content[at : at + 65_536]
                time.sleep(0.05)
                victim.kill()
                yield content[end:]

            with pytest.raises(httpx.HTTPError):
                send(server, upload, offset, dying())
            told = offset
    with serving(data_folder) as server:
        job = finish(server, upload, content)
        assert server.at_rest(job["id"])["records"] == 150_000


def test_a_disk_that_is_full_or_broken_once(data_folder, open_folder, content):
    log = open_folder / "fired"
    rules = f"spool.before_write=enospc@2;spool.before_sync=eio@1;spool.after_sync=eio@3;log={log}"
    with serving(data_folder, "--no-worker", **{VARIABLE: rules}) as server:
        upload = begin(server, len(content))
        refused = []
        while (offset := offset_of(server, upload)) < len(content):
            try:
                send(server, upload, offset, content[offset : offset + SHARE])
            except httpx.HTTPStatusError as error:
                refused.append(error.response.json()["code"])
        assert set(refused) == {"storage_full", "storage_unusable"}
        assert len(log.read_text().splitlines()) == 3
        finish(server, upload, content)


def test_a_server_that_is_told_to_stop_keeps_what_came(data_folder, content):
    half = len(content) // 2
    with serving(data_folder, "--no-worker") as server:
        upload = begin(server, len(content))

        def stopped():
            yield content[:half]
            deadline = time.monotonic() + 20
            spooled = server.data / "storage" / ".arriving" / upload
            while spooled.stat().st_size < half - 1_048_576 and time.monotonic() < deadline:
                time.sleep(0.01)
            server.popen.terminate()
            server.popen.wait(30)
            yield content[half:]

        with pytest.raises(httpx.HTTPError):
            send(server, upload, 0, stopped())
    with serving(data_folder, "--no-worker") as server:
        assert offset_of(server, upload) > half - 2_097_152
        finish(server, upload, content)


def test_with_an_object_store_the_file_waits_on_the_disk_of_the_server(data_folder, content, s3):
    place = ("--no-worker", "--storage", f"{s3.url}/resumable-{os.getpid()}")
    server = Server(data_folder, *place, **s3.environment)
    upload = begin(server, len(content))
    send(server, upload, 0, content[: 2 * SHARE])
    server.client.close()
    server.kill()
    with serving(data_folder, *place, **s3.environment) as again:
        offset = offset_of(again, upload)
        assert offset == 2 * SHARE
        send(again, upload, offset, content[offset:])
        job = again.client.get(f"uploads/{upload}").json()["job"]
        assert not list((data_folder / "arriving").iterdir())
        work = Process("worker", "--data", str(data_folder), "--storage", place[2], **s3.environment)
        assert again.at_rest(job["id"])["records"] == 150_000
        assert work.stop() == 0
