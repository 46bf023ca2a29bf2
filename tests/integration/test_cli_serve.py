"""`varloom serve` from its start to every kind of end."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import threading
import time
from uuid import uuid4

import httpx
import psutil
import pytest
from api_support import VCF
from cli_support import VARLOOM, varloom

from running import QUICK, READY, Server, serving, write_vcf
from varloom.cli.connection import connected
from varloom.cli.following import follow
from varloom.db.embedded import EmbeddedPostgres
from varloom.errors import VarloomError
from varloom.failpoints import VARIABLE

LINK = re.compile(r"^Log in at (http://\S+)/login#(\S+)$")


@pytest.fixture
def data(open_folder):
    folder = open_folder / "data"
    yield folder
    with EmbeddedPostgres(folder) as postgres:
        postgres.destroy()


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_server_lets_its_owner_in_and_leaves_nothing_running(data):
    with serving(data) as server:
        ready = [line for line in server.output if READY.match(line)]
        assert ready == [f"Varloom is ready at {server.url}"]
        [link] = [match for line in server.output if (match := LINK.match(line))]
        with httpx.Client(base_url=server.url) as browser:
            assert browser.post("/login", data={"token": link[2]}).headers["location"] == "/"
            assert browser.get("/api/v1/jobs").status_code == 200

        note = data / "server.json"
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
        assert json.loads(note.read_text()) == {"url": server.url, "token": server.token}

        assert server.at_rest(server.submit(VCF, "a.vcf")["id"])["state"] == "completed"
        children = psutil.Process(server.popen.pid).children(recursive=True)
        assert children

        second = varloom("serve", "--data", data, "--port", "0")
        assert (second.status, second.out) == (1, "")
        assert second.err.startswith(f"A server runs on this data folder already: Another server uses {data}")
        assert server.url in second.err

        with server.client.stream("GET", "events") as stream:  # an open panel does not keep the server from stopping
            lines = stream.iter_lines()
            next(lines)
            assert server.stop(30) == 0
            assert "event: snapshot" in list(lines)
    assert not note.exists()
    wait_until(lambda: all(gone(child) for child in children))
    everything = "\n".join(server.output)
    assert server.token not in everything
    assert "Traceback" not in everything


def test_the_token_of_the_commands_is_new_at_each_start(data):
    with serving(data, "--no-worker") as first:
        pass
    with serving(data, "--no-worker") as second:
        assert second.token != first.token
        assert second.workers() == []
        assert httpx.get(f"{second.url}/api/v1/jobs", headers=bearer(first.token)).status_code == 401


def test_servers_that_share_a_database_leave_each_other_their_tokens(open_folder, make_database):
    shared = ("--database-url", make_database(), "--storage", str(open_folder / "storage"), "--no-worker")
    with serving(open_folder / "one", *shared) as first, serving(open_folder / "two", *shared) as second:
        assert first.client.get("jobs").status_code == 200
        assert second.client.get("jobs").status_code == 200
        first.kill()
        with serving(open_folder / "one", *shared) as again:
            assert again.client.get("jobs").status_code == 200
            assert again.client.get("jobs", headers=bearer(first.token)).status_code == 401
            assert second.client.get("jobs").status_code == 200


def test_a_port_in_use_is_told_with_what_to_do(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = varloom("serve", "--data", tmp_path / "data", "--port", port)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"The port is in use: Port {port} of 127.0.0.1 is in use")
    assert "--port" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "192.0.2.1"), "The address cannot be used: "),
        (("--host", "no.such.host.invalid"), "The address cannot be used: "),
        (("--slots", "parse=x"), "Invalid setting: slots: "),
        (("--slots", "sleep=1"), "Invalid setting: slots: "),
        (("--database-url", "nonsense:secret@"), "Invalid setting: database_url: "),
        (("--database-url", "postgresql://a:secret@127.0.0.1:9/x"), "The database cannot be reached: "),
    ],
)
def test_a_wrong_setting_is_told_in_words_and_without_its_secret(tmp_path, arguments, told):
    result = varloom("serve", "--data", tmp_path / "data", "--port", "0", *arguments)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(told)
    assert "secret" not in result.err
    assert "Traceback" not in result.err


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = varloom("serve", "--data", tmp_path / "file" / "data", "--port", "0")
    assert (result.status, result.err.split(":")[0]) == (1, "The data folder cannot be used")


def test_a_worker_that_dies_is_replaced(data):
    with serving(data, **QUICK) as server:
        [first] = server.workers()
        first.kill()
        wait_until(lambda: [worker.pid for worker in server.workers() if not gone(worker)] not in ([], [first.pid]))
        assert server.at_rest(server.submit(VCF, "a.vcf")["id"])["state"] == "completed"
        assert any("The worker (process" in line for line in server.output)


def test_nothing_of_a_killed_server_stays_and_the_next_one_starts(data):
    server = Server(data, **QUICK)
    children = psutil.Process(server.popen.pid).children(recursive=True)
    [worker] = server.workers()
    waiting = server.submit(VCF, "a.vcf")
    server.client.close()
    server.kill()
    wait_until(lambda: gone(worker))
    with serving(data, **QUICK) as again:
        assert again.at_rest(waiting["id"])["state"] == "completed"
    wait_until(lambda: all(gone(child) for child in children))


def test_an_upload_of_a_command_survives_two_deaths_of_the_server(data, tmp_path):
    """Each dies in the midst of it; the next has another port and token. The bytes come out right, as one job."""
    path = write_vcf(tmp_path / "a.vcf", 700_000)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VARLOOM_")}
    dying = [Server(data, "--no-worker", **QUICK, **{VARIABLE: "spool.before_write=kill@17"})]
    sending = subprocess.Popen(
        [*VARLOOM, "submit", str(path), "--wait", "--json"],
        env={**environment, "VARLOOM_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    dying[0].popen.wait(60)
    dying.append(Server(data, "--no-worker", **QUICK, **{VARIABLE: "spool.before_sync=kill@2"}))
    dying[1].popen.wait(60)
    for server in dying:
        server.client.close()
    with serving(data, **QUICK) as server:
        out, err = sending.communicate(timeout=90)
        assert sending.returncode == 0, err.decode()
        job = json.loads(out)
        assert (job["state"], job["records"]) == ("completed", 700_000)
        assert [one["id"] for one in server.client.get("jobs").json()["jobs"]] == [job["id"]]
        [stored] = (data / "storage" / "uploads").glob("*/source")
        assert stored.read_bytes() == path.read_bytes()


def test_waiting_for_a_job_survives_a_restart_of_the_server(data, tmp_path):
    """Nothing works at first; while a command waits, the server is started anew, with another port and token."""
    path = tmp_path / "a.vcf"
    path.write_bytes(VCF)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VARLOOM_")}
    with serving(data, "--no-worker", **QUICK) as server:
        waiting = subprocess.Popen(
            [*VARLOOM, "submit", str(path), "--wait", "--json"],
            env={**environment, "VARLOOM_DATA": str(data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        wait_until(lambda: server.client.get("jobs").json()["jobs"])
    with serving(data, **QUICK):
        out, err = waiting.communicate(timeout=90)
    assert waiting.returncode == 0, err.decode()
    assert json.loads(out)["state"] == "completed"


def test_following_a_job_finds_a_server_that_went_away_before_the_first_look(data, tmp_path):
    """`submit --wait` has its job, and only then looks: the server may be gone by then, or back with another token."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with serving(data) as server:
            job = server.at_rest(server.submit(VCF, "a.vcf")["id"])
            note = tmp_path / "server.json"
            now = json.dumps({"url": server.url, "token": server.token})
            for before in ({"url": away, "token": "x"}, {"url": server.url, "token": "of-its-predecessor"}):
                note.write_text(json.dumps(before))
                with connected(None, None, tmp_path) as stale:
                    with pytest.raises(VarloomError) as never_there:
                        follow(stale, [job["id"]], lambda _: None)
                    assert never_there.value.code in {"server_unreachable", "not_authenticated"}

                    if before["url"] == away:
                        threading.Timer(0.5, note.write_text, [now]).start()
                    else:
                        note.write_text(now)
                    told = []
                    ended = follow(stale, [job["id"]], told.append, has_answered=True)
                    assert ended == {job["id"]: job}
                    assert told == [job]


