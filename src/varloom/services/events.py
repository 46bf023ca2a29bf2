"""Live events: one LISTEN connection for the whole process, fanned out to every open panel.

The database numbers an account's events without gaps in the order of their commits, so a notification is only a
wake-up: what is sent is always read from `job_events` by number. A lost notification costs time, never an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import psycopg
from psycopg import IsolationLevel

from varloom.db.pool import Notification, Reconnected, listen
from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.jobs.lifecycle import ACTIVE, State
from varloom.services.problems import EVENTS_UNAVAILABLE
from varloom.services.views import job_view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Job


logger = logging.getLogger(__name__)

CHANNELS = ("varloom_events", "varloom_progress")
SNAPSHOT_NEWEST = 100
"""How many of the newest jobs a snapshot shows, beside all active ones."""
SNAPSHOT_ACTIVE = 500
PAGE = 500
QUEUE_LIMIT = 1000
"""Messages that a subscriber may lag behind before it is cut off; it resumes by its last event id."""
POSITIONS_INTERVAL = 1.0
"""Queue positions are sent at most this often, in seconds."""
LOOK_INTERVAL = 15.0
"""A feed looks for events at least this often, in seconds, should a notification ever be lost."""
READ_AGAIN_DELAY = 1.0
"""Wait after the database could not be read, in seconds."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for a panel.

    Attributes:
        kind: `job` (a JOB), `queue` (`{"positions": {job id: jobs ahead}}`) or `snapshot` (the snapshot is complete).
        data: JSON.
        id: the number of the event; None for what is not history: progress, positions.
        position: the number of the last event that had been sent when this was made.
    """

    kind: Literal["job", "queue", "snapshot"]
    data: str
    id: int | None = None
    position: int = 0


@dataclass(eq=False, slots=True)
class _Subscription:
    """What waits to be sent to one panel; None marks the end."""

    waiting: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_LIMIT + 1))

    def put(self, message: Message) -> None:
        """Add a message; a subscriber that lags too far is cut, and what it did not get is dropped."""
        if self.waiting.qsize() >= QUEUE_LIMIT:
            self.end()
        else:
            self.waiting.put_nowait(message)

    def end(self) -> None:
        """End the stream: it resumes elsewhere, by its last event id."""
        while not self.waiting.empty():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


class _Feed:
    """The live events of one account, read once for all its panels."""

    def __init__(self, pool: AsyncConnectionPool, account_id: UUID) -> None:
        self._pool = pool
        self._account_id = account_id
        self._position = 0
        self._positions: dict[UUID, int] | None = None
        self._positions_at = float("-inf")
        self._positions_stale = True
        self._progressed: set[UUID] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self.subscriptions: set[_Subscription] = set()

    async def start(self) -> None:
        """Begin with the events that come after now."""
        async with self._pool.connection() as conn:
            self._position = await repository.last_event_id(conn, self._account_id)
        self._task = asyncio.create_task(self._run(), name=f"events of {self._account_id}")

    def stop(self) -> None:
        """Stop after what is being read now; open streams end."""
        self._stopped = True
        self._wake.set()
        for subscription in self.subscriptions:
            subscription.end()

    async def stopped(self) -> None:
        """Wait until nothing is read any more."""
        if self._task is not None:
            await self._task

    def event_came(self) -> None:
        """An event of this account was committed, or may have been."""
        self._positions_stale = True
        self._wake.set()

    def queue_moved(self) -> None:
        """An event of another account may have moved this account's jobs in the queue."""
        if self._positions:
            self.event_came()

    def progress_came(self, job_id: UUID) -> None:
        """A running job of this account wrote its progress."""
        self._progressed.add(job_id)
        self._wake.set()

    def subscribe(self, subscription: _Subscription) -> None:
        """Send it all that comes from now on."""
        self.subscriptions.add(subscription)
        self._positions = None  # the newcomer has not seen what the others were told last
        self.event_came()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_INTERVAL)
            self._wake.clear()
            if self._stopped:
                return
            try:
                await self.step()
            except (psycopg.Error, OSError):
                logger.warning("The events of an account could not be read; trying again.", exc_info=True)
                await asyncio.sleep(READ_AGAIN_DELAY)
                self._wake.set()

    async def step(self) -> None:
        """Read and send what is new: events, then progress, then positions."""
        async with self._pool.connection() as conn:
            await self._send_events(conn)
            await self._send_progress(conn)
            await self._send_positions(conn)

    async def _send_events(self, conn: AsyncConnection[Any]) -> None:
        while events := await repository.events_after(conn, self._account_id, self._position, PAGE):
            positions = await _positions(conn, self._account_id, [event.job for event in events])
            for event in events:
                self._position = event.id
                self._send(_job_message(event.job, positions, event.id, event.id))

    async def _send_progress(self, conn: AsyncConnection[Any]) -> None:
        progressed, self._progressed = self._progressed, set()
        position = self._position
        for job_id in progressed:
            job = await repository.find_job(conn, self._account_id, job_id)
            if job is not None and job.attempt_token is not None:
                self._send(_job_message(job, {}, None, position))

    async def _send_positions(self, conn: AsyncConnection[Any]) -> None:
        loop = asyncio.get_running_loop()
        wait = self._positions_at + POSITIONS_INTERVAL - loop.time()
        if not self._positions_stale:
            return
        if wait > 0:
            loop.call_later(wait, self._wake.set)
            return
        self._positions_stale = False
        self._positions_at = loop.time()
        positions = await repository.queue_positions(conn, self._account_id)
        if positions != self._positions:
            self._positions = positions
            self._send(_queue_message(positions, self._position))

    def _send(self, message: Message) -> None:
        for subscription in self.subscriptions:
            subscription.put(message)


