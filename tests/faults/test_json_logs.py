"""Lines of JSON: every line of a server, its worker and their stages is one, and a job is found by its id in all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import uuid
from datetime import datetime

import httpx
import psutil
import pytest
from tests.running import FINAL, QUICK, VARLOOM, Process, write_vcf

READY = re.compile(r"Varloom is ready at (http://[^\s\"]+)")
ALWAYS = {"time", "level", "logger", "message", "process"}
PATIENT = {"timeout": 60}


@pytest.fixture
def server(data_folder):
    log = {"VARLOOM_LOG_FORMAT": "json", "VARLOOM_MAX_ATTEMPTS": "2", **QUICK}
    process = Process("serve", "--data", str(data_folder), "--port", "0", "--verbose", **log)
    process.url = process.line(READY)[1]
    process.token = json.loads((data_folder / "server.json").read_text())["token"]
    yield process
    process.stop()


def entries(process):
    """Every line that was said, as an object."""
    found = [json.loads(line) for line in process.output]
    assert all(one.keys() >= ALWAYS for one in found), [one for one in found if not one.keys() >= ALWAYS]
    assert all(datetime.fromisoformat(one["time"]).utcoffset().total_seconds() == 0 for one in found)
    return found


def test_a_job_is_followed_by_its_id_through_request_worker_and_stage(server, tmp_path):
    with client_of(server) as client:
        file = {"file": ("a.vcf", write_vcf(tmp_path / "a.vcf", 20).read_bytes())}
        answer = client.post("jobs", files=file)
        job = at_rest(client, answer.json()["id"])
        broken = client.post("jobs", files={"file": ("b.vcf", b"##fileformat=VCFv4.2\nnonsense\n")}).json()
        assert at_rest(client, broken["id"])["state"] == "failed"
    server.stop()
    told = entries(server)
    mine = [one for one in told if one.get("job_id") == job["id"]]
    (entered,) = [one for one in mine if one["logger"] == "varloom.jobs.entered"]
    assert entered["request_id"] == answer.headers["x-request-id"]
    (access,) = [one for one in told if one["logger"] == "varloom.access" and one.get("method") == "POST"][:1]
    assert (access["request_id"], access["status"]) == (entered["request_id"], 202)
    assert access["account_id"] == entered["account_id"]
    worker = [one for one in mine if one["logger"] == "varloom.jobs.worker"]
    stage = [one for one in mine if one["logger"] == "varloom.child"]
    assert worker
    assert any("the parse stage begins" in one["message"] for one in stage)
    for one in (*worker[:1], *stage):
        assert (one["stage"], one["attempt"], one["account_id"]) == ("parse", 1, entered["account_id"])
        assert uuid.UUID(one["worker"])
    assert len({one["process"] for one in (entered, worker[0], stage[0])}) == 3
    theirs = {one["process"] for one in told if one.get("job_id") == broken["id"] and one["logger"] == "varloom.child"}
    assert theirs == {stage[0]["process"]}, "the same process of a stage tells of both jobs, of each by its id"
    assert not {one["process"] for one in told if "worker" in one} & {server.popen.pid}


def test_an_error_is_one_field_and_secrets_are_nowhere(server, tmp_path, data_folder):
    with client_of(server) as client:
        assert client.get("jobs", params={"q": "secret-of-a-query"}).status_code in {200, 422}
        address = "https://user:secret-of-an-address@127.0.0.1:1/a.vcf?sig=secret-of-a-signature"
        answer = client.post("jobs", json={"source_url": address})
        assert answer.status_code in {202, 422}, answer.text
        for worker in psutil.Process(server.popen.pid).children():
            if "worker" in worker.cmdline():
                worker.send_signal(signal.SIGKILL)
        server.line(re.compile("starting another one"))
    server.stop()
    told = entries(server)
    text = "\n".join(server.output)
    for secret in (server.token, "secret-of-an-address", "secret-of-a-signature", "secret-of-a-query", "/login#"):
        assert secret not in text
    assert any(one["level"] == "WARNING" and "starting another one" in one["message"] for one in told)


def test_what_ends_a_command_is_a_line_of_json_too(data_folder):
    environment = {
        **os.environ,
        "VARLOOM_LOG_FORMAT": "json",
        "VARLOOM_DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/d",
    }
    ended = subprocess.run(
        [*VARLOOM, "serve", "--data", str(data_folder), "--port", "0"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    (told,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (told["level"], told["code"]) == ("ERROR", "database_unreachable")
    assert "hidden" not in ended.stderr


def client_of(server):
    return httpx.Client(
        base_url=f"{server.url}/api/v1/", headers={"Authorization": f"Bearer {server.token}"}, **PATIENT
    )


def at_rest(client, job_id, seconds=60.0):
    """The job when it has ended."""
    deadline = time.monotonic() + seconds
    while (job := client.get(f"jobs/{job_id}").json())["state"] not in FINAL:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job
