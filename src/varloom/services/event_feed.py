"""What one account's panels are sent: read once from the database, fanned out to all of them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import psycopg

from varloom.db.pool import single_statements
from varloom.jobs import line, repository
from varloom.services.views import job_view, place_view

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Job, Place
    from varloom.services.stage_durations import Durations, StageDurations

logger = logging.getLogger(__name__)

PAGE = 500
"""Events that are read at once."""
QUEUE_LIMIT = 1000
"""Messages that a subscriber may lag behind before it is cut off; it resumes by its last event id."""
REST = 0.05
"""Wait after messages were sent, in seconds: what comes meanwhile is read together and sent to a panel in one piece."""
POSITIONS_INTERVAL = 1.0
"""Queue positions are sent at most this often, in seconds."""
PLACES_LIMIT = 1000
"""Of so many waiting jobs, the newest, it is told that they are held up."""
SNAPSHOT_AGE = 1.0
"""A snapshot serves all panels that open within so many seconds, unless a newer event has come."""
LOOK_INTERVAL = 15.0
"""A feed looks for events at least this often, in seconds, should a notification ever be lost."""
READ_AGAIN_DELAY = 1.0
"""Wait after the database could not be read, in seconds."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for a panel.

    Attributes:
        kind: `job` (a JOB), `queue` (the places of waiting jobs) or `snapshot` (the snapshot is complete).
        data: JSON.
        id: the number of the event; None for what is not history: progress, positions.
        position: the number of the last event that had been sent when this was made.
        rendered: what the web has made of it, so that it is made once for all panels.
    """

    kind: Literal["job", "queue", "snapshot"]
    data: str
    id: int | None = None
    position: int = 0
    rendered: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(eq=False, slots=True)
class Subscription:
    """What waits to be sent to one panel."""

    waiting: list[Message] = field(default_factory=list)
    ended: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, messages: Sequence[Message]) -> None:
        """Add messages; a subscriber that lags too far is cut, and what it did not get is dropped."""
        if len(self.waiting) + len(messages) > QUEUE_LIMIT:
            self.end()
        elif not self.ended:
            self.waiting.extend(messages)
            self._news.set()

    def end(self) -> None:
        """End the stream: it resumes elsewhere, by its last event id."""
        self.waiting.clear()
        self.ended = True
        self._news.set()

    def beat(self) -> None:
        """Let the stream give a sign of life."""
        self._news.set()

    async def take(self) -> list[Message] | None:
        """All that waits, as soon as there is something; empty after a `beat`, None at the end."""
        await self._news.wait()
        if self.ended:
            return None
        taken, self.waiting = self.waiting, []
        self._news.clear()
        return taken


class Snapshots:
    """An account's latest snapshot, for panels that open at nearly the same time, as all do after a restart."""

    def __init__(self) -> None:
        self._latest: list[Message] = []
        self._made_at = float("-inf")
        self._making = asyncio.Lock()

    async def get(self, newest: int, make: Callable[[], Awaitable[list[Message]]]) -> list[Message]:
        """One that holds the event `newest` and is hardly older than the question."""
        async with self._making:
            now = asyncio.get_running_loop().time()
            if now - self._made_at > SNAPSHOT_AGE or self._latest[-1].position < newest:
                self._latest = await make()
                self._made_at = now
            return self._latest


class AccountFeed:
    """The live events of one account, read once for all its panels."""

    def __init__(self, pool: AsyncConnectionPool, account_id: UUID, durations: StageDurations) -> None:
        self._pool = pool
        self._durations = durations
        self._account_id = account_id
        self._position = 0
        self._positions: dict[UUID, Place] | None = None
        self._positions_at = float("-inf")
        self._positions_stale = True
        self._progressed: set[UUID] = set()
        self._outbox: list[Message] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self.subscriptions: set[Subscription] = set()
        self.snapshots = Snapshots()

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

    def subscribe(self, subscription: Subscription) -> None:
        """Send it all that comes from now on."""
        self.subscriptions.add(subscription)
        self._positions = None  # the newcomer has not seen what the others were told last
        self.event_came()

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_INTERVAL)
            except TimeoutError:
                self._positions_stale = True  # retries become due, and workers come and go, without an event
            self._wake.clear()
            if self._stopped:
                return
            try:
                await self.step()
                await asyncio.sleep(REST)
            except (psycopg.Error, OSError):
                logger.warning("The events of an account could not be read; trying again.", exc_info=True)
                await asyncio.sleep(READ_AGAIN_DELAY)
                self._wake.set()

    async def step(self) -> None:
        """Read and send what is new: events, then progress, then positions."""
        try:
            async with self._pool.connection() as conn, single_statements(conn):
                await self._send_events(conn)
                await self._send_progress(conn)
                await self._send_positions(conn)
        finally:  # what was read counts as sent
            self._deliver()

    async def _send_events(self, conn: AsyncConnection[Any]) -> None:
        while events := await repository.events_after(conn, self._account_id, self._position, PAGE):
            if len(events) == PAGE and await self._gives_up(conn):
                return
            positions = await line.places_of(conn, self._account_id, [event.job for event in events])
            durations = await self._durations.of(conn, self._account_id)
            for event in events:
                self._position = event.id
                self._send(job_message(event.job, positions, event.id, event.id, durations))

    async def _gives_up(self, conn: AsyncConnection[Any]) -> bool:
        """Whether more has come at once than a panel may lag behind, as with a manifest of thousands of lines.

        Every panel begins anew then, most with a snapshot of what it shows; nothing is rendered that none would get.
        """
        newest = await repository.last_event_id(conn, self._account_id)
        if newest - self._position <= QUEUE_LIMIT:
            return False
        self._position = newest
        for subscription in self.subscriptions:
            subscription.end()
        return True

    async def _send_progress(self, conn: AsyncConnection[Any]) -> None:
        progressed, self._progressed = self._progressed, set()
        position = self._position
        for job_id in progressed:
            job = await repository.find_job(conn, self._account_id, job_id)
            if job is not None and job.attempt_token is not None:
                durations = await self._durations.of(conn, self._account_id)
                self._send(job_message(job, {}, None, position, durations))

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
        positions = await line.places_of_all(conn, self._account_id, PLACES_LIMIT)
        if positions != self._positions:
            self._positions = positions
            self._send(queue_message(positions, self._position))

    def _send(self, message: Message) -> None:
        self._outbox.append(message)
        if len(self._outbox) >= PAGE:
            self._deliver()

    def _deliver(self) -> None:
        """Give each panel what was read, in one piece."""
        messages, self._outbox = self._outbox, []
        if messages:
            for subscription in self.subscriptions:
                subscription.put(messages)


def job_message(
    job: Job, positions: dict[UUID, Place], event_id: int | None, position: int, durations: Durations | None = None
) -> Message:
    """A job for the panels; see `Message` for what the numbers mean."""
    return Message("job", job_view(job, positions.get(job.id), durations).model_dump_json(), event_id, position)


def queue_message(positions: dict[UUID, Place], position: int) -> Message:
    """The places in the queue for the panels."""
    return Message("queue", place_view(positions).model_dump_json(), None, position)
