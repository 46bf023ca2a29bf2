"""Jobs that load a URL, on a real server with real workers, through what happens to downloads."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from obstore.store import S3Store
from tests.integration.cli_support import varloom
from tests.object_stores import BUCKET, KEY, READER_KEY, READER_SECRET, SECRET
from tests.running import QUICK, Process, serving, write_vcf
from tests.sources import Served, make_authority, web_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.object_stores import ObjectStore
    from tests.running import Server
    from tests.sources import Asked, Source


@dataclass(frozen=True)
class Site:
    """A server for what changes nothing about it, and its source, where each test has paths of its own."""

    server: Server
    source: Source


CANARY = "canary-91ab"
MB = 1024**2


@pytest.fixture
def tmp_path(data_folder: Path) -> Path:
    """A folder whose `data` has an empty database already."""
    return data_folder.parent


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    with trusted_source(tmp_path) as opened:
        yield opened


@contextlib.contextmanager
def trusted_source(folder: Path) -> Iterator[Source]:
    """A web server whose authority's certificate lies in the folder."""
    with web_source(make_authority(folder).issue("127.0.0.1", "localhost")) as opened:
        yield opened


@pytest.fixture(scope="module")
def site(module_data_folder: Path) -> Iterator[Site]:
    folder = module_data_folder.parent
    with trusted_source(folder) as source, serving_sources(folder, source) as server:
        yield Site(server, source)


@pytest.fixture(scope="module")
def vcf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """About 12 MB."""
    return write_vcf(tmp_path_factory.mktemp("vcf") / "a.vcf", 180_000).read_bytes()


@contextlib.contextmanager
def serving_sources(folder: Path, source: Source, *arguments: str, **environment: str) -> Iterator[Server]:
    """A server whose users may load from the test's source."""
    given = {**environment_for(folder, source), **environment}
    with serving(folder / "data", *arguments, **given) as server:
        yield server


def environment_for(folder: Path, source: Source) -> dict[str, str]:
    """Of a server or worker that may load from the test's source."""
    listed = {"VARLOOM_ALLOWED_ENDPOINTS": source.endpoint, "SSL_CERT_FILE": str(folder / "authority.pem")}
    return {**QUICK, **listed}


def submit_url(server: Server, url: str, **asked: object) -> dict[str, Any]:
    response = server.client.post("jobs", json={"source_url": url, **asked})
    assert response.status_code == 202, response.text
    return response.json()


def is_under_way(job: dict[str, Any]) -> bool:
    return job["state"] == "downloading" and (job["progress"] or {}).get("done", 0) >= MB


def test_a_url_becomes_a_table_and_its_secrets_stay_secret(site: Site, vcf: bytes) -> None:
    server, source = site.server, site.source
    md5 = base64.b64encode(hashlib.md5(vcf, usedforsecurity=False).digest()).decode()
    source.serve("/data/NA 1.vcf", vcf, headers={"x-ms-blob-content-md5": md5})
    url = source.url(f"/data/NA%201.vcf?token={CANARY}")
    result = varloom("submit", url, "--wait", "--json", data=server.data)
    assert result.status == 0, result.err
    job = json.loads(result.out)
    assert (job["state"], job["records"]) == ("completed", 180_000)
    assert job["source"] == {"kind": "url", "name": "NA 1.vcf", "bytes": len(vcf)}
    assert "downloading" in [event["state"] for event in server.events(job["id"])]
    origin = server.client.get(f"jobs/{job['id']}/provenance").json()["source"]
    assert origin["sha256"] == hashlib.sha256(vcf).hexdigest()
    assert origin["download"]["url"] == source.url("/data/NA%201.vcf?token=\u2026")
    assert origin["download"]["etag"]
    assert [one["algorithm"] for one in origin["download"]["verified"]] == ["md5"]
    assert CANARY not in "\n".join(server.output)
    for path in (*server.data.rglob("*.log"), *server.data.rglob("journal")):
        assert CANARY not in path.read_text(errors="replace"), path


def killed_and_gone_on_with(server: Server, source: Source, vcf: bytes) -> dict[str, Any]:
    """Kill the worker in the midst of a download; the next one fetches the rest alone, and the job completes."""
    held = threading.Event()
    source.serve("/killed.vcf", script=lambda _: Served(vcf, hold=6 * MB, released=held))
    job = submit_url(server, source.url("/killed.vcf"))
    server.until(job["id"], lambda job: is_under_way(job) and job["progress"]["done"] > 5 * MB)
    for worker in server.workers():
        worker.kill()
    held.set()
    asked = len(source.asked)
    job = server.at_rest(job["id"])
    assert (job["state"], job["records"]) == ("completed", 180_000), job["error"]
    assert sum(one.sent for one in source.asked[asked:]) < len(vcf) - 5 * MB
    return job


