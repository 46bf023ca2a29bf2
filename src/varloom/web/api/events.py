"""GET /api/v1/events: the live events of the account as Server-Sent Events."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.sse import format_sse_event

from varloom.services.events import Message, Subscription
from varloom.web.dependencies import CurrentIdentity, CurrentServices
from varloom.web.streams import CurrentStreams, EventStream, account_messages, encoded

HEARTBEAT = format_sse_event(comment="heartbeat")

router = APIRouter(tags=["events"])

_DESCRIPTION = """
A stream of Server-Sent Events. It begins with a snapshot: a `job` event for each active and each of the newest jobs,
then one `snapshot` event (`{"jobs", "active"}`). After it come live events: `job` (data: JOB) with an `id` for each
entry of the jobs' history, in order and without gaps; `job` without an `id` for progress; and `queue` (`{"positions":
{job id: jobs ahead}, "held_up": {job id: {"cause", "message"}}}`) when places in the queue change. A request with
`Last-Event-ID` gets the events that it missed instead of a snapshot. A comment every 15 seconds keeps the connection
open. The stream ends when its token or session is revoked.
"""


@router.get(
    "/events",
    response_class=EventStream,
    description=_DESCRIPTION,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_events(
    services: CurrentServices,
    streams: CurrentStreams,
    identity: CurrentIdentity,
    last_event_id: Annotated[str | None, Header(description="the last `id` that was received")] = None,
) -> EventStream:
    """Stream the account's events."""
    services.events.require_open()
    subscription = Subscription()
    messages = account_messages(services, streams, identity, subscription, _event_number(last_event_id))
    return EventStream(_chunks(messages), subscription.beat)


async def _chunks(messages: AsyncGenerator[list[Message]]) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(messages):
        async for together in messages:
            yield b"".join(map(_encoded, together)) or HEARTBEAT


def _encoded(message: Message) -> bytes:
    """The message as an event, made once for all panels."""
    found: bytes | None = message.rendered.get("json")
    if found is None:
        found = encoded(message.data, event=message.kind, event_id=message.id)
        message.rendered["json"] = found
    return found


def _event_number(header: str | None) -> int | None:
    """The number in a Last-Event-ID header; one that we never gave out asks for a snapshot."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 18:
        return None
    return int(header)
