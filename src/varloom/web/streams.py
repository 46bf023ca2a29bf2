"""Event streams that end when their reader logs out or loses the token."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Annotated

import psycopg
from fastapi import Depends, Request
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from varloom.services.accounts import Accounts
from varloom.services.container import Services
from varloom.services.events import Message, Subscription
from varloom.web.dependencies import Identity

logger = logging.getLogger(__name__)

HEARTBEAT = 15.0
"""Seconds between the signs of life that keep a stream open through proxies."""
CHECK_INTERVAL = 10.0
"""A revoked session or token ends its streams within so many seconds."""
SEND_TIMEOUT = 60.0
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
    services: Services,
    streams: OpenStreams,
    identity: Identity,
    subscription: Subscription,
    last_event_id: int | None = None,
) -> AsyncGenerator[list[Message]]:
    """The messages of the reader's account (see `Events.subscribe`), for as long as the credential holds."""
    messages = services.events.subscribe(identity.account.id, last_event_id, subscription)
    with streams.watched(subscription, identity.credential):
        async with contextlib.aclosing(messages):
            async for together in messages:
                yield together


class EventStream(StreamingResponse):
    """A response that sends encoded events as they come, and is ended when its reader goes away or takes nothing in.

    It is made for a thousand of them in one process: what looks after a stream costs something once in a while, and
    nothing with each event.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[bytes], beat: Callable[[], None], *, status_code: int = 200) -> None:
        """`chunks` are sent as they are; `beat` is called every `HEARTBEAT` seconds, and may let one come."""
        super().__init__(chunks, status_code, STREAM_HEADERS)  # the status stands in the description of the API
        self._chunks = chunks
        self._beat = beat
        self._sending_since: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - of every response
        """Send until the chunks end or the reader has gone."""
        sending = asyncio.create_task(self.stream_response(send))
        others = [
            asyncio.create_task(self.listen_for_disconnect(receive)),
            asyncio.create_task(self._beat_for_ever()),
            asyncio.create_task(self._until_stuck()),
        ]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)

    async def stream_response(self, send: Send) -> None:
        """Send the chunks, and note since when the reader has not taken one."""
        clock = asyncio.get_running_loop().time
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with contextlib.aclosing(self._chunks):
            async for chunk in self._chunks:
                self._sending_since = clock()
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._sending_since = None
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            self._beat()

    async def _until_stuck(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SEND_TIMEOUT / 4)
            if self._sending_since is not None and clock() - self._sending_since >= SEND_TIMEOUT:
                break
        logger.info("A stream is ended: its reader has taken in nothing for %g s.", SEND_TIMEOUT)


def encoded(data: str, *, event: str, event_id: int | None = None) -> bytes:
    """One event as it is sent."""
    return format_sse_event(data_str=data, event=event, id=None if event_id is None else str(event_id))