def test_a_killed_worker_is_followed_by_one_that_goes_on(site: Site, vcf: bytes) -> None:
    server, source = site.server, site.source
    job = killed_and_gone_on_with(server, source, vcf)
    provenance = server.client.get(f"jobs/{job['id']}/provenance").json()
    assert provenance["source"]["sha256"] == hashlib.sha256(vcf).hexdigest()


def test_a_worker_that_wakes_when_another_has_fetched_the_file_changes_nothing(
    tmp_path: Path, source: Source, vcf: bytes
) -> None:
    """It keeps the lock on what it fetches while it is frozen, so the other one works beside it."""
    held = threading.Event()
    hold = {"hold": 6 * MB, "released": held}
    source.serve("/a.vcf", script=lambda asked: Served(vcf, **hold if asked is source.asked[0] else {}))
    with serving_sources(tmp_path, source) as server, contextlib.ExitStack() as last:
        job = submit_url(server, source.url("/a.vcf"))
        server.until(job["id"], lambda job: is_under_way(job) and job["progress"]["done"] > 5 * MB)
        [zombie] = server.workers()
        frozen = [zombie, *zombie.children(recursive=True)]
        for each in frozen:
            each.suspend()
        last.callback(held.set)
        other = Process("worker", "--data", str(server.data), **environment_for(tmp_path, source))
        last.callback(other.stop)
        ended = server.at_rest(job["id"])
        assert (ended["state"], ended["records"]) == ("completed", 180_000), ended["error"]
        history = server.events(job["id"])
        held.set()
        for each in frozen:
            each.resume()
        server.line(re.compile("it drops its work and registers anew"))
        assert server.events(job["id"]) == history
        provenance = server.client.get(f"jobs/{job['id']}/provenance").json()
        assert provenance["source"]["sha256"] == hashlib.sha256(vcf).hexdigest()
        again = submit_url(server, source.url("/a.vcf"))
        assert server.at_rest(again["id"])["records"] == 180_000, "it works on"


def test_cancel_ends_a_download_that_is_held_and_a_retry_goes_on(site: Site, vcf: bytes) -> None:
    server, source = site.server, site.source
    held = threading.Event()
    source.serve("/cancelled.vcf", script=lambda _: Served(vcf, hold=4 * MB, released=held))
    job = submit_url(server, source.url("/cancelled.vcf"))
    server.until(job["id"], is_under_way)
    server.client.post(f"jobs/{job['id']}/cancel").raise_for_status()
    assert server.at_rest(job["id"], 20)["state"] == "cancelled", "while the source still holds its answer back"
    held.set()
    server.client.post(f"jobs/{job['id']}/retry").raise_for_status()
    assert server.at_rest(job["id"])["state"] == "completed"


def test_several_at_once_do_not_mix(site: Site, open_folder: Path, vcf: bytes) -> None:
    server, source = site.server, site.source
    other = write_vcf(open_folder / "other.vcf", 90_000).read_bytes()
    source.serve("/a/x.vcf", vcf, pace=20 * MB)
    source.serve("/b/x.vcf", other, pace=20 * MB)
    jobs = [submit_url(server, source.url(path)) for path in ("/a/x.vcf", "/b/x.vcf", "/a/x.vcf")]
    ended = [server.at_rest(job["id"]) for job in jobs]
    assert [job["records"] for job in ended] == [180_000, 90_000, 180_000], [job["error"] for job in ended]


def test_a_file_replaced_in_the_middle_is_loaded_as_it_is_now(site: Site, open_folder: Path, vcf: bytes) -> None:
    server, source = site.server, site.source
    newer = write_vcf(open_folder / "newer.vcf", 150_000).read_bytes()
    before = len(source.asked)

    def script(asked: Asked) -> Served:
        return Served(vcf, cut_after=[3 * MB]) if asked is source.asked[before] else Served(newer)

    source.serve("/replaced.vcf", script=script)
    job = server.at_rest(submit_url(server, source.url("/replaced.vcf"))["id"])
    assert (job["state"], job["records"]) == ("completed", 150_000), job["error"]
    assert [one["code"] for one in job["attempts"]] == ["download_source_changed", None, None]


