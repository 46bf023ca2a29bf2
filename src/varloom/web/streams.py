"""Event streams that end when their reader logs out or loses the token."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Annotated

import psycopg
from fastapi import Depends, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from varloom.services.accounts import Accounts
from varloom.services.container import Services
from varloom.services.events import Message, Subscription
from varloom.web.dependencies import Identity

logger = logging.getLogger(__name__)

HEARTBEAT = 15
"""Seconds between the signs of life that keep a stream open through proxies."""
CHECK_INTERVAL = 10.0
"""A revoked session or token ends its streams within so many seconds."""
SEND_TIMEOUT = 60
"""Seconds after which a stream is ended whose reader takes nothing in."""

STREAM_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}


class OpenStreams:
    """The streams of this process: their credentials are asked for again and again, those of all streams at once."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._credentials: dict[Subscription, str] = {}
        self._checking: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watched(self, subscription: Subscription, credential: str) -> Iterator[None]:
        """End the subscription when its credential no longer holds, for as long as the block lasts."""
        self._credentials[subscription] = credential
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_for_ever(), name="credentials of streams")
        try:
            yield
        finally:
            del self._credentials[subscription]

    async def aclose(self) -> None:
        """Ask for no credentials any more."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    async def _check_for_ever(self) -> None:
        while self._credentials:
            await asyncio.sleep(CHECK_INTERVAL)
            try:
                await self._check()
            except (psycopg.Error, OSError):
                logger.warning("The credentials of open streams cannot be checked while the database is away.")

    async def _check(self) -> None:
        holding = await self._accounts.still_holding(set(self._credentials.values()))
        for subscription, credential in self._credentials.items():
            if credential not in holding:
                subscription.end()


def _streams_of(request: Request) -> OpenStreams:
    """The open streams of this process."""
    streams: OpenStreams = request.app.state.streams
    return streams


CurrentStreams = Annotated[OpenStreams, Depends(_streams_of)]


async def account_messages(
    services: Services, streams: OpenStreams, identity: Identity, last_event_id: int | None = None
) -> AsyncGenerator[list[Message]]:
    """The messages of the reader's account (see `Events.subscribe`), for as long as the credential holds."""
    subscription = Subscription()
    messages = services.events.subscribe(identity.account.id, last_event_id, subscription)
    with streams.watched(subscription, identity.credential):
        async with contextlib.aclosing(messages):
            async for together in messages:
                yield together


def event_stream(chunks: AsyncIterator[bytes], heartbeat: ServerSentEvent, interval: float) -> EventSourceResponse:
    """A response that sends encoded events as they come, and signs of life."""
    return EventSourceResponse(
        chunks,
        ping=interval,
        ping_message_factory=lambda: heartbeat,
        headers=STREAM_HEADERS,
        send_timeout=SEND_TIMEOUT,
    )


def encoded(data: str, *, event: str, event_id: int | None = None) -> bytes:
    """One event as it is sent."""
    return ServerSentEvent(data, event=event, id=None if event_id is None else str(event_id)).encode()
