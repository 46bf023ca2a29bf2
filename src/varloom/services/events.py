"""Live events: one LISTEN connection for the whole process, fanned out to every open panel.

The database numbers an account's events without gaps in the order of their commits, so a notification is only a
wake-up: what is sent is always read from `job_events` by number. A lost notification costs time, never an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import IsolationLevel

from varloom.db.pool import Notification, Reconnected, listen
from varloom.errors import VarloomError
from varloom.jobs import line, repository
from varloom.services.event_feed import PAGE, AccountFeed, Message, Subscription, job_message
from varloom.services.problems import EVENTS_UNAVAILABLE
from varloom.services.stage_durations import StageDurations

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Job

__all__ = ["SNAPSHOT_NEWEST", "Events", "Message", "Subscription"]

CHANNELS = ("varloom_events", "varloom_progress")
SNAPSHOT_NEWEST = 100
"""How many of the newest jobs a snapshot shows, beside all active ones."""
SNAPSHOT_ACTIVE = 500


class Events:
    """The account's live events.

    Attributes:
        pool: connections for reading; each is held only while something is read.
        durations: what stages took before.
    """

    def __init__(self, pool: AsyncConnectionPool, conninfo: str, durations: StageDurations | None = None) -> None:
        self.pool = pool
        self.durations = durations or StageDurations()
        self._conninfo = conninfo
        self._feeds: dict[UUID, AccountFeed] = {}
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

    async def subscribe(
        self, account_id: UUID, last_event_id: int | None = None, subscription: Subscription | None = None
    ) -> AsyncGenerator[list[Message]]:
        """The account's messages, without end: first a snapshot, or the events missed since `last_event_id`.

        What comes at the same time comes in one list; an empty one is a sign of life (`Subscription.beat`). The
        iterator ends when the server stops, when the caller lags too far behind, or when `subscription` is ended; it
        can be resumed by the id of the last message that had one.
        """
        subscription = subscription or Subscription()
        feed = await self._join(account_id, subscription)
        if feed is None:
            return
        try:
            position = last_event_id or 0
            async for messages in self._beginning(account_id, feed, last_event_id):
                position = messages[-1].position
                yield messages
            while (live := await subscription.take()) is not None:
                news = [
                    message
                    for message in live
                    if message.position > position or (message.id is None and message.position == position)
                ]
                if news or not live:
                    yield news
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

    async def _join(self, account_id: UUID, subscription: Subscription) -> AccountFeed | None:
        """The account's feed, opened for the first of its panels; None when the server is stopping."""
        async with self._opening:
            if self._closed:
                return None
            feed = self._feeds.get(account_id)
            if feed is None:
                feed = AccountFeed(self.pool, account_id, self.durations)
                await feed.start()
                self._feeds[account_id] = feed
            feed.subscribe(subscription)
            return feed

    def _leave(self, account_id: UUID, feed: AccountFeed, subscription: Subscription) -> None:
        feed.subscriptions.discard(subscription)
        if not feed.subscriptions and self._feeds.get(account_id) is feed:
            del self._feeds[account_id]
            feed.stop()

    async def _beginning(
        self, account_id: UUID, feed: AccountFeed, last_event_id: int | None
    ) -> AsyncIterator[list[Message]]:
        async with self.pool.connection() as conn:
            newest = await repository.last_event_id(conn, account_id)
        if last_event_id is None or not 0 <= last_event_id <= newest:
            yield await feed.snapshots.get(newest, partial(self._snapshot, account_id))
        else:
            async for messages in self._missed(account_id, last_event_id):
                yield messages

    async def _missed(self, account_id: UUID, last_event_id: int) -> AsyncIterator[list[Message]]:
        """The events after one, page by page; no connection is held while a page is sent."""
        position = last_event_id
        while True:
            async with self.pool.connection() as conn:
                events = await repository.events_after(conn, account_id, position, PAGE)
                positions = await line.places_of(conn, account_id, [event.job for event in events])
                durations = await self.durations.of(conn, account_id)
            if events:
                position = events[-1].id
                yield [job_message(event.job, positions, event.id, event.id, durations) for event in events]
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
                    active = await repository.count_active(conn, account_id)
                    positions = await line.places_of(conn, account_id, jobs)
                    durations = await self.durations.of(conn, account_id)
            finally:
                await conn.set_isolation_level(None)
        messages = [job_message(job, positions, None, newest, durations) for job in jobs[:-1]]
        messages += [job_message(job, positions, newest, newest, durations) for job in jobs[-1:]]
        end = json.dumps({"jobs": len(jobs), "active": active})
        return [*messages, Message("snapshot", end, newest, newest)]


async def _shown_jobs(conn: AsyncConnection[Any], account_id: UUID) -> list[Job]:
    newest = await repository.list_jobs(conn, account_id, limit=SNAPSHOT_NEWEST)
    active = await repository.list_active(conn, account_id, SNAPSHOT_ACTIVE)
    shown = {job.id: job for job in (*newest, *active)}
    return sorted(shown.values(), key=lambda job: (job.created_at, job.id))
