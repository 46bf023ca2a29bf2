"""Rescue: the work of dead workers returns to the queue, and the queue never lacks a ticket.

A worker counts as dead when its heartbeat did not change for the timeout *by the clock of the observer*, and only the
time in which the observer was looking counts: no jump of a wall clock, no outage of the database, and no pause of the
observer itself can make a living worker look dead.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from varloom.failpoints import failpoint
from varloom.jobs import repository
from varloom.jobs.attempt import failure
from varloom.jobs.outcome import WorkerDied
from varloom.jobs.problems import WORKER_CRASHED
from varloom.jobs.settle import Publisher, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Claim, WorkerRecord

logger = logging.getLogger(__name__)

TICKETS_AT_ONCE = 500
"""The most tickets of a stage that one round adds, so that a round is short; the next one adds more."""

_LOCK = 7_203_441_001
"""Advisory lock: one worker at a time tidies the queue."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """A worker's last heartbeat, and for how many seconds an observer saw no newer one."""

    heartbeat: datetime
    seconds: float


class Rescuer:
    """Remembers how long it saw each worker's heartbeat stand still; `step`, every `interval` seconds, is one round."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        publisher: Publisher,
        *,
        interval: float,
        worker_timeout: float,
        retry_delay: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._interval = interval
        self._worker_timeout = worker_timeout
        self._retry_delay = retry_delay
        self._clock = clock
        self._looked_at = clock()
        self._silence: dict[UUID, _Silence] = {}

    async def step(self) -> int:
        """Give up dead workers, return their stages, put tickets right. Returns how many stages were returned."""
        await self._give_up_dead_workers()
        rescued = await self.return_orphans()
        await self._tidy_queue()
        return rescued

    async def _give_up_dead_workers(self) -> None:
        """Mark the workers whose heartbeat has stood still for too long."""
        async with self._pool.connection() as conn:
            workers = await repository.living_workers(conn)
            self._listen(workers)
            for worker in workers:
                if self._silence[worker.id].seconds >= self._worker_timeout:
                    logger.warning("worker %s on %s (pid %d) is given up for dead", worker.id, worker.host, worker.pid)
                    await repository.give_up_worker(conn, worker)

    def _listen(self, workers: list[WorkerRecord]) -> None:
        """Add the time since the last look to the silence of those whose heartbeat has not changed in it.

        A late look counts as one in time: whatever kept this observer away may have kept the others from speaking.
        """
        now = self._clock()
        passed = min(now - self._looked_at, self._interval)
        self._looked_at = now
        before = self._silence
        self._silence = {}
        for worker in workers:
            known = before.get(worker.id)
            still = known is not None and known.heartbeat == worker.heartbeat_at
            seconds = known.seconds + passed if known is not None and still else 0.0
            self._silence[worker.id] = _Silence(worker.heartbeat_at, seconds)

    async def return_orphans(self) -> int:
        """Return the stages of dead workers to the queue, those of a worker in one transaction; how many they were."""
        async with self._pool.connection() as conn:
            dead = await repository.dead_holders(conn)
        return sum([await self._return_all(worker_id) for worker_id in dead])

    async def _return_all(self, worker_id: UUID) -> int:
        """Settle all that a dead worker holds, as long as nobody else does: what it ran alone, it died of."""
        async with self._pool.connection() as conn:
            claims = await repository.orphaned_claims(conn, worker_id)
            return sum([await self._return(conn, claim, beside=len(claims) - 1) for claim in claims])

    async def _return(self, conn: AsyncConnection[Any], claim: Claim, *, beside: int) -> bool:
        """Settle one stage of a dead worker; one that cannot be returned must not keep the others from it."""
        failpoint("rescue.before_return")
        stage = claim.stage.value
        died = failure(WORKER_CRASHED, f"The worker died while it ran the {stage} stage.", stage)
        try:
            async with conn.transaction():
                outcome = WorkerDied(died, beside)
                job = await settle(conn, claim, outcome, self._publisher, retry_delay=self._retry_delay)
        except psycopg.OperationalError:
            raise
        except Exception:
            logger.exception("job %s: its %s stage could not be rescued", claim.job.id, stage)
            return False
        if job is not None:
            logger.warning("job %s: its %s stage was rescued from a dead worker", job.id, stage)
        return job is not None

    async def _tidy_queue(self) -> None:
        """Add the tickets that waiting jobs lack, and forget what dead deliverers and old workers left.

        A ticket too many is harmless, one too few would lose a job.
        """
        async with self._pool.connection() as conn:
            if not await _try_lock(conn):
                return
            await repository.forget_the_dead(conn)
            await repository.add_missing_tickets(conn, TICKETS_AT_ONCE)


async def _try_lock(conn: Any) -> bool:
    """Take the advisory lock until the end of the transaction, if it is free."""
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
    row = await cursor.fetchone()
    return bool(row and row[0])