class Events:
    """The account's live events.

    Attributes:
        pool: connections for reading; each is held only while something is read.
    """

    def __init__(self, pool: AsyncConnectionPool, conninfo: str) -> None:
        self.pool = pool
        self._conninfo = conninfo
        self._feeds: dict[UUID, _Feed] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    async def run(self) -> None:
        """Listen until cancelled, through restarts of the database."""
        async with contextlib.aclosing(listen(self._conninfo, CHANNELS)) as notifications:
            async for news in notifications:
                match news:
                    case Notification():
                        self._notified(news.channel, news.payload)
                    case Reconnected():
                        for feed in self._feeds.values():
                            feed.event_came()  # what was notified while nobody listened

    async def close(self) -> None:
        """End all open streams and take no new ones."""
        self._closed = True
        feeds, self._feeds = list(self._feeds.values()), {}
        for feed in feeds:
            feed.stop()
        for feed in feeds:
            await feed.stopped()

    def require_open(self) -> None:
        """See that streams can be opened.

        Raises:
            VarloomError: `events_unavailable` when the server is stopping.
        """
        if self._closed:
            raise VarloomError(EVENTS_UNAVAILABLE, "The server is stopping.")

    async def subscribe(self, account_id: UUID, last_event_id: int | None = None) -> AsyncGenerator[Message]:
        """The account's messages, without end: first a snapshot, or the events missed since `last_event_id`.

        The iterator ends when the server stops or when the caller lags too far behind; it can be resumed by the id of
        the last message that had one.
        """
        subscription = _Subscription()
        feed = await self._join(account_id, subscription)
        if feed is None:
            return
        try:
            position = last_event_id or 0
            async for message in self._beginning(account_id, last_event_id):
                position = message.position
                yield message
            while (live := await subscription.waiting.get()) is not None:
                if live.position > position or (live.id is None and live.position == position):
                    yield live
        finally:
            self._leave(account_id, feed, subscription)

    def _notified(self, channel: str, payload: str) -> None:
        news = json.loads(payload)
        own = self._feeds.get(UUID(news["account"]))
        if channel == "varloom_progress":
            if own is not None:
                own.progress_came(UUID(news["job"]))
            return
        for feed in self._feeds.values():
            if feed is own:
                feed.event_came()
            else:
                feed.queue_moved()

    async def _join(self, account_id: UUID, subscription: _Subscription) -> _Feed | None:
        """The account's feed, opened for the first of its panels; None when the server is stopping."""
        async with self._opening:
            if self._closed:
                return None
            feed = self._feeds.get(account_id)
            if feed is None:
                feed = _Feed(self.pool, account_id)
                await feed.start()
                self._feeds[account_id] = feed
            feed.subscribe(subscription)
            return feed

    def _leave(self, account_id: UUID, feed: _Feed, subscription: _Subscription) -> None:
        feed.subscriptions.discard(subscription)
        if not feed.subscriptions and self._feeds.get(account_id) is feed:
            del self._feeds[account_id]
            feed.stop()

    async def _beginning(self, account_id: UUID, last_event_id: int | None) -> AsyncIterator[Message]:
        async with self.pool.connection() as conn:
            newest = await repository.last_event_id(conn, account_id)
        if last_event_id is None or not 0 <= last_event_id <= newest:
            for message in await self._snapshot(account_id):
                yield message
        else:
            async for message in self._missed(account_id, last_event_id):
                yield message

    async def _missed(self, account_id: UUID, last_event_id: int) -> AsyncIterator[Message]:
        """The events after one, page by page; no connection is held while a page is sent."""
        position = last_event_id
        while True:
            async with self.pool.connection() as conn:
                events = await repository.events_after(conn, account_id, position, PAGE)
                positions = await _positions(conn, account_id, [event.job for event in events])
            for event in events:
                position = event.id
                yield _job_message(event.job, positions, event.id, event.id)
            if len(events) < PAGE:
                return

    async def _snapshot(self, account_id: UUID) -> list[Message]:
        """All active and the newest jobs, oldest first, and the number of the last event that they contain.

        Only the end of the snapshot carries that number: whoever is cut off before it begins anew.
        """
        async with self.pool.connection() as conn:
            await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            try:
                async with conn.transaction():
                    newest = await repository.last_event_id(conn, account_id)
                    jobs = await _shown_jobs(conn, account_id)
                    positions = await _positions(conn, account_id, jobs)
            finally:
                await conn.set_isolation_level(None)
        messages = [_job_message(job, positions, None, newest) for job in jobs[:-1]]
        messages += [_job_message(job, positions, newest, newest) for job in jobs[-1:]]
        end = json.dumps({"jobs": len(jobs), "active": sum(job.is_active for job in jobs)})
        return [*messages, Message("snapshot", end, newest, newest)]


async def _shown_jobs(conn: AsyncConnection[Any], account_id: UUID) -> list[Job]:
    newest = await repository.list_jobs(conn, account_id, limit=SNAPSHOT_NEWEST)
    active = await repository.list_jobs(conn, account_id, states=sorted(ACTIVE, key=str), limit=SNAPSHOT_ACTIVE)
    shown = {job.id: job for job in (*newest, *active)}
    return sorted(shown.values(), key=lambda job: (job.created_at, job.id))


async def _positions(conn: AsyncConnection[Any], account_id: UUID, jobs: Iterable[Job]) -> dict[UUID, int]:
    if not any(job.state is State.QUEUED for job in jobs):
        return {}
    return await repository.queue_positions(conn, account_id)


def _job_message(job: Job, positions: dict[UUID, int], event_id: int | None, position: int) -> Message:
    return Message("job", job_view(job, positions.get(job.id)).model_dump_json(), event_id, position)


def _queue_message(positions: dict[UUID, int], position: int) -> Message:
    ahead = {str(job_id): count for job_id, count in positions.items()}
    return Message("queue", json.dumps({"positions": ahead}), None, position)
