"""Word of work: Procrastinate, one queue per stage, one task.

A queued task is a *ticket*: it says that its stage has work, not which job. Workers hear of it, or find it, and claim
the best waiting job (`repository.claim`); the claim takes a ticket out of the queue. A ticket that is lost, late or too
many therefore changes nothing but the time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import procrastinate

from varloom.failpoints import failpoint

if TYPE_CHECKING:
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


async def enqueue_many(connection: AsyncConnection[Any], stage: Stage, tickets: int) -> None:
    """Put so many tickets for the stage into its queue, in the caller's transaction, all due at once."""
    failpoint("enqueue.before", connection)
    deferrer = _sender.configure_task(TICKET, allow_unknown=True, queue=stage.value, connection=connection)
    arguments: dict[str, Any] = {"stage": stage.value}
    await deferrer.batch_defer_async(*[arguments] * tickets)
    failpoint("enqueue.after", connection)


def channel(stage: Stage) -> str:
    """Where PostgreSQL tells of tickets that are put into the stage's queue."""
    return f"procrastinate_queue_v1#{stage.value}"
