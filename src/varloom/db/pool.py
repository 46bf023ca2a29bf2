"""Connections for services and jobs, and one that listens for notifications through restarts of the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from varloom.db.faulty_commits import FaultyCommits, connection_class

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 10
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Over a network, a server that vanished is noticed after 14 s when nothing was under way, and after 10 s when it owes
an answer; the system's own defaults are two hours and a quarter of one."""
_SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""The same for the server's end: until it notices that a client vanished, the client's locks stay."""
_STATEMENT_TIMEOUT = "60s"
_IDLE_IN_TRANSACTION_TIMEOUT = "60s"
_RECONNECT_TIMEOUT = 5.0
"""The pool's pauses between two tries double until so many seconds have passed; then the next caller begins anew.

With its own default, five minutes, an outage would be felt for up to twice as long as it lasted.
"""
_PING_INTERVAL = 30.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Notification:
    """What `pg_notify(channel, payload)` sent."""

    channel: str
    payload: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """Listening has begun, or begun again: whatever happened before is not told, and must be read from the tables.

    `first` marks the beginning; after it, every further one means that notifications may have been missed.
    """

    first: bool


@contextlib.asynccontextmanager
async def open_pool(
    conninfo: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    application_name: str = "varloom",
    timeout: float = 30.0,  # noqa: ASYNC109 - how long a caller waits for a free connection: the pool's own option
    generic_plans: bool = False,
) -> AsyncIterator[AsyncConnectionPool]:
    """A pool of connections, each checked before it is lent, so that a restart of the server harms no caller.

    Rows are tuples unless the caller asks for another factory; times come in UTC; one statement may take a minute. With
    `generic_plans=True` a statement that is used often is planned once for all values, where planning it would take
    longer than running it.
    """
    pool = AsyncConnectionPool(
        conninfo,
        connection_class=connection_class(),
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        reconnect_timeout=_RECONNECT_TIMEOUT,
        open=False,
        name=application_name,
        kwargs={"application_name": application_name, "connect_timeout": _CONNECT_TIMEOUT, **_KEEPALIVE},
        configure=partial(configure, generic_plans=generic_plans),
        check=_check,
    )
    async with pool:
        yield pool


@contextlib.asynccontextmanager
async def single_statements(connection: psycopg.AsyncConnection) -> AsyncIterator[psycopg.AsyncConnection]:
    """Make each statement of the block a transaction of its own, of a connection that is in none.

    That saves the round trips of BEGIN and COMMIT, and locks are held only for as long as the database needs. A process
    under test keeps them apart: it is made to fail between a statement and its commit.
    """
    if isinstance(connection, FaultyCommits):
        yield connection
        return
    await connection.set_autocommit(True)
    try:
        yield connection
    except BaseException:
        await connection.close()  # nobody may get it with this mode, and it may be unable to leave it
        raise
    await connection.set_autocommit(False)


@contextlib.asynccontextmanager
async def one_round_trip(connection: psycopg.AsyncConnection) -> AsyncIterator[None]:
    """Send the statements of the block together, and a BEGIN or COMMIT with them; their rows can be read after it.

    The server goes from one to the next without waiting for us. A process under test keeps them apart: it is made to
    fail between them.
    """
    if isinstance(connection, FaultyCommits):
        yield
        return
    async with connection.pipeline():
        yield


async def _check(connection: psycopg.AsyncConnection) -> None:
    """See that a connection that is about to be lent has not been closed by the server.

    Nobody owes us anything on an idle connection: what can be read is its end, or news that only a question tells from
    one. That nothing can be read costs no round trip, which would be a fifth of the time of a short transaction.
    """
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if idle.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def listen(conninfo: str, channels: Sequence[str]) -> AsyncGenerator[Notification | Reconnected]:
    """Yield the notifications of the channels for ever, in order, over a connection of its own.

    `Reconnected` comes first, and again after each loss of the connection, which is made anew with growing waits of
    up to five seconds. Close the iterator (`contextlib.aclosing`) to give the connection back.
    """
    first, backoff = True, _FIRST_BACKOFF
    while True:
        try:
            async with await _listening_connection(conninfo, channels) as connection:
                yield Reconnected(first=first)
                first, backoff = False, _FIRST_BACKOFF
                async for notification in _notifications(connection):
                    yield notification
        except psycopg.OperationalError as error:
            logger.warning("The connection for notifications was lost; trying again in %.1f s: %s", backoff, error)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF)


async def _listening_connection(conninfo: str, channels: Sequence[str]) -> psycopg.AsyncConnection:
    connection = await psycopg.AsyncConnection.connect(
        conninfo,
        autocommit=True,
        application_name="varloom listen",
        connect_timeout=_CONNECT_TIMEOUT,
        **_KEEPALIVE,
    )
    try:
        await _set(connection, _SERVER_KEEPALIVE)
        for channel in channels:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    except BaseException:
        await connection.close()
        raise
    return connection


async def _notifications(connection: psycopg.AsyncConnection) -> AsyncIterator[Notification]:
    """The notifications of one connection; a ping between them finds out when nobody is there any more."""
    while True:
        async for notify in connection.notifies(timeout=_PING_INTERVAL):
            yield Notification(notify.channel, notify.payload)
        await connection.execute("SELECT 1")


async def configure(connection: psycopg.AsyncConnection, *, generic_plans: bool = False) -> None:
    """Set what holds for every connection of a pool: time zone, time limits, and how soon a lost client is noticed."""
    await _set(
        connection,
        {
            "TimeZone": "UTC",
            "statement_timeout": _STATEMENT_TIMEOUT,
            "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_TIMEOUT,
            "synchronous_commit": "on",
            "plan_cache_mode": "force_generic_plan" if generic_plans else "auto",
            **_SERVER_KEEPALIVE,
        },
    )
    await connection.commit()


async def _set(connection: psycopg.AsyncConnection, values: dict[str, str]) -> None:
    """Set parameters of the session."""
    await connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS given (name, value)",
        [list(values), list(values.values())],
    )
