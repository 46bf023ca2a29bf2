"""Byte for byte, whatever happens on the way; and no byte twice that was here already."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import google_crc32c
import pytest
from tests.sources import Served
from tests.transfer.conftest import noise, sha256

from varloom.errors import VarloomError
from varloom.transfer import download
from varloom.transfer.answers import version_of
from varloom.transfer.download import READ
from varloom.transfer.http_client import Answer
from varloom.transfer.partial_file import BLOCK, PartialFile

if TYPE_CHECKING:
    from tests.sources import Asked, Source
    from tests.transfer.conftest import Fetching

MB = 1024**2


def failure(fetch: Fetching, url: str, **options) -> VarloomError:
    with pytest.raises(VarloomError) as caught:
        fetch(url, **options)
    return caught.value


@pytest.mark.parametrize("size", [1, 65_537, 16 * MB - 1, 16 * MB, 16 * MB + 1, 50 * MB + 7])
def test_files_of_all_sizes_arrive_whole(source: Source, fetch: Fetching, size: int) -> None:
    content = noise(size)
    source.serve("/x", content)
    arrived = fetch(source.url("/x"))
    assert (arrived.bytes, arrived.sha256, arrived.resumed) == (size, sha256(content), 0)
    assert fetch.content == content
    assert fetch.reports[-1] == (size, size)
    assert source.sent() == size


@pytest.mark.parametrize("headers", [{}, {"ETag": ""}])
def test_a_server_without_ranges_sends_it_in_one(source: Source, fetch: Fetching, headers: dict[str, str]) -> None:
    content = noise(20 * MB)
    source.serve("/x", content, ranges=False, headers=headers)
    assert fetch(source.url("/x")).sha256 == sha256(content)
    assert source.sent() == len(content)


def test_parts_that_nothing_holds_together_are_not_put_together(source: Source, fetch: Fetching) -> None:
    content = noise(40 * MB)
    source.serve("/x", content, etag="")
    assert fetch(source.url("/x")).sha256 == sha256(content)
    assert "range" not in source.asked[-1].headers


def test_a_time_of_change_holds_parts_together_once_it_is_settled(source: Source, fetch: Fetching) -> None:
    """A file that was changed just now can be changed once more within the same second."""
    content = noise(40 * MB)
    source.serve("/x", content, etag="", headers={"Last-Modified": formatdate(usegmt=True)})
    assert fetch(source.url("/x")).sha256 == sha256(content)
    assert "range" not in source.asked[-1].headers
    times = {"date": "Wed, 25 Nov 2026 15:00:02 GMT", "last-modified": "Wed, 25 Nov 2026 15:00:00 GMT"}
    for at, is_certain in (("02", True), ("01", False), ("00", False)):
        headers = {**times, "date": times["date"].replace("02 GMT", f"{at} GMT"), "content-length": "5"}
        response: Any = SimpleNamespace(status=200, headers=headers)
        assert version_of(Answer("https://example.org/x", response)).is_certain == is_certain


def test_an_empty_file_is_told(source: Source, fetch: Fetching) -> None:
    source.serve("/x", b"")
    assert failure(fetch, source.url("/x")).code == "download_empty"


def test_cut_five_times_less_than_a_twentieth_is_fetched_again(source: Source, fetch: Fetching) -> None:
    content = noise(64 * MB)
    cuts = [random.Random(7).randrange(1, 16 * MB) for _ in range(5)]
    source.serve("/x", content, cut_after=cuts)
    arrived = fetch(source.url("/x"))
    assert arrived.sha256 == sha256(content)
    assert len(source.asked) >= 4 + 5
    assert source.sent() < len(content) * 1.05


def test_cut_at_every_attempt_it_goes_on_where_it_stopped(source: Source, fetch: Fetching) -> None:
    content = noise(64 * MB)
    served = source.serve("/x", content)
    random_places = random.Random(3)
    for _ in range(5):
        served.cut_after = [random_places.randrange(MB, 3 * MB) for _ in range(4)] + [0] * 100
        error = failure(fetch, source.url("/x"))
        assert error.code == "download_interrupted"
        assert error.kind.retryable
    served.cut_after = []
    arrived = fetch(source.url("/x"))
    assert arrived.sha256 == sha256(content)
    assert arrived.resumed > 20 * MB
    assert source.sent() < len(content) * 1.05


CHILD = """
import sys
from varloom.transfer.access import Access
from varloom.transfer.download import Download
from varloom.transfer.model import TransferOptions
from varloom.transfer.source_url import parse_source_url
from pathlib import Path
url, folder, endpoint = sys.argv[1:]
options = TransferOptions(allowed_endpoints=(endpoint,))
print("begun", flush=True)
with Download(Access(parse_source_url(url)), Path(folder), options, lambda done, total: None) as download:
    download.run()
