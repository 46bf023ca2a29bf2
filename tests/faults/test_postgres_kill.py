"""PostgreSQL, or whoever started it, is killed: nothing that was committed is lost, and everyone finds back to work."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from varloom.db import embedded
from varloom.db.database import Database
from varloom.db.embedded import EmbeddedPostgres
from varloom.db.pool import Notification, Reconnected, listen, open_pool
from varloom.db.postmaster import gone, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE_USER = Path(__file__).parents[1] / "support" / "database_user.py"


@pytest.fixture
def server(data_folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data_folder) as opened:
        with psycopg.connect(opened.conninfo) as connection:
            connection.execute("CREATE TABLE kept (x int)")
            connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
        yield opened


def _processes(data: Path) -> list[psutil.Process]:
    return list(processes_of(data / "postgres" / "data"))


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    assert gone(process, 30)


def _kill_all(data: Path) -> None:
    for process in _processes(data):
        _kill(process)


def _kept(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.conninfo) as connection:
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


def test_what_was_committed_survives_kill_9_of_everything(server: EmbeddedPostgres, data_folder: Path) -> None:
    with psycopg.connect(server.conninfo) as uncommitted:
        uncommitted.execute("INSERT INTO kept VALUES (1001)")
        _kill_all(data_folder)
        server.ensure_running()
        assert _kept(server) == 1000
        uncommitted.close()


def test_ensure_running_leaves_a_living_server_alone(server: EmbeddedPostgres) -> None:
    before = server.server_pid
    server.ensure_running()
    assert server.server_pid == before


def test_a_busy_orphan_is_ended_before_a_new_server_starts(
    server: EmbeddedPostgres, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend in the middle of a computation does not notice that the postmaster is gone."""
    monkeypatch.setattr(embedded, "ORPHAN_PATIENCE", 3.0)
    with psycopg.connect(server.conninfo) as busy:
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000000) b")
        orphan = psutil.Process(busy.info.backend_pid)
        _kill(psutil.Process(server.server_pid))
        server.ensure_running()
        assert gone(orphan, 0)
        assert _kept(server) == 1000
        busy.close()


def test_a_killed_backend_costs_its_connection_only(server: EmbeddedPostgres) -> None:
    before = server.server_pid
    with psycopg.connect(server.conninfo) as victim:
        psutil.Process(victim.info.backend_pid).kill()
        with pytest.raises(psycopg.OperationalError):
            victim.execute("SELECT 1")
    deadline = time.monotonic() + 30
    while True:
        try:
            assert _kept(server) == 1000
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server did not recover"
            time.sleep(0.05)
    assert server.server_pid == before


@contextlib.contextmanager
def _owner(data: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that has started the server; yields it and the server's process id. It is killed in the end."""
    command = [sys.executable, str(DATABASE_USER), str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_server_whose_owner_was_killed_is_adopted_and_stopped_by_the_next(data_folder: Path) -> None:
    with _owner(data_folder) as (owner, pid):
        pass
    assert owner.returncode == -signal.SIGKILL
    successor = EmbeddedPostgres(data_folder)
    with successor:
        assert successor.server_pid == pid
        assert _kept(successor) == 1
    assert _processes(data_folder) == []


def test_after_kill_9_of_owner_and_server_it_starts_again(data_folder: Path) -> None:
    with _owner(data_folder) as (owner, pid):
        pass
    assert owner.returncode == -signal.SIGKILL
    _kill_all(data_folder)
    with EmbeddedPostgres(data_folder) as successor:
        assert successor.server_pid != pid
        assert _kept(successor) == 1
    assert _processes(data_folder) == []


def test_a_server_killed_in_the_sight_of_two_processes_is_started_once(data_folder: Path) -> None:
    with _owner(data_folder) as (owner, _), EmbeddedPostgres(data_folder) as other:
        _kill_all(data_folder)  # for the other process the server may still be a zombie
        other.ensure_running()
        assert _kept(other) == 1
        owner.communicate("\n", timeout=60)
        assert owner.returncode == 0
        assert _kept(other) == 1
    assert _processes(data_folder) == []


async def test_pool_and_listener_find_back_by_themselves(server: EmbeddedPostgres, data_folder: Path) -> None:
    database = Database(server.conninfo, server)
    async with (
        open_pool(server.conninfo, min_size=2) as pool,
        contextlib.aclosing(listen(server.conninfo, ["varloom_events"])) as items,
    ):

        async def send(payload: str) -> None:
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_notify('varloom_events', %s)", [payload])

        assert await anext(items) == Reconnected(first=True)
        await send("before")
        assert await anext(items) == Notification("varloom_events", "before")

        _kill_all(data_folder)
        await asyncio.to_thread(database.ensure_running)
        assert await asyncio.wait_for(anext(items), 60) == Reconnected(first=False)
        await send("after")
        assert await anext(items) == Notification("varloom_events", "after")
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM kept")
            assert await cursor.fetchone() == (1000,)
