"""Following jobs until they end, over the live events, through broken connections and restarts of the server."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server
from varloom.cli.problems import SERVER_UNKNOWN, SERVER_UNREACHABLE
from varloom.client.events import StreamEvent, parse_events
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Job = dict[str, Any]

FINAL = frozenset({"completed", "failed", "cancelled"})
GIVE_UP = 300.0
"""How long a server may stay away, in seconds."""
LONGEST_WAIT = 5.0
LOOKED_AT_ONCE = 100
"""Jobs of one request: their ids stand in its URL."""


def follow(
    server: Server, job_ids: Iterable[str], on_change: Callable[[Job], None], *, has_answered: bool = False
) -> dict[str, Job]:
    """Wait until all these jobs have ended, and tell each change; returns the ended jobs by id.

    Args:
        server: where the jobs are.
        job_ids: theirs.
        on_change: told the job, at first and at each change.
        has_answered: whether the server is known to be right, so that its absence must be passing from the start.

    Raises:
        VarloomError: `job_not_found`; `server_unreachable` when the server stays away for minutes, or was never there.
    """
    following = _Following(server, list(job_ids), on_change)
    try:
        following.run(has_answered=has_answered)
    finally:
        following.close()
    return following.ended


class _Following:
    def __init__(self, server: Server, job_ids: list[str], on_change: Callable[[Job], None]) -> None:
        self._first = self._server = server
        self._pending = dict.fromkeys(job_ids)
        self._on_change = on_change
        self._last_id: str | None = None
        self.ended: dict[str, Job] = {}

    def close(self) -> None:
        """Give back the connections to a server that was found anew; the first one is its owner's."""
        if self._server is not self._first:
            self._server.close()

    def run(self, *, has_answered: bool) -> None:
        """Follow, and connect again for as long as the server may come back."""
        away_since: float | None = None
        wait = 0.2
        must_look = has_answered  # within the loop, which waits for a server that is away
        if not has_answered:
            self._look()
        while self._pending:
            try:
                if must_look:
                    self._look()
                    must_look = False
                for event in self._events():
                    away_since, wait = None, 0.2
                    self._take(event)
                    if not self._pending:
                        return
            except VarloomError as error:
                if not self._may_pass(error):
                    raise
                away_since = away_since or time.monotonic()  # not since the last event: it may have been quiet
                if time.monotonic() - away_since > GIVE_UP:
                    raise
                if wait == 0.2:
                    click.echo("The connection was lost; the jobs go on. Connecting again ...", err=True)
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
            self._reconnect()

    def _events(self) -> Iterator[StreamEvent]:
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        with self._server.stream("/events", headers=headers) as response:
            yield from parse_events(response.iter_lines())

    def _take(self, event: StreamEvent) -> None:
        self._last_id = event.id or self._last_id
        if event.name == "job":
            self._see(json.loads(event.data))
        elif event.name == "snapshot":
            self._look()  # a job that ended long ago is not part of the snapshot

    def _look(self) -> None:
        """See all jobs that are waited for: many at once, and by itself whatever lists leave out."""
        pending = list(self._pending)
        for at in range(0, len(pending), LOOKED_AT_ONCE):
            job_ids = pending[at : at + LOOKED_AT_ONCE]
            listed = self._server.get("/jobs", id=job_ids, limit=len(job_ids))["jobs"] if len(job_ids) > 1 else []
            for job in listed:
                self._see(job)
            for job_id in set(job_ids) - {job["id"] for job in listed}:  # dismissed, or not there
                self._see(self._server.get(f"/jobs/{job_id}"))

    def _see(self, job: Job) -> None:
        if job["id"] not in self._pending:
            return
        if job["state"] in FINAL:
            self.ended[job["id"]] = job
            del self._pending[job["id"]]
        self._on_change(job)

    def _may_pass(self, error: VarloomError) -> bool:
        """Whether the server may come back; one that was started anew at the same address has another token."""
        if error.code == "not_authenticated":
            return self._server.find_again()
        return error.code in {SERVER_UNREACHABLE.code, "events_unavailable", "internal_error"}

    def _reconnect(self) -> None:
        """A server that was started anew has a new token, and perhaps a new address."""
        try:
            fresh = Server(self._server.choice)
        except VarloomError as error:
            if error.code != SERVER_UNKNOWN.code:
                raise
            return
        self.close()
        self._server = fresh