def test_many_jobs_are_looked_at_by_few_requests(data, tmp_path):
    """One that was dismissed, which lists leave out, is among them, and one that is not there is said."""
    with serving(data, "--no-worker") as server:
        manifest = "name,url\n" + "".join(f"s{number},https://example.org/{number}.vcf\n" for number in range(230))
        made = server.client.post("manifests", content=manifest, headers={"content-type": "text/csv"}).json()["jobs"]
        ids = [job["id"] for job in made]
        cancelled = server.client.post("jobs/actions", json={"action": "cancel", "jobs": ids}).json()
        assert len(cancelled["results"]) == 230, cancelled
        assert server.client.delete(f"jobs/{ids[7]}").status_code == 204
        (tmp_path / "server.json").write_text(json.dumps({"url": server.url, "token": server.token}))
        with connected(None, None, tmp_path) as connection:
            asked = []
            connection._client.event_hooks["request"].append(lambda request: asked.append(request.url.path))
            ended = follow(connection, ids, lambda _: None)
            assert {job_id: job["state"] for job_id, job in ended.items()} == dict.fromkeys(ids, "cancelled")
            assert sorted(asked) == ["/api/v1/jobs"] * 3 + [f"/api/v1/jobs/{ids[7]}"]
            with pytest.raises(VarloomError, match="There is no job"):
                follow(connection, [*ids[:2], str(uuid4())], lambda _: None)