def test_a_source_that_asks_to_wait_is_obeyed(tmp_path: Path, source: Source, vcf: bytes) -> None:
    def script(asked: Asked) -> Served:
        if asked is source.asked[0]:
            return Served(status=429, headers={"Retry-After": "30"})
        return Served(vcf)

    source.serve("/a.vcf", script=script)
    with serving_sources(tmp_path, source) as server:
        job = submit_url(server, source.url("/a.vcf"))
        job = server.until(job["id"], lambda job: job["state"] == "queued" and job["attempt"] == 2)
        assert job["error"]["code"] == "download_rate_limited"
        assert job["error"]["url"] == source.url("/a.vcf")
        waits = server.events(job["id"])[-1]["at"]
        assert job["retry_at"] > waits
        with contextlib.suppress(AssertionError):
            server.until(job["id"], lambda job: job["attempt"] > 2 or job["state"] != "queued", seconds=2)
        assert server.job(job["id"])["state"] == "queued"


def test_a_failed_download_tells_url_status_and_steps(site: Site) -> None:
    server, source = site.server, site.source
    source.serve("/gone.vcf", status=403, body=f"<Error><Code>AccessDenied</Code>{CANARY}</Error>".encode())
    job = server.at_rest(submit_url(server, source.url(f"/gone.vcf?sig={CANARY}"))["id"])
    error = job["error"]
    assert (job["state"], error["code"], error["stage"]) == ("failed", "download_forbidden", "download")
    assert error["url"] == source.url("/gone.vcf") + "?sig=\u2026"
    assert "403 (AccessDenied)" in error["message"]
    assert error["resolution"]
    assert job["attempt"] == 1
    page = server.client.get(f"jobs/{job['id']}/report").text
    assert CANARY not in page + json.dumps(job) + "\n".join(server.output)


def test_private_addresses_are_not_even_asked(tmp_path: Path, source: Source) -> None:
    with web_source() as inside, serving_sources(tmp_path, source) as server:
        inside.serve("/b.vcf", b"never")
        hidden = f"https://localhost:{inside.port}/b.vcf"
        source.serve("/a.vcf", status=302, headers={"Location": hidden})
        ended = [server.at_rest(submit_url(server, url)["id"]) for url in (source.url("/a.vcf"), hidden)]
        assert [job["error"]["code"] for job in ended] == ["download_address_refused"] * 2
        assert len(source.asked) == 1
        assert inside.asked == []


def test_with_an_object_store_as_storage(tmp_path: Path, source: Source, vcf: bytes, s3: ObjectStore) -> None:
    storage = f"{s3.url}/{tmp_path.name}"
    environment = {**s3.environment, "VARLOOM_SCRATCH": str(tmp_path / "scratch")}
    with serving_sources(tmp_path, source, "--storage", storage, **environment) as server:
        killed_and_gone_on_with(server, source, vcf)
        assert not list((tmp_path / "scratch").rglob("part"))


def test_memory_stays_small(site: Site) -> None:
    server, source = site.server, site.source
    content = bytes(300 * MB)
    source.serve("/zeros.vcf", content)
    job = submit_url(server, source.url("/zeros.vcf"))
    most = 0
    while server.job(job["id"])["state"] not in {"failed", "completed", "parsing"}:
        for worker in server.workers():
            for child in worker.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    most = max(most, child.memory_info().rss)
    assert 0 < most < 150 * MB


