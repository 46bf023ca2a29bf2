"""Jobs whose files lie in an object store, as whole processes: a server, and workers with nothing but two addresses."""

from __future__ import annotations

import re
import secrets
import time

import psutil
import pytest
from api_support import VCF
from cli_support import varloom
from tests.object_stores import SECRET, s3_server

from running import QUICK, Process, serving, write_vcf

RECORDS = 20_000


@pytest.fixture
def vcf(tmp_path):
    return write_vcf(tmp_path / "some.vcf", RECORDS)


@pytest.fixture(scope="module")
def place(s3):
    """A prefix of its own in the bucket."""
    return f"{s3.url}/jobs-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def server(s3, place, module_database_url, tmp_path_factory):
    """One for all tests: each stops the workers that it has started."""
    environment = {**QUICK, **s3.environment, "VARLOOM_DATABASE_URL": module_database_url, "VARLOOM_COPIES_BYTES": "1"}
    data = tmp_path_factory.mktemp("object-store") / "data"
    with serving(data, "--no-worker", "--storage", place, **environment) as running:
        yield running


@pytest.fixture
def start_worker(s3, place, module_database_url, tmp_path):
    """Starts workers that are given the two addresses and no data folder; scratch space is in `tmp_path / scratch`."""
    started = []

    def start(*arguments, storage=place, **environment):
        given = {
            **QUICK,
            **s3.environment,
            "VARLOOM_DATABASE_URL": module_database_url,
            "HOME": "/nonexistent",
            **environment,
        }
        flags = ["--storage", storage, "--slots", "parse=1", "--scratch", str(tmp_path / "scratch"), *arguments]
        worker = Process("worker", *flags, VARLOOM_DATA="/nonexistent/data", **given)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop()


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("lock")]


def assert_done(server, job):
    assert (job["state"], job["records"]) == ("completed", RECORDS), job
    sample = f"samples/{job['sample_id']}"
    assert server.client.get(f"{sample}/count").json() == {"count": RECORDS}
    assert len(server.client.get(f"{sample}/rows", params={"limit": 50}).json()["rows"]) == 50
    exported = server.client.get(f"{sample}/export", params={"format": "csv"}).text
    assert exported.count("\n") == RECORDS + 1


def test_a_worker_needs_only_the_database_and_the_storage(server, start_worker, vcf, tmp_path):
    worker = start_worker()
    for _ in range(2):
        job = server.at_rest(server.submit(vcf)["id"])
        assert_done(server, job)
    copies = [path.name for path in files(server.data / "copies")]
    assert sorted(copies) == ["manifest.json", "part-00000.parquet"], "one copy: the other one had to go for it"

    refused = server.at_rest(server.submit(b"no table at all", "a.vcf")["id"])
    assert (refused["state"], refused["error"]["code"]) == ("failed", "format_unknown")

    tree = [psutil.Process(worker.popen.pid), *psutil.Process(worker.popen.pid).children()]
    assert len(tree) == 2
    for process in tree:
        assert SECRET not in " ".join(process.cmdline())
    assert not [name for name in tree[1].environ() if name.startswith(("AWS_", "VARLOOM_", "PG"))]
    assert files(tmp_path / "scratch") == []

    server.client.delete(f"samples/{job['sample_id']}").raise_for_status()
    assert files(server.data / "copies") == []
    assert worker.stop() == 0
    for process in (server, worker):
        everything = "\n".join(process.output)
        assert SECRET not in everything
        assert "Traceback" not in everything


def test_a_worker_with_another_storage_is_refused(server, start_worker, place, tmp_path):
    for wrong in (str(tmp_path / "local"), place + "x"):
        worker = start_worker(storage=wrong)
        assert worker.popen.wait(60) == 1
        told = "\n".join(worker.output)
        assert "Not the storage of this database: " in told
        assert "holds no mark" in told
        assert "needs an object store" in told


def test_a_worker_whose_credentials_are_refused_waits_and_says_why(server, start_worker):
    worker = start_worker(AWS_SECRET_ACCESS_KEY="another-secret-of-somebody")
    worker.line(re.compile(r"the worker waits: s3://\S+ it answers 403 \(SignatureDoesNotMatch\)"))
    assert worker.stop() == 0
    assert "another-secret" not in "\n".join(worker.output)


def test_a_worker_without_a_server_starts_no_database(tmp_path):
    result = varloom("worker", "--data", tmp_path / "data", "--storage", "s3://bucket/files")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("Invalid setting: database_url: ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "point", ["remote.after_fetch", "remote.before_store", "remote.before_file", "remote.after_store"]
)
def test_a_child_that_is_killed_on_the_way_is_tried_again(server, start_worker, vcf, tmp_path, s3, point):
    log = tmp_path / "failpoints.log"
    worker = start_worker(VARLOOM_FAILPOINTS=f"{point}=kill@1;log={log}")
    job = server.at_rest(server.submit(vcf)["id"])
    assert log.read_text().startswith(f"{point} kill ")
    assert_done(server, job)
    assert job["attempt"] == 2
    codes = [event["message"] for event in server.events(job["id"]) if "failed" in event["message"]]
    assert len(codes) == 1
    assert "The process of the parse stage was killed" in codes[0]
    assert files(tmp_path / "scratch") == []
    assert worker.stop() == 0


def test_a_job_is_cancelled_while_its_result_is_being_stored(server, start_worker, vcf, tmp_path):
    log = tmp_path / "failpoints.log"
    start_worker(VARLOOM_FAILPOINTS=f"remote.before_file=stall:60@1;log={log}")
    job = server.submit(vcf)
    server.until(job["id"], lambda _: log.exists() and log.stat().st_size > 0)
    begun = time.monotonic()
    server.client.post(f"jobs/{job['id']}/cancel").raise_for_status()
    assert server.at_rest(job["id"])["state"] == "cancelled"
    assert time.monotonic() - begun < 30, "long before it goes on by itself"
    assert [path.name for path in files(tmp_path / "scratch")] == ["source"], "what the attempt made is gone"


def test_an_object_store_that_is_away_is_told_and_what_was_copied_can_be_asked(database_url, open_folder, vcf):
    (open_folder / "s3").mkdir()
    with s3_server(open_folder / "s3") as store:
        environment = {**QUICK, **store.environment, "VARLOOM_DATABASE_URL": database_url}
        with serving(open_folder / "data", "--storage", store.url, **environment) as server:
            done = server.at_rest(server.submit(vcf)["id"])
            assert_done(server, done)
            asked = server.at_rest(server.submit(vcf, sample_name="never asked")["id"])
            store.process.kill()
            store.process.wait()
            assert_done(server, done)
            for response in (
                server.client.get(f"samples/{asked['sample_id']}/count"),
                server.client.post("jobs", files={"file": ("a.vcf", VCF)}),
            ):
                problem = response.json()
                assert (response.status_code, problem["code"]) == (503, "storage_unreachable")
                assert "s3://" in problem["detail"]
                assert problem["resolution"]
