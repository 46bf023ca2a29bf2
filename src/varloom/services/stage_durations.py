"""How long a stage will take, told from what the same stage took for the account's earlier jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from varloom.jobs.lifecycle import Stage
from varloom.jobs.statements import statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.jobs.model import Job

RECENT_JOBS = 200
"""So many of the account's newest completed jobs are looked at."""
KEPT_SECONDS = 5.0
"""What was read is used for so long."""
KEPT_ACCOUNTS = 1000
SIMILAR = 4.0
"""Files count as alike up to this factor in size: beyond it, what a stage costs apart from reading would mislead."""
ENOUGH = 3
"""So many like it must have been, for anything to be told."""

_PACKED = (".gz", ".bgz", ".bgzf", ".bz2", ".xz", ".zst", ".zip", ".bcf")


@dataclass(frozen=True, slots=True)
class Duration:
    """What one stage took, in seconds, for a file of so many bytes."""

    packed: bool
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Durations:
    """What the stages of an account's newest completed jobs took."""

    by_stage: dict[Stage, list[Duration]] = field(default_factory=dict)

    def expected(self, stage: Stage, job: Job) -> float | None:
        """Seconds that the stage will take for the job's file; None while too few like it have been."""
        size = job.source_bytes
        if not size:
            return None
        packed = is_packed(job.source_name)
        costs = [
            one.seconds / one.size
            for one in self.by_stage.get(stage, ())
            if one.packed == packed and size / SIMILAR <= one.size <= size * SIMILAR
        ]
        return size * median(costs) if len(costs) >= ENOUGH else None


class StageDurations:
    """The durations of each account, read at most every few seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[UUID, tuple[float, Durations]] = {}

    async def of(self, conn: AsyncConnection[Any], account_id: UUID) -> Durations:
        """What is known of this account's stages."""
        now = self._clock()
        read_at, durations = self._known.get(account_id, (float("-inf"), Durations()))
        if now - read_at <= KEPT_SECONDS:
            return durations
        durations = await _read(conn, account_id)
        if len(self._known) >= KEPT_ACCOUNTS:
            self._known.clear()
        self._known[account_id] = (now, durations)
        return durations


def is_packed(name: str) -> bool:
    """Whether a file of this name is compressed: its bytes then hold several times as many lines."""
    return name.lower().endswith(_PACKED)


async def _read(conn: AsyncConnection[Any], account_id: UUID) -> Durations:
    durations = Durations()
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement("stage_durations"), {"account_id": account_id, "limit": RECENT_JOBS})
        for row in await cursor.fetchall():
            found = Duration(is_packed(row["source_name"]), row["source_bytes"], row["seconds"])
            durations.by_stage.setdefault(Stage(row["stage"]), []).append(found)
    return durations
