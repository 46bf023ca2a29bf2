"""kill -9, as a user would see it: the job completes without anyone's help, once, with every record."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from tests.running import QUICK, Process, Server, Slowness, serving, write_vcf

from varloom.db.embedded import EmbeddedPostgres

RECORDS = 1_000_000
"""Enough for many row groups, in the midst of which something can be killed."""


@pytest.fixture(scope="module")
def vcf(tmp_path_factory):
    return write_vcf(tmp_path_factory.mktemp("vcf") / "large.vcf", RECORDS)


@pytest.fixture
def slowness(tmp_path):
    return Slowness(tmp_path / "slow")


@pytest.fixture
def data(data_folder):
    return data_folder


def is_reading(job):
    return job["state"] == "parsing" and job["progress"] is not None and job["progress"]["done"] > 0


def assert_done_once(server, job):
    """Completed, with exactly the file's records, in the one dataset that can be seen."""
    assert (job["state"], job["records"], job["variants"]) == ("completed", RECORDS, RECORDS), job
    samples = server.client.get("samples").json()["samples"]
    assert [sample["id"] for sample in samples] == [job["sample_id"]]
    count = server.client.get(f"samples/{job['sample_id']}/count").json()["count"]
    assert count == RECORDS


def test_the_worker_is_killed_in_the_middle_of_a_parse(data, vcf, slowness):
    with serving(data, **QUICK, **slowness.environment) as server:
        job = server.submit(vcf)
        server.until(job["id"], is_reading)
        (worker,) = server.workers()
        stages = worker.children()
        worker.kill()
        slowness.end()
        done = server.at_rest(job["id"])
        assert_done_once(server, done)
        assert done["attempt"] == 2
        failed = [event["message"] for event in server.events(job["id"]) if "failed" in event["message"]]
        assert failed == ["Attempt 1 of 4 failed: The worker died while it ran the parse stage."]
        assert not [child for child in stages if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_everything_is_killed_and_started_again(data, vcf, slowness):
    server = Server(data, **QUICK, **slowness.environment)
    job = server.submit(vcf)
    server.until(job["id"], is_reading)
    with EmbeddedPostgres(data) as postgres:
        pid = postgres.server_pid
    tree = [psutil.Process(pid), *server.workers(), psutil.Process(server.popen.pid)]
    tree += [child for process in tree for child in process.children(recursive=True)]
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    server.popen.wait()
    server.client.close()
    with serving(data, **QUICK) as again:
        done = again.at_rest(job["id"])
        assert_done_once(again, done)
        assert done["attempt"] == 2


def test_two_workers_on_one_database_never_run_the_same_stage_twice(data, tmp_path):
    with serving(data, "--no-worker", **QUICK) as server:
        small = write_vcf(tmp_path / "small.vcf", 200)
        jobs = [server.submit(small, sample_name=f"sample {number}") for number in range(24)]
        workers = [Process("worker", "--data", str(data), "--slots", "parse=2", **QUICK) for _ in range(2)]
        try:
            for job in jobs:
                assert server.at_rest(job["id"])["state"] == "completed"
            for job in jobs:
                states = [event["state"] for event in server.events(job["id"])]
                assert states == ["queued", "parsing", "completed"]
        finally:
            for worker in workers:
                assert worker.stop() == 0


def test_a_worker_that_froze_comes_back_after_its_work_was_done_by_another(data, vcf, slowness):
    with serving(data, "--no-worker", **QUICK) as server:
        job = server.submit(vcf)
        frozen = Process("worker", "--data", str(data), **QUICK, **slowness.environment)
        other = None
        try:
            server.until(job["id"], is_reading)
            tree = [psutil.Process(frozen.popen.pid), *psutil.Process(frozen.popen.pid).children(recursive=True)]
            for process in tree:
                os.kill(process.pid, signal.SIGSTOP)
            slowness.end()
            other = Process("worker", "--data", str(data), **QUICK)
            done = server.at_rest(job["id"])
            before = server.events(job["id"])
            for process in reversed(tree):
                os.kill(process.pid, signal.SIGCONT)
            time.sleep(3)  # as long as it likes to spoil something
            assert_done_once(server, done)
            assert server.job(job["id"]) == done
            assert server.events(job["id"]) == before
        finally:
            for process in filter(None, [frozen, other]):
                process.stop()