"""


def test_killed_in_the_middle_it_goes_on(source: Source, fetch: Fetching) -> None:
    content = noise(32 * MB)
    served = source.serve("/x", content, hold=3 * MB)
    command = [sys.executable, "-c", CHILD, source.url("/x"), str(fetch.folder), source.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(5) == b"begun"
        journal = fetch.folder / "journal"
        deadline = time.monotonic() + 30
        while not journal.exists() or len(journal.read_bytes().splitlines()) < 8:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    served.hold = None
    served.released.set()
    arrived = fetch(source.url("/x"))
    assert arrived.sha256 == sha256(content)
    assert arrived.resumed >= 7 * BLOCK
    assert arrived.resumed + sum(asked.sent for asked in source.asked[-3:]) >= len(content)


def test_blocks_that_the_power_took_are_fetched_again(source: Source, fetch: Fetching) -> None:
    content = noise(4 * MB)
    served = source.serve("/x", content, cut_after=[3 * MB, *[0] * 20])
    failure(fetch, source.url("/x"))
    served.cut_after = []
    with (fetch.folder / "part").open("r+b") as part:
        part.seek(MB)
        part.write(bytes(BLOCK))
    with (fetch.folder / "journal").open("ab") as journal:
        journal.write(b'{"start": 1, "en')
    before = source.sent()
    assert fetch(source.url("/x")).sha256 == sha256(content)
    assert MB + BLOCK <= source.sent() - before <= MB + 2 * (BLOCK + READ)


def test_an_entry_of_which_the_disk_took_half_costs_the_one_behind_it_alone(source: Source, fetch: Fetching) -> None:
    content = noise(4 * MB)
    served = source.serve("/x", content, cut_after=[3 * MB, *[0] * 20])
    failure(fetch, source.url("/x"))
    journal = fetch.folder / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    sizes = [entry["end"] - entry["start"] for entry in map(json.loads, lines[1:])]
    assert len(sizes) > 3, "of the 3 MB most arrived before the cut"
    lines[2] = lines[2][:20]
    journal.write_bytes(b"".join(lines))
    served.cut_after = []
    arrived = fetch(source.url("/x"))
    assert (arrived.sha256, arrived.resumed) == (sha256(content), sum(sizes) - sizes[1] - sizes[2])


@pytest.mark.parametrize("errno_of_disk", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_does_not_take_the_beginning_is_told(
    source: Source, fetch: Fetching, monkeypatch: pytest.MonkeyPatch, errno_of_disk: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno_of_disk, os.strerror(errno_of_disk))

    source.serve("/x", b"data")
    monkeypatch.setattr(PartialFile, "_note", refuse)
    error = failure(fetch, source.url("/x"))
    assert error.code == ("storage_full" if errno_of_disk == errno.ENOSPC else "storage_unusable")


def test_while_what_is_here_is_checked_it_shows_that_it_goes_on(
    source: Source, fetch: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that tells nothing new for two minutes is stopped, and reading a large file takes longer."""
    content = noise(8 * MB)
    source.serve("/x", content)
    fetch(source.url("/x"))
    monkeypatch.setattr(download, "REPORT_INTERVAL", 0.0)
    fetch.reports.clear()
    assert fetch(source.url("/x")).resumed == len(content)
    done = [done for done, total in fetch.reports if done < len(content) == total]
    assert len(done) > 3
    assert done[:3] == sorted(set(done[:3])), "each tells something new"


