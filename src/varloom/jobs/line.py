"""What waits, and for what: places in the line, what operators hold back, and who serves it. Changes no job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.model import HeldUp, Pause, Place, StageQueue, WorkerState
from varloom.jobs.needs import NOTHING, Offer, needed_for, told
from varloom.jobs.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.jobs.model import Job

TICKETS_AFTER_PAUSE = 100
"""Tickets for each stage that a resume adds at once; a round of rescue adds what is missing still."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an account's jobs meet before one stage.

    Attributes:
        paused: whether nothing of it is claimed for this account.
        reason: why, as far as the operator said so.
        plan_version: the newest plan that a living worker with slots for it knows; None when none has any.
        serves: the needs that such workers meet; None: any.
        disk_low: whether none of them begins anything, since their disks have too little space.
    """

    paused: bool
    reason: str | None
    plan_version: int | None
    serves: list[str] | None = None
    disk_low: bool = False

    def hold_up(self, stage: Stage, plan_version: int, need: str = NOTHING) -> HeldUp | None:
        """Why a job with such a plan is not served; None when it is in line."""
        if self.paused:
            return HeldUp("paused", f"Paused by the operator{f': {self.reason}' if self.reason else '.'}")
        if self.plan_version is None:
            return HeldUp("no_slots", f"Waiting: no running worker has a slot for the {stage.value} stage.")
        if plan_version > self.plan_version:
            return HeldUp("plan_unknown", "Waiting: no running worker knows this job's plan; update the workers.")
        if self.serves is not None and need not in {NOTHING, *self.serves}:
            return HeldUp("no_engine", f"Waiting for {told(need)}; none is connected.")
        if self.disk_low:
            return HeldUp("disk_low", "Waiting: the workers have too little disk space; the operator has to make room.")
        return None


async def _rows(conn: AsyncConnection[Any], name: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows of a statement."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement(name), values)
        return await cursor.fetchall()


# --- Places in the line ---------------------------------------------------------------------------------------------


async def queue_positions(conn: AsyncConnection[Any], account_id: UUID) -> dict[UUID, int]:
    """For each of the account's jobs in line: how many jobs, of anyone, go before it.

    Of each stage only the account's first thousand are numbered.
    """
    rows = await _rows(conn, "queue_positions", {"account_id": account_id})
    return {row["id"]: int(row["ahead"]) for row in rows}


async def conditions_of(conn: AsyncConnection[Any], account_id: UUID) -> dict[Stage, Conditions]:
    """What the account's jobs meet before each stage."""
    rows = await _rows(conn, "stage_conditions", {"account_id": account_id})
    return {Stage(row.pop("stage")): Conditions(**row) for row in rows}


async def places_of(conn: AsyncConnection[Any], account_id: UUID, jobs: Iterable[Job]) -> dict[UUID, Place]:
    """Where those of the account's jobs stand that wait."""
    waiting = {
        job.id: (job.stage, job.plan_version, needed_for(job.stage, job.options))
        for job in jobs
        if job.state is State.QUEUED and job.stage
    }
    if not waiting:
        return {}
    positions = await queue_positions(conn, account_id)
    conditions = await conditions_of(conn, account_id)
    return {
        job_id: Place(positions.get(job_id), conditions[stage].hold_up(stage, plan_version, need))
        for job_id, (stage, plan_version, need) in waiting.items()
    }


async def places_of_all(conn: AsyncConnection[Any], account_id: UUID, at_most: int) -> dict[UUID, Place]:
    """Where the account's waiting jobs stand: those in line that are numbered, and the newest of those held up."""
    newest = await _rows(conn, "newest_waiting", {"account_id": account_id, "limit": at_most})
    if not newest:
        return {}
    found = {job_id: Place(ahead) for job_id, ahead in (await queue_positions(conn, account_id)).items()}
    conditions = await conditions_of(conn, account_id)
    for row in newest:
        stage = Stage(row["stage"])
        reason = conditions[stage].hold_up(stage, row["plan_version"], row["need"])
        if reason is not None:
            found[row["id"]] = Place(found.get(row["id"], Place()).ahead, reason)
    return found


# --- Stages and workers ---------------------------------------------------------------------------------------------


async def queue_overview(conn: AsyncConnection[Any], worker_timeout: float) -> list[StageQueue]:
    """Slots, running and waiting jobs of each stage over all workers that were heard of within the timeout."""
    rows = await _rows(conn, "queue_overview", {"timeout": worker_timeout})
    return [StageQueue(Stage(row.pop("stage")), **row) for row in rows]


async def worker_states(conn: AsyncConnection[Any]) -> list[WorkerState]:
    """What each worker that has neither ended nor been given up is doing, the oldest first."""
    return [WorkerState(**row) for row in await _rows(conn, "worker_states", {})]


async def offers(conn: AsyncConnection[Any]) -> list[Offer]:
    """What each living worker with slots for secondary analysis has for it."""
    return [Offer(**row) for row in await _rows(conn, "engines", {})]


async def note_low_disk(conn: AsyncConnection[Any], worker_id: UUID, why: str | None) -> None:
    """Note why a worker begins nothing, or that it does again, and wake the panels."""
    await conn.execute(statement("note_low_disk"), {"worker_id": worker_id, "low_disk": why})
    await _tell(conn, None)


# --- Pauses ---------------------------------------------------------------------------------------------------------


async def pauses(conn: AsyncConnection[Any]) -> list[Pause]:
    """All that is paused, the newest first."""
    rows = await _rows(conn, "pauses", {})
    return [Pause(**{**row, "stage": Stage(row["stage"]) if row["stage"] else None}) for row in rows]


async def pause(
    conn: AsyncConnection[Any], *, stage: Stage | None = None, account_id: UUID | None = None, reason: str | None = None
) -> None:
    """Claim nothing more of a stage, or of an account; what runs goes on. Again: the reason is changed."""
    column = "stage" if stage else "account_id"
    values = {"stage": stage.value if stage else None, "account_id": account_id, "reason": reason}
    await conn.execute(statement(f"pause_{column}"), values)
    await _tell(conn, account_id)


async def resume(conn: AsyncConnection[Any], *, stage: Stage | None = None, account_id: UUID | None = None) -> bool:
    """Let what is paused be claimed again; whether it was paused."""
    values = {"stage": stage.value if stage else None, "account_id": account_id}
    cursor = await conn.execute(statement("resume"), values)
    await repository.add_missing_tickets(conn, TICKETS_AFTER_PAUSE)
    await _tell(conn, account_id)
    return cursor.rowcount > 0


async def _tell(conn: AsyncConnection[Any], account_id: UUID | None) -> None:
    """Wake the panels: places have changed. It is told as an event that moves the queue of all accounts."""
    await conn.execute(statement("tell_of_the_queue"), {"account_id": account_id})
