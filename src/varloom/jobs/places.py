"""A bound on the stages that a worker runs at once, whatever their kind, and who goes first when they compete."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from itertools import count
from typing import TYPE_CHECKING

from varloom.jobs.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PRECEDENCE = (Stage.PARSE, Stage.DOWNLOAD, Stage.PROCESS, Stage.ANNOTATE)
"""Parsing is short and gives people their tables; what takes longest goes last."""


class Places:
    """So many places; a free one goes to the waiting stage that comes first in `PRECEDENCE`, then to the oldest."""

    def __init__(self, number: int | None) -> None:
        """Prepare the places; None: as many as are asked for."""
        self._free = number
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    @property
    def are_bounded(self) -> bool:
        """Whether there are only so many, so that another stage may have to go first."""
        return self._free is not None

    @contextlib.asynccontextmanager
    async def place(self, stage: Stage) -> AsyncIterator[None]:
        """Hold a place for as long as the block lasts."""
        if self._free is None:
            yield
            return
        await self._enter(stage)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, stage: Stage) -> None:
        if self._free:
            self._free -= 1
            return
        called = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (PRECEDENCE.index(stage), next(self._arrivals), called))
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():  # called and cancelled in the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        """Call the first who still waits; else the place is free."""
        while self._waiting:
            called = heapq.heappop(self._waiting)[-1]
            if not called.done():
                called.set_result(None)
                return
        if self._free is not None:
            self._free += 1
