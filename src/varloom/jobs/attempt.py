"""One attempt at a stage: run it in a child, watch it, and say how it ended. Nothing is settled here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import psycopg

from varloom.db.pool import single_statements
from varloom.errors import ErrorKind, VarloomError
from varloom.jobs import repository
from varloom.jobs.child import ChildDiedError
from varloom.jobs.outcome import Cancelled, Failed, Lost, Outcome, Released, Succeeded
from varloom.jobs.problems import STAGE_CRASHED, STAGE_STALLED
from varloom.jobs.progress import RateMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.attempt_log import AttemptLog
    from varloom.jobs.child import ChildPool
    from varloom.jobs.model import Claim

logger = logging.getLogger(__name__)

PROGRESS_INTERVAL = 0.5
"""Seconds between two writes of a job's progress."""

WATCH_PATIENCE = 2.0
"""Seconds that the last write of the progress may hold up the outcome, when the database is slow or away."""


def failure(kind: ErrorKind, message: str, stage: str) -> Failed:
    """A failed outcome of one of the engine's own kinds."""
    return Failed(VarloomError(kind, message).as_dict(stage))


class Attempt:
    """A claimed stage while it runs. `stop` ends it early; `run` gives the outcome, and fills `log`."""

    def __init__(self, claim: Claim, log: AttemptLog, pool: AsyncConnectionPool, *, stall_limit: float) -> None:
        self.claim = claim
        self._log = log
        self._pool = pool
        self._stall_limit = stall_limit
        self._stopped: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._latest: dict[str, Any] | None = None
        self._moved_at = time.monotonic()

    def cancel(self) -> None:
        """Stop it because the user asked."""
        self._stop(Cancelled())

    def release(self) -> None:
        """Stop it because the worker stops."""
        self._stop(Released())

    def lose(self) -> None:
        """Stop it because the claim is no longer ours."""
        self._stop(Lost())

    def _stop(self, outcome: Outcome) -> None:
        """End it with this outcome, unless it is ending already."""
        if not self._stopped.done():
            self._stopped.set_result(outcome)

    async def run(self, children: ChildPool, prepare: Callable[[Claim], dict[str, Any]]) -> Outcome:
        """Run the stage in a child until it ends, stalls, is cancelled, released or lost.

        `prepare` makes the request to the child, in a thread: it may take its time, and is watched as well. When this
        returns, the child is idle again or its whole process group is gone.
        """
        watch = asyncio.create_task(self._watch())
        work = asyncio.create_task(self._work(children, prepare))
        try:
            endings: tuple[asyncio.Future[Any], ...] = (work, watch, self._stopped)
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            if watch.done():  # it does so only by an error, and a stage that nobody watches could hang for ever
                watch.result()
            return self._stopped.result()
        finally:
            self._ended.set()
            work.cancel()
            await asyncio.wait({watch}, timeout=WATCH_PATIENCE)  # a write that is under way is not broken off
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _work(self, children: ChildPool, prepare: Callable[[Claim], dict[str, Any]]) -> Outcome:
        """Lend a child, run the stage and translate its last message."""
        stage = self.claim.stage.value
        request = await asyncio.to_thread(prepare, self.claim)
        try:
            async with children.child() as child, contextlib.aclosing(child.run(request, self._log)) as messages:
                async for message in messages:
                    match message:
                        case {"progress": progress}:
                            self._note(progress)
                        case {"done": {"result": result, "warnings": warnings}}:
                            return Succeeded(result, tuple(warnings))
                        case {"failed": error}:
                            return Failed({**error, "stage": stage})
                        case _:
                            raise AssertionError(f"a child said {list(message)}")
        except ChildDiedError as death:
            logger.warning("job %s: the child of its %s stage %s", self.claim.job.id, stage, death.how)
            return failure(STAGE_CRASHED, f"The process of the {stage} stage {death.how}.", stage)
        raise AssertionError("a child ended without its last message")

    def _note(self, progress: dict[str, Any]) -> None:
        """Keep the latest counts; only counts that differ show that the stage moves."""
        if progress != self._latest:
            self._latest = progress
            self._moved_at = time.monotonic()

    async def _watch(self) -> None:
        """Write the progress, obey what the job row says, and stop a stage that does not move."""
        meter = RateMeter()
        while not await self._has_ended_within(PROGRESS_INTERVAL):
            if time.monotonic() - self._moved_at > self._stall_limit:
                stage = self.claim.stage.value
                limit = f"{self._stall_limit:g} s"
                self._stop(failure(STAGE_STALLED, f"The {stage} stage made no progress for {limit}.", stage))
            await self._look(None if self._latest is None else meter.measure(**self._latest))

    async def _has_ended_within(self, seconds: float) -> bool:
        """Wait for the end of the stage, but not longer; whether it came."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)
        return self._ended.is_set()

    async def _look(self, progress: dict[str, Any] | None) -> None:
        """Write the progress to the job row, and hear from it: nobody else may tell of a cancel, or not in time.

        A database that is away is waited for by the next look.
        """
        try:
            async with self._pool.connection() as conn, single_statements(conn):
                if progress is None:
                    cancelled = await repository.is_cancel_requested(conn, self.claim)
                else:
                    cancelled = await repository.write_progress(conn, self.claim, progress)
        except psycopg.Error:
            logger.warning("job %s: its progress could not be written; it goes on", self.claim.job.id)
            return
        if cancelled is None:
            self.lose()
        elif cancelled:
            self.cancel()
