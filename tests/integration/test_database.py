"""The database of the settings is opened, or refused in words that hold no secret; connections are set up alike."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from varloom.db import database as database_module
from varloom.db.database import open_database
from varloom.db.pool import Notification, Reconnected, listen
from varloom.errors import VarloomError
from varloom.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg_pool import AsyncConnectionPool


def test_a_given_server_is_used_as_it_is(database_url: str, tmp_path: Path) -> None:
    with open_database(Settings(data=tmp_path / "data", database_url=database_url)) as database:
        assert database.conninfo == database_url
        database.ensure_running()
    assert not (tmp_path / "data").exists()
    assert conninfo_to_dict(database_url)["password"] not in repr(database)


def test_without_one_the_embedded_is_started(open_folder: Path) -> None:
    with open_database(Settings(data=open_folder / "data")) as database:
        pid = database.embedded.server_pid
        database.ensure_running()
        assert database.embedded.server_pid == pid
        assert conninfo_to_dict(database.conninfo)["password"] not in repr(database)
    assert database.embedded.server_pid is None


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:hush-hush@127.0.0.1:1/varloom",
        "host=127.0.0.1 port=1 user=ada password=hush-hush dbname=varloom",
        "host=/nonexistent user=ada password=hush-hush",
    ],
)
def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path, address: str) -> None:
    with (
        pytest.raises(VarloomError) as caught,
        open_database(Settings(data=tmp_path, database_url=address)),
    ):
        pass
    assert caught.value.code == "database_unreachable"
    assert caught.value.kind.retryable
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_password_is_told_without_it(database_url: str, tmp_path: Path) -> None:
    address = make_conninfo(database_url, password="hush-hush")
    with (
        pytest.raises(VarloomError, match="password authentication failed") as caught,
        open_database(Settings(data=tmp_path, database_url=address)),
    ):
        pass
    assert caught.value.code == "database_unreachable"
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["postgresql://ada:hush-hush@[::1", "ada:hush-hush@db", "postgres//ada:hush-hush"])
def test_what_is_no_address_is_refused_without_repeating_it(tmp_path: Path, address: str) -> None:
    with (
        pytest.raises(VarloomError) as caught,
        open_database(Settings(data=tmp_path, database_url=address)),
    ):
        pass
    assert caught.value.code == "settings_invalid"
    assert "hush-hush" not in str(caught.value)


def test_an_old_server_is_refused(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "OLDEST_SERVER", 990_000)
    with (
        pytest.raises(VarloomError, match="PostgreSQL 18; Varloom needs 99") as caught,
        open_database(Settings(data=tmp_path, database_url=database_url)),
    ):
        pass
    assert caught.value.code == "database_too_old"


async def test_connections_of_the_pool_are_set_up_alike(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as first, pool.connection() as second:
        for connection in (first, second):
            cursor = await connection.execute(
                "SELECT current_setting('application_name'), current_setting('statement_timeout'),"
                " current_setting('idle_in_transaction_session_timeout'), now()"
            )
            name, statement, idle, now = await cursor.fetchone()
            assert (name, statement, idle) == ("varloom test", "1min", "1min")
            assert now.utcoffset() == UTC.utcoffset(None)


async def test_what_failed_in_a_block_is_rolled_back(pool: AsyncConnectionPool) -> None:
    async def fail() -> None:
        async with pool.connection() as connection:
            await connection.execute("CREATE TABLE half (x int)")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with pool.connection() as connection:
        assert await (await connection.execute("SELECT to_regclass('half')")).fetchone() == (None,)


async def test_notifications_come_in_order_from_all_channels(database_url: str, pool: AsyncConnectionPool) -> None:
    async with contextlib.aclosing(listen(database_url, ["one", "Two; DROP TABLE jobs"])) as items:
        assert await anext(items) == Reconnected(first=True)
        async with pool.connection() as connection:
            for number in range(50):
                channel = ("one", "Two; DROP TABLE jobs")[number % 2]
                await connection.execute("SELECT pg_notify(%s, %s)", [channel, str(number)])
        received = [await asyncio.wait_for(anext(items), 30) for _ in range(50)]
    assert received == [Notification(("one", "Two; DROP TABLE jobs")[n % 2], str(n)) for n in range(50)]