def test_a_stored_credential_opens_a_private_bucket(
    tmp_path: Path, source: Source, vcf: bytes, s3: ObjectStore
) -> None:
    endpoint = s3.environment["AWS_ENDPOINT_URL"]
    config = {"endpoint": endpoint, "region": "us-east-1", "access_key_id": KEY, "secret_access_key": SECRET}
    S3Store(BUCKET, config=config, client_options={"allow_http": True}).put("private/a.vcf", vcf)
    values = json.dumps({"access_key": READER_KEY, "secret_key": "wrong-" + CANARY})
    url = f"s3://{BUCKET}/private/a.vcf"
    with serving_sources(tmp_path, source, VARLOOM_CLOUD_ENDPOINTS=f"s3={endpoint}") as server:
        command = ("credentials", "add", "lab", "--kind", "s3", "--scope", f"s3://{BUCKET}", "--values", "-")
        assert varloom(*command, data=server.data, stdin=values.encode()).status == 0
        result = varloom("credentials", "test", "lab", url, data=server.data)
        assert (result.status, "key or signature is wrong" in result.err) == (1, True)
        job = json.loads(varloom("submit", url, "--credential", "lab", "--json", data=server.data).out)
        failed = server.at_rest(job["id"])
        assert failed["error"]["code"] == "download_signature_wrong"

        values = json.dumps({"access_key": READER_KEY, "secret_key": READER_SECRET})
        assert varloom(*command, "--replace", data=server.data, stdin=values.encode()).status == 0
        result = varloom("credentials", "test", "lab", url, "--json", data=server.data)
        assert json.loads(result.out) == {"ok": True, "url": url, "bytes": len(vcf), "error": None}
        assert "lab" in varloom("credentials", "list", data=server.data).out
        server.client.post(f"jobs/{job['id']}/retry").raise_for_status()
        assert server.at_rest(job["id"])["state"] == "completed"

        assert varloom("credentials", "remove", "lab", data=server.data).status == 0
        assert varloom("credentials", "remove", "lab", data=server.data).status == 2
        told = "\n".join(server.output) + json.dumps(server.events(job["id"])) + json.dumps(server.job(job["id"]))
        assert CANARY not in told
        assert READER_SECRET not in told
    written = [path for path in tmp_path.rglob("*") if path.is_file() and READER_SECRET.encode() in path.read_bytes()]
    assert written == []


def test_a_killed_server_is_followed_by_one_that_goes_on(tmp_path: Path, source: Source, vcf: bytes) -> None:
    held = threading.Event()
    source.serve("/a.vcf", script=lambda _: Served(vcf, hold=6 * MB, released=held))
    with serving_sources(tmp_path, source) as server:
        job = submit_url(server, source.url("/a.vcf"))
        server.until(job["id"], lambda job: is_under_way(job) and job["progress"]["done"] > 5 * MB)
        children = psutil.Process(server.popen.pid).children(recursive=True)
        workers = [child for child in children if "postgres" not in child.name()]
        server.kill()
        for child in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    held.set()
    asked = len(source.asked)
    with serving_sources(tmp_path, source) as server:
        ended = server.at_rest(job["id"])
        assert (ended["state"], ended["records"]) == ("completed", 180_000), ended["error"]
        assert sum(one.sent for one in source.asked[asked:]) < len(vcf) - 5 * MB


def test_a_full_disk_is_told_and_mended_without_a_second_start(tmp_path: Path, source: Source, vcf: bytes) -> None:
    source.serve("/a.vcf", vcf)
    failpoints = f"download.before_write=enospc@12;log={tmp_path / 'fired.log'}"
    with serving_sources(tmp_path, source, VARLOOM_FAILPOINTS=failpoints) as server:
        job = server.at_rest(submit_url(server, source.url("/a.vcf"))["id"])
        assert (job["state"], job["records"]) == ("completed", 180_000), job["error"]
        assert [one["code"] for one in job["attempts"]] == ["storage_full", None, None]
        assert source.sent() < len(vcf) * 1.5
    assert (tmp_path / "fired.log").read_text().startswith("download.before_write enospc")


BOUNDARIES = {
    "download.before_fetch": 1,
    "download.before_write": 12,
    "download.after_write": 12,
    "download.before_store": 1,
    "download.after_store": 1,
    "stage.before_answer": 1,
}
"""Where the child dies, and at which hit."""


@pytest.mark.parametrize("point", BOUNDARIES)
def test_killed_at_every_boundary_it_goes_on_with_what_is_here(
    tmp_path: Path, source: Source, vcf: bytes, point: str
) -> None:
    source.serve("/a.vcf", vcf)
    failpoints = f"{point}=kill@{BOUNDARIES[point]};log={tmp_path / 'fired.log'}"
    with serving_sources(tmp_path, source, VARLOOM_FAILPOINTS=failpoints) as server:
        job = server.at_rest(submit_url(server, source.url("/a.vcf"))["id"])
        assert (job["state"], job["records"]) == ("completed", 180_000), job["error"]
        assert job["attempts"][0]["code"] == "stage_crashed"
        origin = server.client.get(f"jobs/{job['id']}/provenance").json()["source"]
        kept = {"download.before_fetch": 0, "download.before_write": 5 * MB, "download.after_write": 5 * MB}
        assert origin["download"]["resumed"] >= kept.get(point, len(vcf))
        assert origin["sha256"] == hashlib.sha256(vcf).hexdigest()
