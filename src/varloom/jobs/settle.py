"""Settling an attempt: from its outcome to the job row, in one transaction, by the holder of the token alone."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from varloom.failpoints import failpoint
from varloom.jobs import repository
from varloom.jobs.lifecycle import next_stage
from varloom.jobs.outcome import Cancelled, Failed, Lost, Outcome, Released, Succeeded, WorkerDied

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.jobs.model import Claim, Job

logger = logging.getLogger(__name__)

BACKOFF_FACTOR = 4
JITTER = 0.2
"""Retries wait up to so much longer than their turn, so that those of one cause do not all come back at once."""

MAX_DELAY = 3600.0
"""Seconds; the longest wait before an automatic retry."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the completion of a job made visible."""

    sample_id: UUID
    records: int
    variants: int | None  # None for a table that holds no variants


class Publisher(Protocol):
    """Adopts what stages leave, in the transaction that settles them."""

    async def adopt(self, conn: AsyncConnection[Any], claim: Claim, result: dict[str, Any]) -> None:
        """Write the rows that depend on what a stage before the last one has left."""
        ...

    async def publish(self, conn: AsyncConnection[Any], job: Job, result: dict[str, Any]) -> Published:
        """Write the rows by which the result of a finished job can be seen."""
        ...


def backoff(attempt: int, first_delay: float) -> float:
    """Seconds to wait after this failed attempt (from 1): the first delay, then four times as long each time."""
    delay: float = min(MAX_DELAY, first_delay * BACKOFF_FACTOR ** (attempt - 1))
    return delay * (1 + random.uniform(0, JITTER))  # noqa: S311  (spreads retries, guards nothing)


async def settle(
    conn: AsyncConnection[Any],
    claim: Claim,
    outcome: Outcome,
    publisher: Publisher,
    *,
    retry_delay: float,
    log: str = "",
) -> Job | None:
    """Write the outcome to the job row, with its event, ticket, log and dataset, in the caller's transaction.

    Returns:
        The job as it is now; None when the claim was lost and nothing was changed.
    """
    held = await repository.hold(conn, claim, log, is_one_of_many=not isinstance(outcome, Succeeded))
    failpoint("settle.after_hold", conn)
    if held is None or isinstance(outcome, Lost):
        logger.warning("job %s: the result of a lost claim is thrown away", claim.job.id)
        return None
    if held.cancel_requested_at is not None and not _completes(claim, outcome):
        outcome = Cancelled()
    match outcome:
        case Succeeded():
            job = await _succeed(conn, claim, outcome, publisher)
        case Cancelled():
            job = await repository.settle_cancel(conn, claim)
        case Released():
            job = await repository.settle_release(conn, claim, outcome.why)
        case WorkerDied() if outcome.beside and held.suspected_at is None:
            job = await repository.settle_suspect(conn, claim, outcome)
        case WorkerDied():
            job = await _fail(conn, held, claim, outcome.failure, retry_delay=retry_delay, suspect=True)
        case Failed():
            job = await _fail(conn, held, claim, outcome, retry_delay=retry_delay, suspect=False)
    return job


async def _fail(
    conn: AsyncConnection[Any], held: Job, claim: Claim, outcome: Failed, *, retry_delay: float, suspect: bool
) -> Job | None:
    """Count the attempt: try again after a wait, as long as that can help."""
    if outcome.retryable and held.attempt < held.max_attempts:
        asked_to_wait = float(outcome.error.get("retry_after") or 0.0)
        delay = max(backoff(held.attempt, retry_delay), asked_to_wait)
        return await repository.settle_retry(conn, claim, outcome, delay=delay, suspect=suspect)
    return await repository.settle_fail(conn, claim, outcome, suspect=suspect)


def _completes(claim: Claim, outcome: Outcome) -> bool:
    """Whether the job is done by this outcome: then a request to cancel it comes too late."""
    return isinstance(outcome, Succeeded) and next_stage(claim.job.plan, claim.stage) is None


async def _succeed(conn: AsyncConnection[Any], claim: Claim, outcome: Succeeded, publisher: Publisher) -> Job | None:
    """Go on to the next stage, or publish and complete."""
    if next_stage(claim.job.plan, claim.stage) is not None:
        await publisher.adopt(conn, claim, outcome.result)
        return await repository.settle_advance(conn, claim, outcome)
    published = await publisher.publish(conn, claim.job, outcome.result)
    return await repository.settle_complete(
        conn,
        claim,
        outcome,
        sample_id=published.sample_id,
        records=published.records,
        variants=published.variants,
    )
