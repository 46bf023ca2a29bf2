"""Rescue: the work of dead workers returns to the queue, and the queue never lacks a ticket.

A worker counts as dead when its heartbeat did not change for the timeout *by the clock of the observer*: no jump of a
wall clock, and no restart of the database, can make a living worker look dead.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from varloom.jobs import repository
from varloom.jobs.attempt import failure
from varloom.jobs.problems import WORKER_CRASHED
from varloom.jobs.queue import enqueue
from varloom.jobs.settle import Publisher, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.lifecycle import Stage
    from varloom.jobs.model import WorkerRecord

logger = logging.getLogger(__name__)

_LOCK = 7_203_441_001
"""Advisory lock: one worker at a time tops up tickets."""


class Rescuer:
    """Remembers when it saw each worker's heartbeat change; `step` does one round."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        publisher: Publisher,
        *,
        worker_timeout: float,
        retry_delay: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._worker_timeout = worker_timeout
        self._retry_delay = retry_delay
        self._clock = clock
        self._seen: dict[UUID, tuple[datetime, float]] = {}

    async def step(self) -> int:
        """Give up dead workers, return their stages, top up tickets. Returns how many stages were returned."""
        await self._give_up_dead_workers()
        rescued = await self.return_orphans()
        await self._top_up_tickets()
        return rescued

    async def _give_up_dead_workers(self) -> None:
        """Mark the workers whose heartbeat has stood still for too long."""
        async with self._pool.connection() as conn:
            workers = await repository.living_workers(conn)
            for worker in workers:
                if self._is_dead(worker):
                    logger.warning("worker %s on %s (pid %d) is given up for dead", worker.id, worker.host, worker.pid)
                    await repository.stop_worker(conn, worker.id)
        living = {worker.id for worker in workers}
        self._seen = {worker_id: seen for worker_id, seen in self._seen.items() if worker_id in living}

    def _is_dead(self, worker: WorkerRecord) -> bool:
        """Whether the heartbeat has not changed for the timeout since it was first seen so."""
        now = self._clock()
        heartbeat, since = self._seen.get(worker.id, (None, now))
        if heartbeat != worker.heartbeat_at:
            self._seen[worker.id] = (worker.heartbeat_at, now)
            return False
        return now - since > self._worker_timeout

    async def return_orphans(self) -> int:
        """Settle each stage of a dead worker as a failed attempt, one transaction each; the number that were."""
        async with self._pool.connection() as conn:
            orphans = await repository.orphaned_claims(conn)
        rescued = 0
        for job_id, stage, token in orphans:
            rescued += await self._return(job_id, stage, token)
        return rescued

    async def _return(self, job_id: UUID, stage: Stage, token: UUID) -> bool:
        """Settle one stage of a dead worker; False when someone else did."""
        async with self._pool.connection() as conn:
            claim = await repository.job_of_claim(conn, job_id, stage, token)
            if claim is None:
                return False
            outcome = failure(WORKER_CRASHED, f"The worker died while it ran the {stage.value} stage.", stage.value)
            job = await settle(conn, claim, outcome, self._publisher, retry_delay=self._retry_delay)
        if job is not None:
            logger.warning("job %s: its %s stage was rescued from a dead worker", job_id, stage.value)
        return job is not None

    async def _top_up_tickets(self) -> None:
        """Add the tickets that waiting jobs lack; a ticket too many is harmless, one too few would lose a job."""
        async with self._pool.connection() as conn:
            if not await _try_lock(conn):
                return
            for stage, missing in await repository.missing_tickets(conn):
                for _ in range(missing):
                    await enqueue(conn, stage)


async def _try_lock(conn: Any) -> bool:
    """Take the advisory lock until the end of the transaction, if it is free."""
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
    row = await cursor.fetchone()
    return bool(row and row[0])
