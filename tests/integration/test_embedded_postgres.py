"""The embedded PostgreSQL works for every user, on every path, and is started and stopped exactly when it should be."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from varloom.db import database_folder, embedded
from varloom.db.binaries import Binaries, installed_binaries
from varloom.db.embedded import EmbeddedPostgres
from varloom.db.postmaster import processes_of
from varloom.db.system_user import database_user
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE_USER = Path(__file__).parents[1] / "support" / "database_user.py"
ORDINARY_UID = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")


@pytest.fixture
def system_folder(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /var/lib/varloom, so that the tests leave nothing there."""
    folder = open_folder / "system"
    monkeypatch.setattr(database_folder, "SYSTEM_FOLDER", folder)
    return folder


@contextmanager
def _another_process(data: Path, uid: int | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that uses the database; yields it and the server's process id."""
    command = [sys.executable, str(DATABASE_USER), str(data), *([str(uid)] if uid else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.stdin.close()
            assert process.wait(60) == 0


def _query(server: EmbeddedPostgres, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.conninfo) as connection:
        return connection.execute(query).fetchall()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_and_set_up_as_decided(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder) as server:
        settings = dict(_query(server, "SELECT name, setting FROM pg_settings"))
        listening = psutil.Process(server.server_pid).net_connections(kind="inet")
        where = conninfo_to_dict(server.conninfo)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(make_conninfo(server.conninfo, password="wrong"))
        (collation,) = _query(
            server,
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database WHERE datname='varloom'",
        )
    assert collation == ("b", "C.UTF-8", "UTF8")
    assert (settings["data_checksums"], settings["fsync"], settings["full_page_writes"]) == ("on", "on", "on")
    assert settings["listen_addresses"] == ""
    assert not [connection for connection in listening if connection.status == psutil.CONN_LISTEN]
    assert len(where["password"]) >= 43
    assert _mode(data_folder / "postgres.password") == 0o600
    assert _mode(data_folder / "postgres.log") == 0o600
    assert _mode(data_folder / "postgres") == 0o700
    assert _mode(data_folder) == (0o711 if os.geteuid() == 0 else 0o700)


def test_what_was_written_is_there_after_a_stop(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder) as server, psycopg.connect(server.conninfo) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    assert server.server_pid is None
    assert list(processes_of(data_folder / "postgres" / "data")) == []
    with EmbeddedPostgres(data_folder) as server:
        assert _query(server, "SELECT x FROM t") == [(42,)]


@pytest.mark.parametrize(
    "name",
    ["d" * 120 + "/" + "e" * 120, "with space, comma, 'quotes\" & $HOME `x` ünïcode", "/".join(["f" * 200] * 6)],
    ids=["longer than a socket path", "odd characters", "longer than the limit of PostgreSQL"],
)
def test_any_path_will_do(open_folder: Path, name: str) -> None:
    data = open_folder / name
    (data / "..").resolve().mkdir(parents=True, exist_ok=True)
    server = EmbeddedPostgres(data)
    with server:
        run_folder = Path(conninfo_to_dict(server.conninfo)["host"])
        assert _mode(run_folder) == 0o700
        assert not run_folder.is_relative_to(open_folder)
        assert _query(server, "SELECT 1") == [(1,)]
    with server:
        assert _query(server, "SELECT 1") == [(1,)]
    server.destroy()
    assert not run_folder.exists()


def test_two_data_folders_do_not_meet(open_folder: Path) -> None:
    with EmbeddedPostgres(open_folder / "a") as first, EmbeddedPostgres(open_folder / "b") as second:
        with psycopg.connect(first.conninfo) as connection:
            connection.execute("CREATE TABLE only_in_a (x int)")
        assert first.server_pid != second.server_pid
        assert _query(second, "SELECT to_regclass('only_in_a')") == [(None,)]


def test_the_last_of_two_processes_stops_the_server(data_folder: Path) -> None:
    ours = EmbeddedPostgres(data_folder)
    with _another_process(data_folder) as (_, pid):
        ours.start()
        assert ours.server_pid == pid
    assert ours.server_pid == pid
    with _another_process(data_folder) as (_, theirs):
        assert theirs == pid
        ours.close()
        assert ours.server_pid == pid
    assert list(processes_of(data_folder / "postgres" / "data")) == []


def test_processes_that_start_at_once_share_one_server(data_folder: Path) -> None:
    command = [sys.executable, str(DATABASE_USER), str(data_folder)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {int(process.stdout.readline()) for process in processes}
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(pids) == 1
    with EmbeddedPostgres(data_folder) as server:
        assert _query(server, "SELECT count(DISTINCT pid) FROM kept") == [(3,)]


@as_root
def test_an_ordinary_user_can_have_one(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, ORDINARY_UID, ORDINARY_UID)
    data = home / "data"
    with _another_process(data, ORDINARY_UID) as (_, pid):
        assert psutil.Process(pid).uids().effective == ORDINARY_UID
    with _another_process(data, ORDINARY_UID):
        pass
    assert {path.stat().st_uid for path in data.rglob("*")} == {ORDINARY_UID}
    assert _mode(home) == 0o700


@as_root
def test_root_runs_it_as_another_user_without_groups(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder) as server:
        process = psutil.Process(server.server_pid)
        status = Path(f"/proc/{process.pid}/status")
        groups = status.read_text().split("Groups:")[1].splitlines()[0].split() if status.exists() else []
        environment = process.environ()
        assert process.uids() == (database_user().uid,) * 3
        assert groups == []
        assert set(environment) - {"PGDATA", "POSTGRES_PID"} <= {"PATH", "LC_ALL", "TZ"} | {
            name for name in environment if name.startswith(("LC_", "PG"))
        }


@as_root
def test_root_keeps_a_private_data_folder_private(open_folder: Path, system_folder: Path) -> None:
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "data")
    with server, psycopg.connect(server.conninfo) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    assert _mode(private) == 0o700
    (home,) = system_folder.iterdir()
    assert (_mode(system_folder), _mode(home), home.stat().st_uid) == (0o755, 0o700, database_user().uid)
    with server:
        assert _query(server, "SELECT x FROM t") == [(42,)]
    server.destroy()
    assert list(system_folder.iterdir()) == []
    assert list((private / "data").iterdir()) == []


@as_root
def test_root_copies_programs_that_its_user_cannot_reach_once_and_trusts_no_foreign_copy(
    open_folder: Path, system_folder: Path
) -> None:
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    installed = installed_binaries().prefix
    package = installed.parent
    shutil.copytree(installed, private / package.name / installed.name)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name)
    binaries = Binaries(private / package.name / installed.name)
    for name in ("a", "b"):
        server = EmbeddedPostgres(open_folder / name, binaries=binaries)
        with server:
            assert psutil.Process(server.server_pid).exe().startswith(str(system_folder))
            assert _query(server, "SELECT 1") == [(1,)]
    (copy,) = system_folder.iterdir()
    assert copy.name.startswith(f"postgresql-{binaries.version()}-")
    assert _mode(private) == 0o700
    copy.chmod(0o777)
    with pytest.raises(VarloomError, match="can be changed by others"):
        server.start()


def test_a_stranger_with_the_recorded_process_id_is_left_alone(data_folder: Path) -> None:
    server = EmbeddedPostgres(data_folder)
    with server:
        socket_lock = Path(conninfo_to_dict(server.conninfo)["host"]) / ".s.PGSQL.5432.lock"
        pid_file = data_folder / "postgres" / "data" / "postmaster.pid"
        recorded, locked = pid_file.read_text(), socket_lock.read_text()
        old = str(server.server_pid)
    with subprocess.Popen(["sleep", "600"], **database_user().spawn()) as stranger:
        try:
            pid_file.write_text(recorded.replace(old, str(stranger.pid), 1))
            socket_lock.parent.mkdir(mode=0o700, exist_ok=True)
            database_user().own(socket_lock.parent)
            socket_lock.write_text(locked.replace(old, str(stranger.pid), 1))
            with server:
                assert _query(server, "SELECT 1") == [(1,)]
                assert server.server_pid != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_garbled_pid_file_is_removed(data_folder: Path) -> None:
    server = EmbeddedPostgres(data_folder)
    with server:
        pass
    for content in ("", "garbage\n", "-1\n", "0\n", "99999999999999999999\n", "\0\0"):
        (data_folder / "postgres" / "data" / "postmaster.pid").write_text(content)
        with server:
            assert _query(server, "SELECT 1") == [(1,)]


def test_a_server_that_lost_its_socket_is_started_again(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder) as server:
        before = server.server_pid
        (Path(conninfo_to_dict(server.conninfo)["host"]) / ".s.PGSQL.5432").unlink()
        server.ensure_running()
        assert server.server_pid != before
        assert _query(server, "SELECT 1") == [(1,)]


def test_an_interrupted_set_up_is_begun_anew(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder):
        pass
    home = data_folder / "postgres"
    (home / "data").rename(home / "data.new")
    (data_folder / "postgres.json").write_text('{"folder": "postgres", "initialised": false}\n')
    with EmbeddedPostgres(data_folder) as server:
        assert _query(server, "SELECT 1") == [(1,)]
    assert not (home / "data.new").exists()


def test_a_squatted_socket_folder_is_not_used(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = open_folder / "t"
    temporary.mkdir()
    temporary.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    data = open_folder / ("d" * 120)
    server = EmbeddedPostgres(data)
    with server:
        run_folder = Path(conninfo_to_dict(server.conninfo)["host"])
        assert run_folder.parent == temporary
    for squat in (lambda: run_folder.symlink_to(open_folder), lambda: run_folder.mkdir() or run_folder.chmod(0o777)):
        squat()
        with pytest.raises(VarloomError, match="mode 0700") as caught:
            server.start()
        assert caught.value.code == "database_start_failed"
        run_folder.unlink() if run_folder.is_symlink() else run_folder.rmdir()
    server.destroy()


def test_a_server_that_cannot_be_seen_from_here_is_not_started_a_second_time(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers on one volume do not see each other's processes; a second server would ruin the files."""
    monkeypatch.setattr(embedded, "ORPHAN_PATIENCE", 0.2)
    with EmbeddedPostgres(data_folder) as first:
        before = first.server_pid
        with monkeypatch.context() as blind:
            blind.setattr(embedded, "running_server", lambda _: None)
            blind.setattr(embedded, "processes_of", lambda _: [])
            with pytest.raises(VarloomError, match="Another container or machine") as caught:
                EmbeddedPostgres(data_folder).start()
        assert caught.value.code == "database_start_failed"
        assert first.server_pid == before
        assert _query(first, "SELECT 1") == [(1,)]


def test_a_closed_one_starts_nothing(data_folder: Path) -> None:
    server = EmbeddedPostgres(data_folder)
    server.ensure_running()
    assert server.server_pid is None
    with server:
        pass
    server.ensure_running()
    server.close()
    assert server.server_pid is None


def test_a_folder_of_another_version_is_refused(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder):
        pass
    version = data_folder / "postgres" / "data" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(VarloomError, match="PostgreSQL 17") as caught:
        EmbeddedPostgres(data_folder).start()
    assert caught.value.code == "database_version_mismatch"
    version.write_text("18\n")


def test_a_lost_database_is_never_replaced_by_an_empty_one(data_folder: Path) -> None:
    with EmbeddedPostgres(data_folder):
        pass
    home = data_folder / "postgres"
    home.rename(data_folder / "elsewhere")
    with pytest.raises(VarloomError, match=str(home)) as caught:
        EmbeddedPostgres(data_folder).start()
    assert caught.value.code == "database_folder_missing"
    (data_folder / "elsewhere").rename(home)


def test_a_failed_start_shows_what_the_log_says_and_no_secret(data_folder: Path) -> None:
    server = EmbeddedPostgres(data_folder)
    with server:
        secret = conninfo_to_dict(server.conninfo)["password"]
    configuration = data_folder / "postgres" / "data" / "postgresql.auto.conf"
    before = configuration.read_text()
    configuration.write_text("no_such_setting = 1\n")
    with pytest.raises(VarloomError, match="no_such_setting") as caught:
        server.start()
    assert caught.value.code == "database_start_failed"
    assert secret not in str(caught.value)
    assert secret not in repr(server)
    configuration.write_text(before)
    with server:
        assert _query(server, "SELECT 1") == [(1,)]


def test_a_data_folder_that_cannot_be_is_told(open_folder: Path) -> None:
    (open_folder / "file").write_text("")
    with pytest.raises(VarloomError) as caught:
        EmbeddedPostgres(open_folder / "file" / "data").start()
    assert caught.value.code == "database_start_failed"
