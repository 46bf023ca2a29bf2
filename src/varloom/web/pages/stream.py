"""The jobs as an event stream of HTML: each message is an entry, rendered by the same template as on the pages."""

import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from varloom.services.events import SNAPSHOT_NEWEST, Message, Subscription
from varloom.services.views import JobView, PlacesView
from varloom.web.dependencies import CurrentIdentity, CurrentServices
from varloom.web.pages.job_entries import job_entry, waiting_text
from varloom.web.pages.rendering import render
from varloom.web.streams import CurrentStreams, EventStream, account_messages, encoded

SHOWN_ACTIVE = 50
"""Active jobs that a snapshot shows beside the newest jobs, although they are older: nobody scrolls past more."""

_FINAL = frozenset({"completed", "failed", "cancelled"})

HEARTBEAT = encoded("1", event="heartbeat")

router = APIRouter(include_in_schema=False)


@router.get("/jobs/stream")
async def stream_entries(services: CurrentServices, streams: CurrentStreams, identity: CurrentIdentity) -> EventStream:
    """What a page needs to stay true.

    Messages `snapshot` (the newest entries), `job` (an entry), `places` (JSON: by job, why it waits), `gone` (a job's
    id), `active` (a count) and `heartbeat`.

    A heartbeat is a message and not a comment, because a page cannot see comments: it says that it reconnects when
    the signs of life stay away.
    """
    subscription = Subscription()
    chunks = _chunks(account_messages(services, streams, identity, subscription))
    return EventStream(chunks, subscription.beat)


async def _chunks(messages: AsyncGenerator[list[Message]]) -> AsyncGenerator[bytes]:
    panel = LivePanel()
    async with contextlib.aclosing(messages):
        async for together in messages:
            events = [_encoded(message, *event) for message in together for event in panel.take(message)]
            if events or not together:
                yield b"".join(events) or HEARTBEAT


def _encoded(message: Message, name: str, data: str) -> bytes:
    """An event as it is sent, made once for all panels."""
    found: bytes | None = message.rendered.get((name, data))
    if found is None:
        found = message.rendered[name, data] = encoded(data, event=name)
    return found


@dataclass(slots=True)
class LivePanel:
    """What one open tab has been told, so that it is told what changes and nothing else.

    Attributes:
        snapshot: the jobs of the snapshot while it arrives, oldest first; None once it is complete.
        active: the jobs that wait or run, as they were last sent.
        others: how many wait or run beside them, which a snapshot does not show: all older than `oldest`.
        oldest: when the oldest active job of the snapshot was created.
    """

    snapshot: list[JobView] | None = field(default_factory=list)
    active: dict[UUID, JobView] = field(default_factory=dict)
    others: int = 0
    oldest: datetime | None = None

    def take(self, message: Message) -> Iterator[tuple[str, str]]:
        """The events (name, data) that a message of the service becomes."""
        match message.kind:
            case "job":
                yield from self._job(_job_of(message), message)
            case "queue":
                yield from self._queue(message)
            case "snapshot":
                yield from self._complete(message)

    def _job(self, job: JobView, message: Message) -> Iterator[tuple[str, str]]:
        if self.snapshot is not None:
            self.snapshot.append(job)
            return
        before = self._count()
        self._meet(job)
        self._remember(job)
        yield ("gone", str(job.id)) if job.dismissed else ("job", _entry(job, message))
        if self._count() != before:
            yield "active", str(self._count())

    def _queue(self, message: Message) -> Iterator[tuple[str, str]]:
        """The places in the queue moved: why those wait whose place is another now, or that are held up.

        That is one line of each entry. A long queue moves with every job that ends, and would be sent whole each time.
        """
        places = _places_of(message)
        moved: dict[str, str] = {}
        for job in [job for job in self.active.values() if job.state == "queued"]:
            now = {"queue_position": places.positions.get(job.id), "held_up": places.held_up.get(job.id)}
            if now != {"queue_position": job.queue_position, "held_up": job.held_up}:
                self.active[job.id] = job.model_copy(update=now)
                moved[str(job.id)] = waiting_text(self.active[job.id])
        if moved:
            yield "places", json.dumps(moved)

    def _complete(self, message: Message) -> Iterator[tuple[str, str]]:
        newest_first = (self.snapshot or [])[::-1]
        self.snapshot = None
        for job in newest_first:
            self._remember(job)
        self.others = max(0, json.loads(message.data).get("active", 0) - len(self.active))
        self.oldest = min((job.created_at for job in self.active.values()), default=None)
        if "snapshot" not in message.rendered:
            message.rendered["snapshot"] = render_snapshot(newest_first)
        yield "snapshot", message.rendered["snapshot"]
        yield "active", str(self._count())

    def _count(self) -> int:
        return len(self.active) + self.others

    def _meet(self, job: JobView) -> None:
        """A job that is older than all that the snapshot showed was one of the others."""
        is_other = self.oldest is not None and job.created_at < self.oldest and job.id not in self.active
        if is_other and self.others and not job.dismissed:
            self.others -= 1

    def _remember(self, job: JobView) -> None:
        if job.state in _FINAL:
            self.active.pop(job.id, None)
        else:
            self.active[job.id] = job


def _job_of(message: Message) -> JobView:
    """The message's job, read once for all panels."""
    found: JobView | None = message.rendered.get("job")
    if found is None:
        found = message.rendered["job"] = JobView.model_validate_json(message.data)
    return found


def _places_of(message: Message) -> PlacesView:
    """The message's places in the queue, read once for all panels."""
    found: PlacesView | None = message.rendered.get("places")
    if found is None:
        found = message.rendered["places"] = PlacesView.model_validate_json(message.data)
    return found


def _entry(job: JobView, message: Message) -> str:
    """A job's entry, rendered once for all panels that show it alike."""
    alike: list[tuple[JobView, str]] = message.rendered.setdefault(job.id, [])
    for shown, entry in alike:
        if shown == job:
            return entry
    entry = render_entry(job)
    alike.append((job, entry))
    return entry


def render_entry(job: JobView) -> str:
    """One entry as HTML."""
    return render("parts/job_entries.html", jobs=[job_entry(job)], floor="", next=None)


def render_snapshot(jobs: list[JobView]) -> str:
    """The newest entries as HTML. Older active jobs may be among them: complete is the list down to its `floor`."""
    newest, rest = jobs[:SNAPSHOT_NEWEST], jobs[SNAPSHOT_NEWEST:]
    older = [job for job in rest if job.state not in _FINAL]
    entries = [job_entry(job) for job in (*newest, *older[:SHOWN_ACTIVE])]
    floor = entries[SNAPSHOT_NEWEST - 1].created_key if len(entries) >= SNAPSHOT_NEWEST else ""
    return render("parts/job_entries.html", jobs=entries, floor=floor, next=None)
