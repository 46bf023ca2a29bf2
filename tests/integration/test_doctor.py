"""The doctor: each check is shown the very thing that it is for, broken; and a server that is well has nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import psycopg
import pytest
from api_support import VCF
from cli_support import varloom

from running import serving
from varloom.annotation.demo.installing import install_demo
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.db.embedded import EmbeddedPostgres
from varloom.services.doctor import database, files, machine
from varloom.services.doctor.examination import examined
from varloom.settings import load_settings
from varloom.storage import LocalStorage

PAGE = Path(__file__).parents[2] / "docs/how-to/doctor.md"
SOURCE = Path(machine.__file__).parent


@pytest.fixture(scope="module")
def stopped(module_data_folder):
    """The data folder of a server that was well when it stopped."""
    with serving(module_data_folder) as server:
        for name in ("a.vcf", "b.vcf"):
            assert server.at_rest(server.submit(VCF, name)["id"])["state"] == "completed"
        body = {"name": "lab", "kind": "bearer", "scope": "https://example.org/", "values": {"token": "x" * 20}}
        assert server.client.post("credentials", json=body).status_code == 201
        install_demo(ReferenceLibrary(LocalStorage(module_data_folder / "storage")), lambda *_: None)
    return module_data_folder


@pytest.fixture
def data(stopped, open_folder):
    """A copy of it that a test may break."""
    copy = open_folder / "data"
    subprocess.run(["cp", "-a", stopped, copy], check=True)
    copy.chmod(0o711)
    yield copy
    if copy.exists():
        copy.chmod(0o711)
        EmbeddedPostgres(copy).destroy()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def told(data, *, deep=False, **flags):
    """What is not well: id, verdict and place."""
    settings = load_settings(data=data, **{"port": free_port(), "disk_low": "1", "disk_reserve_bytes": 0, **flags})
    found = list(examined(settings, deep=deep))
    assert all(one.resolution for one in found if one.verdict != "ok"), found
    return {(one.id, one.verdict.value): one for one in found if one.verdict != "ok"}


NO_WORKER = {("workers", "warning")}
"""What is told of a server that does not run."""

ANY_DISK = {"VARLOOM_DISK_LOW": "1", "VARLOOM_DISK_RESERVE_BYTES": "0"}
"""Lets a test say that all is well, however full the disk of its machine is."""


def until_a_worker_is_connected(server):
    """A server is ready a moment before its worker is."""
    deadline = time.monotonic() + 60
    while not server.client.get("queue").raise_for_status().json()["workers"]:
        assert time.monotonic() < deadline, server.output
        time.sleep(0.05)


@contextlib.contextmanager
def sql(data):
    with EmbeddedPostgres(data) as server, psycopg.connect(server.conninfo, autocommit=True) as connection:
        yield connection


def a_worker(connection, *, slots='{"parse": 1, "download": 1, "process": 1, "annotate": 1}', **columns):
    values = {"id": uuid.uuid4(), "host": "h", "pid": 1, "version": "0", "slots": slots, "plan_version": 99, **columns}
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    connection.execute(f"INSERT INTO workers ({names}) VALUES ({marks})", list(values.values()))
    return values["id"]


def queue_a_job(connection, *, hours=0):
    """A completed job waits again, which no server would let happen."""
    connection.execute("SET session_replication_role = replica")
    connection.execute(
        "UPDATE jobs SET state = 'queued', finished_at = NULL, stage = 'parse', artefacts = '{}', worker_id = NULL, "
        "attempt_token = NULL, run_after = now() - make_interval(hours => %s) "
        "WHERE id = (SELECT id FROM jobs ORDER BY id LIMIT 1)",
        [hours],
    )


def dataset_part(data):
    return min((data / "storage" / "attempts").rglob("*.parquet"))


# --- Nothing broken -------------------------------------------------------------------------------------------------


def test_a_server_that_is_well_has_no_problem_while_it_runs_nor_when_it_has_stopped(data):
    assert told(data, deep=True).keys() == NO_WORKER
    with serving(data, **ANY_DISK) as server:
        until_a_worker_is_connected(server)
        asked = varloom("doctor", "--json", "--deep", data=data, **ANY_DISK)
        answer = json.loads(asked.out)
        assert (asked.status, answer["ok"]) == (0, True), asked.out
        assert [one for one in answer["findings"] if one["verdict"] != "ok"] == []
        place = {one["id"]: one["place"] for one in answer["findings"]}
        assert place["address"] == server.url
        server.popen.send_signal(signal.SIGSTOP)
        try:
            assert [one.id for one in machine.address(load_settings(data=data)) if one.verdict == "problem"]
        finally:
            server.popen.send_signal(signal.SIGCONT)
    asked = varloom("doctor", "--quiet", data=data, VARLOOM_PORT=str(free_port()), **ANY_DISK)
    assert (asked.status, asked.out.splitlines()[0][:16]) == (0, "warning workers:"), asked.out
    with serving(data) as server:
        workers = server.workers()
        server.kill()
        assert psutil.wait_procs(workers, timeout=60)[1] == []  # they end by themselves, and write until then
    assert ("stale_note", "warning") in told(data)


def test_every_check_is_documented():
    ids = set(re.findall(r'(?:ok|warning|problem|tell|failed|_guarded|_opened)\(\s*"([a-z_]+)"', all_text()))
    assert {"data_folder", "files_damaged", "clock", "entropy", "settings"} <= ids
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert documented == ids


def all_text():
    command = SOURCE.parents[1] / "cli" / "doctor.py"
    return "\n".join(path.read_text() for path in [*SOURCE.glob("*.py"), command])


# --- The machine and the data folder --------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_told_and_not_made(tmp_path):
    found = told(tmp_path / "none")
    assert found.keys() == {("data_folder", "problem"), ("storage_probe", "problem"), ("database", "problem")}
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("mode", "verdict"), [(0o500, "problem"), (0o777, "warning"), (0o755, "warning"), (0o711, None), (0o700, None)]
)
def test_the_mode_of_the_data_folder(tmp_path, mode, verdict):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(mode)
    found = [(one.id, one.verdict.value) for one in machine.data_folder(folder) if one.verdict != "ok"]
    assert found == ([("data_folder", verdict)] if verdict else [])


def test_a_folder_of_another_user(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    (found, _) = machine.data_folder(tmp_path)
    assert (found.verdict, "another user" in found.message) == ("problem", True)


def test_files_with_secrets_that_others_may_read(data):
    (data / "secret.key").chmod(0o644)
    found = told(data)
    assert found[("private_files", "problem")].place == str(data / "secret.key")


def test_what_was_left_behind(data):
    (data / "restore.unfinished").write_text("x")
    (data / "server.json").write_text('{"url": "http://127.0.0.1:1", "token": "t"}')
    (data / "server.json").chmod(0o600)
    assert told(data).keys() - NO_WORKER == {("unfinished_restore", "problem"), ("stale_note", "warning")}


def test_a_port_in_use_and_an_address_that_is_not_ours(data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert told(data, port=port).keys() - NO_WORKER == {("address", "problem")}
    for host in ("192.0.2.1", "no-such-host.invalid"):
        settings = load_settings(data=data, host=host)
        assert [one.verdict for one in machine.address(settings)] == ["problem"]


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        ({"host": "0.0.0.0"}, "host = 0.0.0.0"),  # noqa: S104
        ({"host": "::"}, "host = ::"),
        ({"allowed_endpoints": "10.1.0.0/16,0.0.0.0/0"}, "allowed_endpoints = 0.0.0.0/0"),
        ({"allowed_endpoints": "::/0"}, "allowed_endpoints = ::/0"),
        ({"database_url": "postgresql://u:p@db.example.org/v"}, "database_url"),
    ],
)
def test_settings_that_let_in_or_out_more_than_was_meant(tmp_path, flags, place):
    found = list(machine.exposure(load_settings(data=tmp_path, **flags)))
    assert [(one.verdict, one.place) for one in found] == [("warning", place)]


@pytest.mark.parametrize(
    "flags",
    [
        {"allowed_endpoints": "10.1.0.0/16,minio.example.org,fd00::/64"},
        {"database_url": "postgresql://u:p@127.0.0.1/v"},
        {"database_url": "postgresql://u:p@db.example.org/v?sslmode=verify-full"},
    ],
)
def test_settings_that_do_not(tmp_path, flags):
    assert [one.verdict for one in machine.exposure(load_settings(data=tmp_path, **flags))] == ["ok"]


def test_a_scratch_folder_that_cannot_be_written(tmp_path):
    found = list(machine.scratch(load_settings(data=tmp_path, scratch=tmp_path / "none")))
    assert [one.verdict for one in found] == ["problem"]


@pytest.mark.parametrize(
    ("flags", "verdict"), [({"disk_low": "99.99%"}, "problem"), ({"disk_reserve_bytes": 1 << 60}, "warning")]
)
def test_disks_with_too_little_space(data, flags, verdict):
    assert told(data, **flags).keys() - NO_WORKER == {("disk_space", verdict)}


@pytest.fixture
def tiny_disk(open_folder):
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = open_folder / "disk"
    folder.mkdir()
    options = "size=64k,nr_inodes=200"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_without_entries_for_files_and_one_that_takes_nothing(data, tiny_disk):
    shutil.copy(data / "storage" / "varloom-storage.json", tiny_disk)
    for number in range(250):
        with contextlib.suppress(OSError):
            (tiny_disk / f".{number}").touch()
    found = told(data, storage=str(tiny_disk))
    assert ("disk_files", "warning") in found
    assert ("storage_probe", "problem") in found


def test_python_libraries_and_randomness(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (4, 0))
    wanted = ["duckdb>=99", "no-such-library", "click", "other>=1; python_version < '3'", "absent; extra == 'reads'"]
    monkeypatch.setattr(machine.metadata, "requires", lambda _: wanted)
    version, libraries = machine.python()
    assert (version.verdict, libraries.verdict) == ("problem", "problem")
    assert "no-such-library is missing" in libraries.message
    assert re.search(r"duckdb \S+ is not >=99", libraries.message)
    assert "click" not in libraries.message
    monkeypatch.setattr(machine, "ENTROPY", tmp_path / "bits")
    (tmp_path / "bits").write_text("17\n")
    assert [one.id for one in machine.limits() if one.verdict == "warning"] == ["entropy"]


def test_scripts_of_the_pages_that_are_missing(monkeypatch, tmp_path):
    package = Path(machine.__file__).parents[2]
    shutil.copytree(package / "web" / "static", tmp_path / "web" / "static")
    monkeypatch.setattr(machine.resources, "files", lambda _: tmp_path)
    assert [one.verdict for one in machine.static_assets()] == ["ok"]
    min((tmp_path / "web/static/dist").glob("app*.js")).unlink()
    assert [one.verdict for one in machine.static_assets()] == ["problem"]
    (tmp_path / "web/static/dist/manifest.json").unlink()
    assert [one.verdict for one in machine.static_assets()] == ["problem"]


def test_a_low_limit_of_open_files():
    code = "from varloom.services.doctor import machine; print(*[f'{o.id} {o.verdict}' for o in machine.limits()])"
    said = subprocess.run(
        ["bash", "-c", 'ulimit -n 512 && exec "$@"', "x", sys.executable, "-c", code],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "open_files warning" in said.stdout


def test_a_mistake_in_the_settings(tmp_path):
    asked = varloom("doctor", "--json", data=tmp_path, VARLOOM_DISK_LOW="much")
    (found,) = json.loads(asked.out)["findings"]
    assert (asked.status, found["id"], found["verdict"]) == (1, "settings", "problem")


# --- The database ---------------------------------------------------------------------------------------------------


def test_a_database_that_does_not_answer_and_one_that_is_gone(data):
    url = f"postgresql://u:hidden@127.0.0.1:{free_port()}/d"
    found = told(data, database_url=url)
    assert ("database", "problem") in found
    assert "hidden" not in str(found)
    with sql(data):
        pass
    record = json.loads((data / "postgres.json").read_text())
    (data / record["folder"] / "data" / "PG_VERSION").unlink()
    assert ("database", "problem") in told(data)


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)", "warning"),
        ("UPDATE schema_migrations SET sha256 = 'x' WHERE version = 3", "problem"),
        ("INSERT INTO schema_migrations VALUES (9999, 'future', 'x', now(), 4)", "warning"),
        ("INSERT INTO schema_migrations VALUES (9999, 'future', 'x', now(), 9999)", "problem"),
        ("DROP TABLE schema_migrations", "problem"),
    ],
)
def test_tables_of_another_version(data, statement, verdict):
    with sql(data) as connection:
        connection.execute(statement)
        assert [one.verdict.value for one in database.migrations(connection)] == [verdict]
    assert told(data).keys() == {("migrations", verdict)}


@pytest.mark.parametrize(("seconds", "verdict"), [(5, "warning"), (-5, "warning"), (3600, "problem"), (0, "ok")])
def test_clocks_that_differ(data, monkeypatch, seconds, verdict):
    real = time.time
    monkeypatch.setattr(database.time, "time", lambda: real() + seconds)
    with sql(data) as connection:
        (found,) = database.clock(connection)
    assert found.verdict == verdict


def test_a_database_that_is_too_old(data, monkeypatch):
    monkeypatch.setattr(database, "OLDEST_SERVER", 990_000)
    assert ("database", "problem") in told(data)


def test_workers_slots_and_jobs_that_do_not_get_on(data):
    settings = load_settings(data=data)
    with sql(data) as connection:

        def found():
            every = [*database.workers(connection, settings), *database.jobs(connection, settings)]
            return {(one.id, one.verdict.value): one for one in every if one.verdict != "ok"}

        queue_a_job(connection)
        assert found().keys() == {("workers", "problem")}
        worker = a_worker(connection, slots='{"download": 1}')
        assert found().keys() == {("slots", "problem"), ("slots", "warning")}
        assert found()[("slots", "problem")].place == "parse"
        connection.execute("UPDATE workers SET low_disk = 'the disk of /x is full' WHERE id = %s", [worker])
        assert ("worker_disk", "problem") in found()
        connection.execute("DELETE FROM workers WHERE id = %s", [worker])
        worker = a_worker(connection)
        assert found() == {}
        queue_a_job(connection, hours=2)
        assert found().keys() == {("jobs_waiting", "warning")}
        connection.execute("INSERT INTO pauses (stage) VALUES ('parse')")
        assert found() == {}
        connection.execute("DELETE FROM pauses")
        connection.execute("UPDATE workers SET serves = ARRAY['cpu:'] WHERE id = %s", [worker])
        assert found().keys() == {("jobs_waiting", "warning")}
        connection.execute(
            "UPDATE jobs SET state = 'parsing', attempt_token = gen_random_uuid(), worker_id = %s, claimed_at = now() "
            "WHERE state = 'queued'",
            [worker],
        )
        assert found() == {}
        connection.execute("UPDATE workers SET heartbeat_at = now() - interval '10 minutes' WHERE id = %s", [worker])
        assert found().keys() == {("workers", "warning"), ("jobs_held", "problem")}


# --- The storage ----------------------------------------------------------------------------------------------------


def test_a_storage_of_another_database_and_one_without_a_mark(data):
    mark = data / "storage" / "varloom-storage.json"
    mark.chmod(0o600)
    mark.write_text(json.dumps({"storage": str(uuid.uuid4())}))
    assert told(data).keys() - NO_WORKER == {("storage_mark", "problem")}
    mark.unlink()
    assert told(data).keys() - NO_WORKER == {("storage_mark", "problem")}


def test_files_that_are_missing(data):
    folder = dataset_part(data).parent
    shutil.rmtree(folder)
    found = told(data)
    assert found.keys() - NO_WORKER == {("files_missing", "problem")}
    assert found[("files_missing", "problem")].place == folder.relative_to(data / "storage").as_posix()


def test_a_part_of_a_table_that_is_shorter_and_one_with_another_byte(data):
    part = dataset_part(data)
    content = part.read_bytes()
    replace(part, content[:-1])
    found = told(data)
    assert found.keys() - NO_WORKER == {("files_damaged", "problem")}
    assert found[("files_damaged", "problem")].place == part.relative_to(data / "storage").as_posix()
    replace(part, bytes([content[0] ^ 1]) + content[1:])
    assert told(data).keys() == NO_WORKER
    assert told(data, deep=True).keys() - NO_WORKER == {("files_damaged", "problem")}
    replace(part.with_name("manifest.json"), b"{}")
    assert told(data).keys() - NO_WORKER == {("files_damaged", "problem")}


def test_an_upload_with_another_byte(data):
    upload = min((data / "storage" / "uploads").rglob("source"))
    content = upload.read_bytes()
    replace(upload, content[:-1] + bytes([content[-1] ^ 1]))
    assert told(data).keys() == NO_WORKER
    assert told(data, deep=True).keys() - NO_WORKER == {("files_damaged", "problem")}


def test_a_folder_of_which_nobody_speaks(data):
    lost = data / "storage" / "attempts" / str(uuid.uuid4()) / str(uuid.uuid4())
    (lost / "dataset").mkdir(parents=True)
    (lost / "dataset" / "x.parquet").write_bytes(b"x")
    assert told(data).keys() == NO_WORKER, "it may be at work"
    long_ago = time.time() - 3 * 24 * 3600
    for path in (lost / "dataset" / "x.parquet", lost / "dataset", lost):
        os.utime(path, (long_ago, long_ago))
    assert told(data).keys() - NO_WORKER == {("files_orphaned", "warning")}


def test_only_some_are_looked_at_unless_all_are(data, monkeypatch):
    monkeypatch.setattr(files, "SAMPLED", 1)
    settings = load_settings(data=data, port=free_port())
    assert any("chosen by chance" in one.message for one in examined(settings, deep=False))
    assert not any("chosen by chance" in one.message for one in examined(settings, deep=True))


def test_reference_data_that_is_broken(data):
    releases = sorted((data / "storage" / "refs").rglob("release.json"))
    told_of = releases[0]
    content = told_of.read_bytes()
    replace(told_of, b"{")
    assert told(data).keys() - NO_WORKER == {("references", "problem")}
    replace(told_of, content)
    largest = max((path for path in told_of.parent.rglob("*") if path.suffix == ".parquet"), key=lambda p: p.name)
    kept = largest.read_bytes()
    replace(largest, kept[:-1] + bytes([kept[-1] ^ 1]))
    assert told(data).keys() == NO_WORKER
    assert told(data, deep=True).keys() - NO_WORKER == {("references", "problem")}
    largest.unlink()
    assert told(data).keys() - NO_WORKER == {("references", "problem")}


def test_a_key_that_is_lost_and_another_one(data):
    key = data / "secret.key"
    key.unlink()
    assert told(data).keys() - NO_WORKER == {("credentials_key", "problem")}
    key.write_text("b" * 43 + "=\n")
    key.chmod(0o600)
    assert told(data).keys() - NO_WORKER == {("credentials_key", "problem")}
    with sql(data) as connection:
        connection.execute("DELETE FROM credentials")
    key.unlink()
    assert told(data).keys() - NO_WORKER == {("credentials_key", "warning")}


def replace(path, content):
    """Stored files are read-only, and their folders too perhaps."""
    path.parent.chmod(0o700)
    path.unlink()
    path.write_bytes(content)
