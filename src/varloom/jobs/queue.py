"""The delivery of work: Procrastinate, one queue per stage, one task.

A queued task is a *ticket*: it says that its stage has work, not which job. Whoever receives it claims the best waiting
job (`repository.claim`). A ticket that is lost, late or delivered twice therefore changes nothing but the time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import procrastinate

from varloom.db.pool import configure
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from psycopg import AsyncConnection

    from varloom.jobs.lifecycle import Stage

TICKET = "varloom.ticket"

# Procrastinate tells of every ticket; the jobs' own events say what matters.
logging.getLogger("procrastinate").setLevel(logging.WARNING)

_sender = procrastinate.App(connector=procrastinate.PsycopgConnector())
"""Only puts tickets into queues, on the caller's connection; it is never opened."""


async def enqueue(connection: AsyncConnection[Any], stage: Stage, at: datetime | None = None) -> None:
    """Put a ticket for the stage into its queue, in the caller's transaction, due at once or at a time."""
    failpoint("enqueue.before", connection)
    deferrer = _sender.configure_task(
        TICKET,
        allow_unknown=True,
        queue=stage.value,
        schedule_at=at,
        connection=connection,
    )
    await deferrer.defer_async(stage=stage.value)
    failpoint("enqueue.after", connection)


def receiver(on_ticket: Callable[[str], Awaitable[None]]) -> procrastinate.App:
    """An app that hands each ticket's stage to `on_ticket`; open it on a pool, then run a worker per queue."""
    # Procrastinate listens on a connection beside the pool.
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(configure=configure))

    @app.task(name=TICKET)
    async def ticket(stage: str) -> None:
        await on_ticket(stage)

    return app
