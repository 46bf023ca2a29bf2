"""The jobs as an event stream of HTML: each message is an entry, rendered by the same template as on the pages."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import APIRouter
from sse_starlette import EventSourceResponse, ServerSentEvent

from varloom.services.events import SNAPSHOT_NEWEST, Message
from varloom.services.views import JobView, PlacesView
from varloom.web.dependencies import CurrentIdentity, CurrentServices
from varloom.web.pages.job_entries import job_entry
from varloom.web.pages.rendering import render
from varloom.web.streams import HEARTBEAT, CurrentStreams, account_messages, encoded, event_stream

_FINAL = frozenset({"completed", "failed", "cancelled"})

router = APIRouter(include_in_schema=False)


@router.get("/jobs/stream")
async def stream_entries(
    services: CurrentServices, streams: CurrentStreams, identity: CurrentIdentity
) -> EventSourceResponse:
    """Messages `snapshot` (the newest entries), `job` (an entry), `gone` (a job's id), `active` (a count), `heartbeat`.

    A heartbeat is a message and not a comment, because a page cannot see comments: it says that it reconnects when
    the signs of life stay away.
    """
    chunks = _chunks(account_messages(services, streams, identity))
    return event_stream(chunks, ServerSentEvent("1", event="heartbeat"), HEARTBEAT)


async def _chunks(messages: AsyncIterator[list[Message]]) -> AsyncIterator[bytes]:
    panel = LivePanel()
    async for together in messages:
        events = [_encoded(message, *event) for message in together for event in panel.take(message)]
        if events:
            yield b"".join(events)


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
    """

    snapshot: list[JobView] | None = field(default_factory=list)
    active: dict[UUID, JobView] = field(default_factory=dict)

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
        before = len(self.active)
        self._remember(job)
        yield ("gone", str(job.id)) if job.dismissed else ("job", _entry(job, message))
        if len(self.active) != before:
            yield "active", str(len(self.active))

    def _queue(self, message: Message) -> Iterator[tuple[str, str]]:
        """The places in the queue moved: entries whose place is another now, or that are held up, or no longer so."""
        places = _places_of(message)
        for job in [job for job in self.active.values() if job.state == "queued"]:
            now = {"queue_position": places.positions.get(job.id), "held_up": places.held_up.get(job.id)}
            if now != {"queue_position": job.queue_position, "held_up": job.held_up}:
                yield from self._job(job.model_copy(update=now), message)

    def _complete(self, message: Message) -> Iterator[tuple[str, str]]:
        newest_first = (self.snapshot or [])[::-1]
        self.snapshot = None
        for job in newest_first:
            self._remember(job)
        if "snapshot" not in message.rendered:
            message.rendered["snapshot"] = render_snapshot(newest_first)
        yield "snapshot", message.rendered["snapshot"]
        yield "active", str(len(self.active))

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
    entries = [job_entry(job) for job in jobs]
    floor = entries[SNAPSHOT_NEWEST - 1].created_key if len(entries) >= SNAPSHOT_NEWEST else ""
    return render("parts/job_entries.html", jobs=entries, floor=floor, next=None)
