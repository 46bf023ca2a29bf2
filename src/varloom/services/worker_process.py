"""The worker that a server keeps beside itself: a child process, started again whenever it dies.

The child holds the reading end of a pipe whose writing end is ours: when this process ends, however it ends, the child
reads the end of the pipe and stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING

import psycopg

from varloom.services.work import mark_worker_dead

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.db.database import Database

logger = logging.getLogger(__name__)

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
STEADY = 60.0
"""A worker that lived for so many seconds is started again without a longer wait."""
STOP_MARGIN = 15.0
"""Seconds that a stopping worker has beyond its own grace before it is killed."""


class WorkerProcess:
    """Keeps one worker running.

    Args of the constructor:
        command: the worker's command line, to which the pipe is added.
        environment: its environment.
        database: where a dead worker is reported, so that its work is returned at once.
        grace: how long the worker itself lets its stages go on when it is asked to stop, in seconds.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], database: Database, grace: float
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._database = database
        self._grace = grace
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id of the worker that runs now."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    async def run(self) -> None:
        """Keep a worker running until `stop`."""
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            began = time.monotonic()
            await self._keep_one()
            delay = FIRST_DELAY if time.monotonic() - began > STEADY else min(delay * 2, LONGEST_DELAY)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _keep_one(self) -> None:
        """Run one worker, and tell of an end that nobody asked for."""
        try:
            pid, status = await self._run_once()
        except OSError:  # no memory or no file descriptors left, for example
            logger.exception("The worker could not be started; trying again.")
            return
        if not self._stopping.is_set():
            logger.warning("The worker (process %d) ended with status %d; starting another one.", pid, status)
            await self._report_death(pid)

    async def stop(self) -> None:
        """Ask the worker to stop; `run` ends when it has."""
        self._stopping.set()

    async def _run_once(self) -> tuple[int, int]:
        """Run one worker to its end; its process id and exit status."""
        reading, writing = os.pipe()
        try:
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                "--parent-pipe",
                str(reading),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(reading,),
                start_new_session=True,
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        try:
            return self._child.pid, await self._end_of(self._child)
        finally:
            os.close(writing)

    async def _end_of(self, child: asyncio.subprocess.Process) -> int:
        """Wait for the worker's end, and bring it about when it is asked for; the exit status."""
        ended = asyncio.create_task(child.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            await self._end(child, ended)
        return await ended

    async def _end(self, child: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
        """Ask the worker to end; kill it when it does not."""
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await asyncio.wait({ended}, timeout=self._grace + STOP_MARGIN)
        if not ended.done():
            logger.warning("The worker did not stop in time and is killed; its work returns to the queue.")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await ended
            await self._report_death(child.pid)

    async def _report_death(self, pid: int) -> None:
        try:
            await asyncio.to_thread(mark_worker_dead, self._database, pid)
        except psycopg.Error:
            logger.warning("The worker's end could not be reported; its silence will tell.", exc_info=True)
