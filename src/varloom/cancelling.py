"""Cancelling tasks so that they end.

Before Python 3.12, `asyncio.wait_for` loses a cancellation that comes at the moment at which what is waited for is
done. psycopg waits so for each answer of the database. A task that was cancelled then goes on as if nothing had been.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

CANCEL_PATIENCE = 2.0
"""Seconds after which a task that goes on after it was cancelled is cancelled again."""


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; one that goes on, or waits for the database, is cancelled again."""
    given = set(tasks)
    pending = given
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_PATIENCE)
    await asyncio.gather(*given, return_exceptions=True)
