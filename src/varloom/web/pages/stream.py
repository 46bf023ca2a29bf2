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
from varloom.web.streams import HEARTBEAT, STREAM_HEADERS, account_messages

_FINAL = frozenset({"completed", "failed", "cancelled"})

router = APIRouter(include_in_schema=False)


@router.get("/jobs/stream")
async def stream_entries(services: CurrentServices, identity: CurrentIdentity) -> EventSourceResponse:
    """Messages `snapshot` (the newest entries), `job` (an entry), `gone` (a job's id), `active` (a count), `heartbeat`.

    A heartbeat is a message and not a comment, because a page cannot see comments: it says that it reconnects when
    the signs of life stay away.
    """
    return EventSourceResponse(
        _events(account_messages(services, identity)),
        ping=HEARTBEAT,
        ping_message_factory=lambda: ServerSentEvent("1", event="heartbeat"),
        headers=STREAM_HEADERS,
    )


async def _events(messages: AsyncIterator[Message]) -> AsyncIterator[ServerSentEvent]:
    panel = LivePanel()
    async for message in messages:
        for event, data in panel.take(message):
            yield ServerSentEvent(data, event=event)


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
                yield from self._job(JobView.model_validate_json(message.data))
            case "queue":
                yield from self._queue(message.data)
            case "snapshot":
                yield from self._complete()

    def _job(self, job: JobView) -> Iterator[tuple[str, str]]:
        if self.snapshot is not None:
            self.snapshot.append(job)
            return
        before = len(self.active)
        self._remember(job)
        yield ("gone", str(job.id)) if job.dismissed else ("job", render_entry(job))
        if len(self.active) != before:
            yield "active", str(len(self.active))

    def _queue(self, data: str) -> Iterator[tuple[str, str]]:
        """The places in the queue moved: entries whose place is another now, or that are held up, or no longer so."""
        places = PlacesView.model_validate_json(data)
        for job in [job for job in self.active.values() if job.state == "queued"]:
            now = {"queue_position": places.positions.get(job.id), "held_up": places.held_up.get(job.id)}
            if now != {"queue_position": job.queue_position, "held_up": job.held_up}:
                yield from self._job(job.model_copy(update=now))

    def _complete(self) -> Iterator[tuple[str, str]]:
        newest_first = (self.snapshot or [])[::-1]
        self.snapshot = None
        for job in newest_first:
            self._remember(job)
        yield "snapshot", render_snapshot(newest_first)
        yield "active", str(len(self.active))

    def _remember(self, job: JobView) -> None:
        if job.state in _FINAL:
            self.active.pop(job.id, None)
        else:
            self.active[job.id] = job


def render_entry(job: JobView) -> str:
    """One entry as HTML."""
    return render("parts/job_entries.html", jobs=[job_entry(job)], floor="", next=None)


def render_snapshot(jobs: list[JobView]) -> str:
    """The newest entries as HTML. Older active jobs may be among them: complete is the list down to its `floor`."""
    entries = [job_entry(job) for job in jobs]
    floor = entries[SNAPSHOT_NEWEST - 1].created_key if len(entries) >= SNAPSHOT_NEWEST else ""
    return render("parts/job_entries.html", jobs=entries, floor=floor, next=None)