@pytest.mark.parametrize("how", [{}, {"etag": "", "headers": {"Last-Modified": formatdate(1e9, usegmt=True)}}])
def test_a_source_that_ignores_a_range_now_and_then_costs_a_request(
    source: Source, fetch: Fetching, how: dict[str, Any]
) -> None:
    content = noise(40 * MB)

    def script(asked: Asked) -> Served:
        number = source.asked.index(asked)
        return Served(content, ranges=number not in {1, 3}, cut_after=[8 * MB] if number == 0 else [], **how)

    source.serve("/x", script=script)
    arrived = fetch(source.url("/x"))
    assert (arrived.sha256, arrived.resumed) == (sha256(content), 0)


def test_a_source_that_gives_no_parts_any_more_gives_the_whole_to_the_next_attempt(
    source: Source, fetch: Fetching
) -> None:
    content = noise(40 * MB)
    source.serve("/x", script=lambda asked: Served(content, ranges=asked is source.asked[0]))
    error = failure(fetch, source.url("/x"))
    assert (error.code, error.kind.retryable) == ("download_range_ignored", True)
    assert (fetch.folder / "part").exists(), "what has come is kept"
    assert fetch(source.url("/x")).sha256 == sha256(content)


@pytest.mark.parametrize("cloud", ["https", "s3"])
def test_a_file_that_is_replaced_meanwhile_is_noticed(source: Source, fetch: Fetching, cloud: str) -> None:
    first, second = noise(40 * MB, 1), noise(40 * MB, 2)
    served = source.serve("/bucket/x", first, cut_after=[5 * MB] * 4 + [0] * 100)
    url = source.url("/bucket/x") if cloud == "https" else "s3://bucket/x"
    options = {"cloud_endpoints": {"s3": source.url("")}}
    assert failure(fetch, url, **options).code == "download_interrupted"

    asked = 0

    def replaced(request):
        nonlocal asked
        asked += 1
        return Served(first, cut_after=[MB]) if asked < 3 else Served(second)

    served.script = replaced
    error = failure(fetch, url, **options)
    assert (error.code, error.kind.retryable) == ("download_source_changed", True)
    arrived = fetch(url, **options)
    assert (arrived.sha256, arrived.resumed) == (sha256(second), 0)


def test_between_attempts_a_new_version_begins_anew(source: Source, fetch: Fetching) -> None:
    first, second = noise(8 * MB, 1), noise(8 * MB, 2)
    source.serve("/x", first, cut_after=[5 * MB, *[0] * 20])
    failure(fetch, source.url("/x"))
    source.serve("/x", second)
    arrived = fetch(source.url("/x"))
    assert (arrived.sha256, arrived.resumed) == (sha256(second), 0)


def test_what_is_whole_already_is_not_fetched_again(source: Source, fetch: Fetching) -> None:
    content = noise(20 * MB)
    source.serve("/x", content)
    fetch(source.url("/x"))
    os.link(fetch.folder / "part", fetch.folder / "kept")
    before = source.sent()
    arrived = fetch(source.url("/x"))
    assert (arrived.sha256, arrived.resumed) == (sha256(content), len(content))
    assert source.sent() - before == 1
    source.serve("/x", noise(20 * MB, 9))
    fetch(source.url("/x"))
    assert (fetch.folder / "kept").read_bytes() == content


def test_a_file_that_is_kept_elsewhere_is_not_written_to_again(source: Source, fetch: Fetching) -> None:
    """Though its journal lost an entry, and the source gives other bytes as the same version."""
    content = noise(4 * MB)
    source.serve("/x", content, etag='"one"')
    fetch(source.url("/x"))
    os.link(fetch.folder / "part", fetch.folder / "kept")
    journal = fetch.folder / "journal"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-2]))
    newer = noise(4 * MB, 2)
    source.serve("/x", newer, etag='"one"')
    arrived = fetch(source.url("/x"))
    assert (arrived.sha256, arrived.resumed) == (sha256(newer), 0)
    assert (fetch.folder / "kept").read_bytes() == content


