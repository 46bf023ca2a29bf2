"""A worker whose clock is days off loses no job, does none twice, and neither seems dead nor takes others for dead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from tests.running import QUICK, Process, serving, write_vcf

LIBFAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
JOBS = 12
DAY = 24 * 3600.0


@pytest.fixture
def data(data_folder):
    return data_folder


def time_with(environment):
    code = "import time; print(time.time())"
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, check=True
    )
    return float(told.stdout)


def slots(server):
    return sum(stage["total"] for stage in server.client.get("queue").json()["stages"])


def until_slots(server, wanted):
    deadline = time.monotonic() + 60
    while slots(server) < wanted:
        assert time.monotonic() < deadline, server.output
        time.sleep(0.05)


@pytest.mark.skipif(LIBFAKETIME is None, reason="needs libfaketime (on Debian and Ubuntu: apt-get install libfaketime)")
@pytest.mark.parametrize("offset", ["-2d", "+2d"])
def test_workers_need_not_agree_on_the_time(data, tmp_path, offset):
    """The clock of the system is right, and so are the times of files: only what this worker is told is wrong."""
    clock = {
        "LD_PRELOAD": str(LIBFAKETIME),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    assert abs(time_with(clock) - time.time()) > DAY
    arriving = data / "storage" / "uploads" / str(uuid.uuid4()) / "source"
    arriving.parent.mkdir(parents=True)
    arriving.touch()  # an upload that is under way has no row yet
    small = write_vcf(tmp_path / "small.vcf", 200)
    with serving(data, "--no-worker", **QUICK) as server:
        workers = []
        try:
            for environment in (clock, {}):  # the first one to come sweeps
                workers.append(Process("worker", "--data", str(data), "--slots", "parse=1", **QUICK, **environment))
                until_slots(server, len(workers))
            jobs = [server.submit(small, sample_name=f"sample {number}") for number in range(JOBS)]
            for job in jobs:
                assert server.at_rest(job["id"])["state"] == "completed"
                assert [event["state"] for event in server.events(job["id"])] == ["queued", "parsing", "completed"]
            time.sleep(4)  # longer than a silent worker is given
            assert slots(server) == len(workers)
        finally:
            for worker in workers:
                assert worker.stop() == 0
        assert arriving.exists()
        assert not [line for worker in workers for line in worker.output if "given up for dead" in line]
