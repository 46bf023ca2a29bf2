"""Event streams that end when their reader logs out or loses the token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from varloom.web.security import still_holds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from varloom.services.container import Services
    from varloom.services.events import Message
    from varloom.web.dependencies import Identity

HEARTBEAT = 15
"""Seconds between the comments that keep a stream open through proxies."""
CHECK_INTERVAL = 10.0
"""A revoked session or token ends its streams within so many seconds."""

STREAM_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}


async def account_messages(
    services: Services, identity: Identity, last_event_id: int | None = None
) -> AsyncGenerator[Message]:
    """The messages of the reader's account (see `Events.subscribe`), for as long as the credential holds."""
    messages = services.events.subscribe(identity.account.id, last_event_id)
    loop = asyncio.get_running_loop()
    check_at = loop.time() + CHECK_INTERVAL
    following: asyncio.Task[Message | None] | None = None
    try:
        while True:
            following = following or asyncio.create_task(_next(messages))
            await asyncio.wait({following}, timeout=max(0.0, check_at - loop.time()))
            if loop.time() >= check_at:
                if not await still_holds(services, identity):
                    return
                check_at = loop.time() + CHECK_INTERVAL
            if following.done():
                message, following = following.result(), None
                if message is None:
                    return
                yield message
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await messages.aclose()


async def _next(messages: AsyncGenerator[Message]) -> Message | None:
    """The next message; None at the end."""
    return await anext(messages, None)