def test_a_silent_source_is_asked_again_then_told(source: Source, fetch: Fetching) -> None:
    content = noise(2 * MB)
    held = threading.Event()
    source.serve("/x", content, script=lambda _: Served(content, hold=MB * (len(source.asked) == 1), released=held))
    error = failure(fetch, source.url("/x"), silence=0.3)
    assert (error.code, error.kind.retryable) == ("download_stalled", True)
    assert len(source.asked) > 1
    held.set()
    source.serve("/x", content)
    arrived = fetch(source.url("/x"))
    assert (arrived.sha256, arrived.resumed) == (sha256(content), MB)


def test_when_one_part_fails_for_good_the_others_do_not_wait(source: Source, fetch: Fetching) -> None:
    content = noise(64 * MB)
    served = source.serve("/x", content)
    held = threading.Event()

    def script(request):
        if request.headers["range"].startswith("bytes=0-"):
            return Served(content, hold=MB, released=held)
        return Served(status=403, body=b"<Error><Code>AccessDenied</Code></Error>")

    served.script = script
    began = time.monotonic()
    assert failure(fetch, source.url("/x"), silence=30.0).code == "download_not_public"
    assert time.monotonic() - began < 25, "less than the silence that is allowed"
    held.set()


CHECKSUMS = {
    "sha256": lambda content: (
        "Repr-Digest",
        f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:",
    ),
    "md5": lambda content: (
        "x-ms-blob-content-md5",
        base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
    ),
    "crc32c": lambda content: (
        "x-goog-hash",
        "md5=AAAA,crc32c=" + base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode(),
    ),
}


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_checksums_of_the_source_are_held_against_what_arrived(source: Source, fetch: Fetching, algorithm: str) -> None:
    content = noise(20 * MB)
    name, value = CHECKSUMS[algorithm](content)
    source.serve("/x", content, headers={name: value})
    arrived = fetch(source.url("/x"))
    assert [one.algorithm for one in arrived.verified] == [algorithm]
    name, value = CHECKSUMS[algorithm](content + b"x")
    source.serve("/y", content, headers={name: value})
    error = failure(fetch, source.url("/y"))
    assert (error.code, error.kind.retryable) == ("download_damaged", True)
    source.serve("/y", content)
    assert fetch(source.url("/y")).resumed == 0


def test_a_file_above_the_limit_is_refused_by_its_size_or_as_it_comes(source: Source, fetch: Fetching) -> None:
    source.serve("/told", noise(3 * MB))
    assert failure(fetch, source.url("/told"), most_bytes=2 * MB).code == "download_too_large"
    assert len(source.asked) == 1
    source.serve("/untold", noise(3 * MB), ranges=False, headers={"Content-Length": "", "Connection": "close"})
    assert failure(fetch, source.url("/untold"), most_bytes=2 * MB).code == "download_too_large"


def test_what_would_fill_the_disk_is_refused_before_it_comes(source: Source, fetch: Fetching) -> None:
    source.serve("/x", noise(20 * MB))
    error = failure(fetch, source.url("/x"), reserve=10**18)
    assert (error.code, error.kind.retryable) == ("storage_full", True)
    assert len(source.asked) == 1


def test_a_limit_of_the_line_is_kept(source: Source, fetch: Fetching) -> None:
    source.serve("/x", noise(4 * MB))
    began = time.monotonic()
    fetch(source.url("/x"), bytes_per_second=4 * MB)
    assert time.monotonic() - began > 0.8


def test_a_second_process_does_not_write_beside_the_first(source: Source, fetch: Fetching, monkeypatch) -> None:
    from varloom.storage import held_folder

    monkeypatch.setattr(held_folder, "LOCK_PATIENCE", 0.1)
    held = PartialFile(fetch.folder)
    source.serve("/x", b"abc")
    with pytest.raises(BlockingIOError):
        fetch(source.url("/x"))
    held.close()
    assert fetch(source.url("/x")).bytes == 3


def test_a_server_with_a_certificate(secure_source: Source, fetch: Fetching) -> None:
    content = noise(20 * MB)
    secure_source.serve("/x", content)
    fetch.options["allowed_endpoints"] = (secure_source.endpoint,)
    assert fetch(secure_source.url("/x")).sha256 == sha256(content)
