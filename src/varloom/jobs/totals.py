"""What has ended so far: counters for monitoring, which only ever grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.rows import class_row

from varloom.jobs.statements import statement

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection

BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10800.0, 43200.0, 86400.0)
"""Seconds by which durations are told apart: a panel takes some tenths of a second, a genome's reads most of a day."""

_LOCK = 0x656E64696E6773
"""The advisory lock under which endings are added up: "endings" in ASCII."""


@dataclass(frozen=True, slots=True)
class EndingTotal:
    """How often stages or jobs ended in one way.

    Attributes:
        what: attempts at a stage, or jobs.
        stage: where they ended; empty for a job that completed before anyone counted.
        outcome: of a stage `succeeded`, `retried` (it failed and is tried again), `returned` (its worker stopped or
            died), `failed` or `cancelled`; of a job its last state.
        code: of the failure; empty without one.
        endings: how many.
        seconds: that they took together: attempts from their claim, jobs from their creation.
    """

    what: Literal["stage", "job"]
    stage: str
    outcome: str
    code: str
    endings: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DurationTotal:
    """How many succeeded in more seconds than the bound before, and at most `at_most`. `stage` is empty for jobs."""

    what: Literal["stage", "job"]
    stage: str
    at_most: float
    endings: int


@dataclass(frozen=True, slots=True)
class LiveJobs:
    """Jobs that have not ended, by state and stage; `oldest_wait` is in seconds, of those that are due."""

    state: str
    stage: str
    jobs: int
    oldest_wait: float


@dataclass(frozen=True, slots=True)
class StateCount:
    """Jobs of an account in one state.

    Attributes:
        state: theirs.
        is_stopping: whether they were asked to stop.
        may_succeed: of failed ones, whether the same again can help.
        jobs: how many.
    """

    state: str
    is_stopping: bool
    may_succeed: bool
    jobs: int


async def state_counts(conn: AsyncConnection[Any], account_id: UUID) -> list[StateCount]:
    """The jobs of an account, without the dismissed ones."""
    async with conn.cursor(row_factory=class_row(StateCount)) as cursor:
        await cursor.execute(statement("state_counts"), {"account_id": account_id})
        return await cursor.fetchall()


async def add_up(conn: AsyncConnection[Any]) -> None:
    """Add what has ended since the last time to the totals; part of the caller's transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    await conn.execute(statement("add_up_endings"), {"bounds": list(BOUNDS)})


async def ending_totals(conn: AsyncConnection[Any]) -> list[EndingTotal]:
    """All that has ended and was added up."""
    async with conn.cursor(row_factory=class_row(EndingTotal)) as cursor:
        await cursor.execute(statement("ending_totals"))
        return await cursor.fetchall()


async def duration_totals(conn: AsyncConnection[Any]) -> list[DurationTotal]:
    """How long what succeeded took, by bound, each counted once."""
    async with conn.cursor(row_factory=class_row(DurationTotal)) as cursor:
        await cursor.execute(statement("duration_totals"))
        return await cursor.fetchall()


async def live_jobs(conn: AsyncConnection[Any]) -> list[LiveJobs]:
    """What has not ended, of all accounts."""
    async with conn.cursor(row_factory=class_row(LiveJobs)) as cursor:
        await cursor.execute(statement("live_jobs"))
        return await cursor.fetchall()
