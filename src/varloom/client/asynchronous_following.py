"""Jobs until they end: by the live events, or by asking again and again; through broken connections and restarts."""
# written by hand

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from varloom.client import async_io, models
from varloom.client.decoding import decoded
from varloom.client.events import EventReader
from varloom.client.problems import SERVER_UNREACHABLE
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from varloom.client.asynchronous_transport import Transport

FINAL = frozenset({"completed", "failed", "cancelled"})
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
LOOKED_AT_ONCE = 100
"""Jobs of one request: their ids stand in its URL."""

_PASSING = frozenset({SERVER_UNREACHABLE.code, "events_unavailable", "internal_error"})


class Following:
    """Follows jobs; use it once.

    Args:
        transport: where the jobs are.
        job_ids: theirs.
        patience: seconds for which the server may stay away.
    """

    def __init__(self, transport: Transport, job_ids: Sequence[str], patience: float) -> None:
        self._transport = transport
        self._patience = patience
        self._pending = dict.fromkeys(job_ids)
        self._last_seen: dict[str, Any] = {}
        self._last_id: str | None = None
        self._has_answered = False
        self._away_since: float | None = None

    async def asking(self, pause: float, *, every_look: bool) -> AsyncIterator[models.Job]:
        """The jobs at first and at each change, looked at every so many seconds.

        Args:
            pause: the seconds.
            every_look: tell the jobs at each look, changed or not.
        """
        while self._pending:
            try:
                for job in await self._look():
                    if self._is_news(job) or every_look:
                        yield decoded(models.Job, job)
            except VarloomError as error:
                self._bear(error)
            if self._pending:
                await async_io.sleep(pause)

    async def listening(self) -> AsyncIterator[models.Job]:
        """The jobs at first and at each change, as the live events tell."""
        pause = FIRST_PAUSE
        while self._pending:
            try:
                async with contextlib.aclosing(self._connection()) as told:
                    async for job in told:
                        pause = FIRST_PAUSE
                        if self._is_news(job):
                            yield decoded(models.Job, job)
                        if not self._pending:
                            return
            except VarloomError as error:
                self._bear(error)
            await async_io.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _connection(self) -> AsyncGenerator[dict[str, Any]]:
        """The jobs as they are, and then what one connection tells of."""
        for job in await self._look():
            yield job
        async with contextlib.aclosing(self._changes()) as changes:
            async for job in changes:
                yield job

    async def _changes(self) -> AsyncGenerator[dict[str, Any]]:
        """The jobs that one connection tells of."""
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        reader = EventReader()
        async with self._transport.stream("/events", headers=headers) as response:
            async for line in response.aiter_lines():
                event = reader.take(line)
                if event is None:
                    continue
                self._last_id = event.id or self._last_id
                if event.name == "job":
                    yield json.loads(event.data)
                elif event.name == "snapshot":  # a job that ended long ago is not part of it
                    for job in await self._look():
                        yield job

    async def _look(self) -> list[dict[str, Any]]:
        """All jobs that are waited for, as they are now: many at once, and by itself whatever lists leave out."""
        found: list[dict[str, Any]] = []
        pending = list(self._pending)
        for portion in _portions(pending):
            parameters = {"id": portion, "limit": len(portion)}
            listed = (await self._transport.get("/jobs", parameters))["jobs"] if len(portion) > 1 else []
            missing = set(portion) - {job["id"] for job in listed}  # dismissed, or not there
            found += listed
            for job_id in missing:
                found.append(await self._transport.get(f"/jobs/{job_id}"))
        self._has_answered, self._away_since = True, None
        return found

    def _is_news(self, job: dict[str, Any]) -> bool:
        """Note a job; whether it is one of those that are waited for, and changed."""
        job_id = job["id"]
        if job_id not in self._pending:
            return False
        if job["state"] in FINAL:
            del self._pending[job_id]
        if self._last_seen.get(job_id) == job:
            return False
        self._last_seen[job_id] = job
        return True

    def _bear(self, error: VarloomError) -> None:
        """Raise an error that no waiting mends, that was there from the start, or that has been waited for enough."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        if not self._has_answered or error.code not in _PASSING or now - self._away_since > self._patience:
            raise error


def _portions(job_ids: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(job_ids), LOOKED_AT_ONCE):
        yield job_ids[at : at + LOOKED_AT_ONCE]
