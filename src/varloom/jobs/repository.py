"""The one module that writes job rows. Every function runs in the transaction of the connection that it is given.

What a person may see or touch is always asked for by account. What a worker settles is always asked for by attempt
token: a late finish of an attempt that was given up changes no row.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from varloom.db.pool import one_round_trip
from varloom.errors import VarloomError, counted
from varloom.failpoints import commit_point
from varloom.jobs.entered import tell_of
from varloom.jobs.lifecycle import STATE_OF_STAGE, Stage, State, next_stage
from varloom.jobs.model import Claim, HeldStage, Job, JobEvent, LoggedAttempt, NewJob, WorkerRecord
from varloom.jobs.needs import Offer
from varloom.jobs.problems import JOB_ALREADY_FINAL, JOB_COMPLETED, JOB_NOT_FINAL, JOB_NOT_FOUND
from varloom.jobs.queue import TICKET, enqueue, enqueue_many
from varloom.jobs.resume import resume
from varloom.jobs.statements import job_statement, statement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.jobs.outcome import Failed, Succeeded, WorkerDied

KEPT_LOGS = 20
"""So many attempts of a job keep their log, and its last run with them: they are counted when an attempt fails."""

JOBS_AT_ONCE = 500
"""Rows of one statement, lest whatever else the process does has to wait while their texts are written."""
TICKETS_FOR_MANY = 500
"""Tickets for many jobs that are created at once: a slot that was woken goes on until nothing waits. A round of rescue
adds what is missing still."""

_SLOT = {
    Stage.DOWNLOAD: "a download slot",
    Stage.PROCESS: "a processing slot",
    Stage.ANNOTATE: "an annotation slot",
    Stage.PARSE: "a parsing slot",
}


def _waiting(stage: Stage) -> str:
    """The message of a job that waits for a slot of this stage."""
    return f"Waiting for {_SLOT[stage]}."


async def _rows(conn: AsyncConnection[Any], query: Any, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows of a statement."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def _job(conn: AsyncConnection[Any], name: str, values: Mapping[str, Any]) -> Job | None:
    """The one job that a statement returns, if any."""
    rows = await _rows(conn, job_statement(name), values)
    return Job.from_row(rows[0]) if rows else None


# --- What people do -------------------------------------------------------------------------------------------------


async def create_job(conn: AsyncConnection[Any], new: NewJob) -> Job:
    """Create a queued job and its first ticket; with the upload's row in the same transaction, all or nothing."""
    commit_point("create_job", conn)
    first = new.plan[0]
    job = await _job(
        conn,
        "create_job",
        {
            "account_id": new.account_id,
            "upload_id": new.upload_id,
            "sample_name": new.sample_name,
            "options": Jsonb(new.options),
            "plan": [stage.value for stage in new.plan],
            "plan_version": new.plan_version,
            "stage": first.value,
            "priority": new.priority,
            "idempotency_key": new.idempotency_key,
            "max_attempts": new.max_attempts,
            "message": _waiting(first),
            "renews_sample_id": new.renews_sample_id,
        },
    )
    if job is None:  # an INSERT without ON CONFLICT returns its row
        raise AssertionError("the job was not created")
    await enqueue(conn, first)
    tell_of([job.id], new.account_id)
    return job


async def create_jobs(conn: AsyncConnection[Any], account_id: UUID, new: Sequence[NewJob]) -> dict[UUID, UUID]:
    """Create many queued jobs of one account, with their first events and tickets, in a handful of statements.

    From here to the commit the account's other events wait: it should be the last thing that the transaction does.

    Args:
        conn: a connection, within the transaction that enters their uploads.
        account_id: whose they are.
        new: the jobs, in the order in which they are to stand in line; none has an Idempotency-Key of its own.

    Returns:
        The id of each job by that of its upload.
    """
    commit_point("create_jobs", conn)
    await conn.execute("SELECT set_config('varloom.events_at_once', 'on', true)")
    ids = {}
    for start in range(0, len(new), JOBS_AT_ONCE):
        jobs = [_as_json(place, one) for place, one in enumerate(new[start : start + JOBS_AT_ONCE], start)]
        rows = await _rows(conn, statement("create_jobs"), {"account_id": account_id, "jobs": Jsonb(jobs)})
        ids.update({row["upload_id"]: row["id"] for row in rows})
    await conn.execute("SELECT set_config('varloom.events_at_once', '', true)")
    for stage, tickets in Counter(one.plan[0] for one in new).items():
        await enqueue_many(conn, stage, min(tickets, TICKETS_FOR_MANY))
    await conn.execute(statement("first_events"), {"account_id": account_id, "ids": list(ids.values())})
    tell_of(ids.values(), account_id)
    return ids


def _as_json(place: int, new: NewJob) -> dict[str, Any]:
    """A new job as `create_jobs` reads it."""
    return {
        "place": place,
        "upload_id": str(new.upload_id),
        "sample_name": new.sample_name,
        "options": new.options,
        "plan": [stage.value for stage in new.plan],
        "plan_version": new.plan_version,
        "priority": new.priority,
        "max_attempts": new.max_attempts,
        "message": _waiting(new.plan[0]),
    }


async def find_job(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> Job | None:
    """The account's job with this id."""
    return await _job(conn, "get_job", {"account_id": account_id, "job_id": job_id})


async def get_job(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> Job:
    """The account's job with this id.

    Raises:
        VarloomError: `job_not_found`, also for a job of another account.
    """
    job = await find_job(conn, account_id, job_id)
    if job is None:
        raise VarloomError(JOB_NOT_FOUND, f"There is no job {job_id}.")
    return job


async def find_by_idempotency_key(conn: AsyncConnection[Any], account_id: UUID, key: str) -> Job | None:
    """The job that was created with this key."""
    return await _job(conn, "find_by_idempotency_key", {"account_id": account_id, "key": key})


async def renewals_of(conn: AsyncConnection[Any], account_id: UUID, sample_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of samples of which a job that waits or runs makes a new version: that job."""
    values = {"account_id": account_id, "sample_ids": list(sample_ids)}
    rows = await _rows(conn, statement("renewals_of"), values)
    return {row["renews_sample_id"]: row["id"] for row in rows}


async def list_jobs(
    conn: AsyncConnection[Any],
    account_id: UUID,
    *,
    states: Sequence[State] | None = None,
    limit: int = 50,
    before: tuple[datetime, UUID] | None = None,
    search: str | None = None,
    created: tuple[datetime | None, datetime | None] = (None, None),
    ids: Sequence[UUID] | None = None,
) -> list[Job]:
    """The account's jobs, newest first, without the dismissed ones.

    Args:
        conn: a connection.
        account_id: whose jobs.
        states: only these states.
        limit: at most so many.
        before: creation time and id of the last job of the page before.
        search: only jobs whose sample or file name contains this text.
        created: only jobs that were created from the first moment on and before the second.
        ids: only these jobs.
    """
    pattern = None if not search else "%" + _escape_like(search) + "%"
    rows = await _rows(
        conn,
        job_statement("list_jobs") + " ORDER BY j.created_at DESC, j.id DESC",
        {
            "account_id": account_id,
            "states": None if states is None else [state.value for state in states],
            "limit": limit,
            "before_at": before[0] if before else None,
            "before_id": before[1] if before else None,
            "search": pattern,
            "since": created[0],
            "until": created[1],
            "ids": None if ids is None else list(ids),
        },
    )
    return [Job.from_row(row) for row in rows]


async def list_active(conn: AsyncConnection[Any], account_id: UUID, limit: int) -> list[Job]:
    """The account's jobs that wait or run, newest first, but at most so many."""
    query = job_statement("list_active") + " ORDER BY j.created_at DESC, j.id DESC"
    rows = await _rows(conn, query, {"account_id": account_id, "limit": limit})
    return [Job.from_row(row) for row in rows]


def _escape_like(text: str) -> str:
    """The text as a LIKE pattern that matches itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def history(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> list[JobEvent]:
    """All events of a job, oldest first."""
    return [
        _event(row) for row in await _rows(conn, statement("history"), {"account_id": account_id, "job_id": job_id})
    ]


async def logs_of(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> list[LoggedAttempt]:
    """What the processes of a job's attempts said, oldest first; nothing for another account's job."""
    rows = await _rows(conn, statement("logs_of"), {"account_id": account_id, "job_id": job_id})
    return [LoggedAttempt(Stage(row["stage"]), row["attempt"], row["began_at"], row["text"]) for row in rows]


async def events_after(conn: AsyncConnection[Any], account_id: UUID, event_id: int, limit: int = 500) -> list[JobEvent]:
    """The account's events that follow an event, in order and without gaps."""
    values = {"account_id": account_id, "event_id": event_id, "limit": limit}
    return [_event(row) for row in await _rows(conn, statement("events_after"), values)]


def _event(row: dict[str, Any]) -> JobEvent:
    """An event with the job as it was then."""
    source = {name: value for name, value in row.items() if name.startswith("source_")}
    return JobEvent(
        id=row["id"],
        job_id=row["job_id"],
        at=row["at"],
        state=State(row["state"]),
        stage=Stage(row["stage"]) if row["stage"] else None,
        attempt=row["attempt"],
        message=row["message"],
        job=Job.from_row({**row["job"], **source}),
    )


async def last_event_id(conn: AsyncConnection[Any], account_id: UUID) -> int:
    """The number of the account's newest event; 0 before the first."""
    rows = await _rows(conn, "SELECT last_event_id FROM accounts WHERE id = %(id)s", {"id": account_id})
    return int(rows[0]["last_event_id"]) if rows else 0


async def count_active(conn: AsyncConnection[Any], account_id: UUID) -> int:
    """How many of the account's jobs wait or run."""
    query = "SELECT count(*) AS n FROM jobs WHERE account_id = %(id)s AND finished_at IS NULL"
    rows = await _rows(conn, query, {"id": account_id})
    return int(rows[0]["n"])


async def request_cancel(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> Job:
    """Cancel a waiting job at once; ask the worker of a running one to stop it.

    Raises:
        VarloomError: `job_not_found`; `job_already_final`.
    """
    commit_point("request_cancel", conn)
    ids = {"account_id": account_id, "job_id": job_id}
    for _ in range(3):  # the job may be claimed, or returned to the queue, between the two statements
        job = await _job(conn, "cancel_waiting", {**ids, "message": "Cancelled while it waited."})
        if job is not None:
            return job
        job = await _job(conn, "request_cancel", {**ids, "message": "Cancel requested."})
        if job is not None:
            await conn.execute("SELECT pg_notify('varloom_cancel', %s)", [str(job_id)])
            return job
    job = await get_job(conn, account_id, job_id)
    raise VarloomError(JOB_ALREADY_FINAL, f"The job is {job.state.value} already.")


async def retry_by_hand(
    conn: AsyncConnection[Any],
    account_id: UUID,
    job_id: UUID,
    *,
    from_stage: Stage | None = None,
    options: dict[str, Any] | None = None,
    plan: tuple[Stage, ...] | None = None,
    plan_version: int | None = None,
    stale: Collection[Stage] = (),
) -> Job:
    """Queue a failed or cancelled job again, with fresh attempts.

    Args:
        conn: a connection.
        account_id: whose job.
        job_id: which.
        from_stage: the stage to begin with; unset: the first one that has left nothing that still holds.
        options: new options; unset: as before.
        plan: the new plan that goes with the new options; unset: as before.
        plan_version: that of the new plan; unset: as before.
        stale: stages whose artefacts do not go with the new options.

    Raises:
        VarloomError: `job_not_found`, `job_not_final`, `job_completed` or `stage_not_resumable`.
    """
    job = await get_job(conn, account_id, job_id)
    if job.state is State.COMPLETED:
        raise VarloomError(JOB_COMPLETED, "The job is completed already; its table can be opened.")
    if not job.is_final:
        raise VarloomError(JOB_NOT_FINAL, f"The job is still {job.state.value}.")
    plan = plan or job.plan
    stage, kept = resume(job, plan, from_stage, stale)
    commit_point("retry_by_hand", conn)
    retried = await _job(
        conn,
        "retry_by_hand",
        {
            "account_id": account_id,
            "job_id": job_id,
            "stage": stage.value,
            "plan": [item.value for item in plan],
            "plan_version": plan_version,
            "options": Jsonb(job.options if options is None else options),
            "artefacts": Jsonb(kept),
            "warnings": Jsonb(list(job.warnings) if kept else []),
            "message": f"Retried by hand. {_waiting(stage)}",
        },
    )
    if retried is None:
        raise VarloomError(JOB_NOT_FINAL, "The job was retried already.")
    await enqueue(conn, stage)
    return retried


async def retry_now(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> Job:
    """End a job's wait for its automatic retry: the attempt that it waits for may begin at once, and counts as before.

    A retry that is due already is left as it is.

    Raises:
        VarloomError: `job_not_found`; `job_not_final` for a job that waits for no retry.
    """
    commit_point("retry_now", conn)
    ids = {"account_id": account_id, "job_id": job_id}
    job = await _job(conn, "retry_now", {**ids, "message": "Its wait for the retry was ended by hand."})
    if job is None:  # somebody was faster, or its time has come
        job = await get_job(conn, account_id, job_id)
        if job.retry_at is None:
            raise VarloomError(JOB_NOT_FINAL, f"The job is {job.state.value}: it waits for no retry.")
        return job
    await enqueue(conn, job.stage or job.plan[0])
    return job


async def prioritise(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID, priority: int) -> Job:
    """Change the priority of a job that waits or runs; it counts from the next claim on.

    Raises:
        VarloomError: `job_not_found`; `job_already_final`.
    """
    commit_point("prioritise", conn)
    values = {"priority": priority, "message": f"Its priority was set to {priority}."}
    job = await _job(conn, "prioritise", {"account_id": account_id, "job_id": job_id, **values})
    if job is None:
        job = await get_job(conn, account_id, job_id)
        raise VarloomError(JOB_ALREADY_FINAL, f"The job is {job.state.value} already.")
    return job


async def dismiss(conn: AsyncConnection[Any], account_id: UUID, job_id: UUID) -> None:
    """Take a final job out of the Job Manager; its sample stays.

    Raises:
        VarloomError: `job_not_found` or `job_not_final`.
    """
    commit_point("dismiss", conn)
    cursor = await conn.execute(statement("dismiss"), {"account_id": account_id, "job_id": job_id})
    if cursor.rowcount == 0:
        job = await get_job(conn, account_id, job_id)
        raise VarloomError(JOB_NOT_FINAL, f"The job is still {job.state.value}.")


# --- What workers do ------------------------------------------------------------------------------------------------


async def claim(
    conn: AsyncConnection[Any],
    stage: Stage,
    worker_id: UUID,
    *,
    plan_version: int = 1,
    suspects: bool = True,
    serves: Sequence[str] | None = None,
    after: UUID | None = None,
) -> Claim | None:
    """Take the best waiting job of the stage, atomically, and a ticket with it; None when nothing waits.

    Args:
        conn: a connection.
        stage: which stage has a free slot.
        worker_id: who takes it.
        plan_version: the newest plan that the worker knows; jobs with newer ones are left to others.
        suspects: whether it may be one of the stages with which a worker died.
        serves: the needs that the worker meets (see `needs`); None: any.
        after: the account of a job that this transaction has settled. The transaction is then committed as well: what
            it has locked is not kept for the time until the caller has heard of the claim.
    """
    commit_point("claim", conn)
    running = STATE_OF_STAGE[stage]
    values = {
        "stage": stage.value,
        "state": running.value,
        "worker_id": worker_id,
        "plan_version": plan_version,
        "suspects": suspects,
        "serves": None if serves is None else list(serves),
        "message": f"{running.value.capitalize()} has begun.",
        "after": after,
    }
    async with conn.cursor(row_factory=dict_row) as cursor:
        if after is None:
            await cursor.execute(job_statement("claim"), values)
        else:
            async with one_round_trip(conn):
                await cursor.execute(job_statement("claim"), values)
                await conn.commit()
        rows = await cursor.fetchall()
    if not rows:
        return None
    job = Job.from_row(rows[0])
    return Claim(job, stage, rows[0]["attempt_token"])


def _claimed(claim: Claim) -> dict[str, Any]:
    """The values by which only the holder of the claim finds the job."""
    return {"job_id": claim.job.id, "stage": claim.stage.value, "token": claim.token}


async def hold(conn: AsyncConnection[Any], claim: Claim, log: str = "", *, is_one_of_many: bool = True) -> Job | None:
    """Lock the job for settling, and keep what the processes of the attempt said; None when the claim is lost.

    Args:
        conn: a connection.
        claim: what is settled.
        log: what is kept, if anything was said.
        is_one_of_many: whether there may be more attempts than keep their log; those of one good run are a handful.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        async with one_round_trip(conn):  # with the BEGIN
            await cursor.execute(job_statement("hold"), _claimed(claim))
            if log:  # nothing for a claim that is lost
                await conn.execute(statement("keep_log"), {**_claimed(claim), "text": log})
            if log and is_one_of_many:
                await conn.execute(statement("forget_logs"), {"job_id": claim.job.id, "kept": KEPT_LOGS})
        rows = await cursor.fetchall()
    return Job.from_row(rows[0]) if rows else None


async def write_progress(conn: AsyncConnection[Any], claim: Claim, progress: Mapping[str, Any]) -> bool | None:
    """Write the latest progress: whether the user asked to cancel, or None when the claim is lost."""
    commit_point("write_progress", conn)
    rows = await _rows(
        conn,
        statement("write_progress"),
        {"job_id": claim.job.id, "token": claim.token, "progress": Jsonb(dict(progress))},
    )
    return bool(rows[0]["cancel_requested"]) if rows else None


async def is_cancel_requested(conn: AsyncConnection[Any], claim: Claim) -> bool | None:
    """Whether the user asked to cancel, or None when the claim is lost."""
    rows = await _rows(conn, statement("is_cancel_requested"), _claimed(claim))
    return bool(rows[0]["cancel_requested"]) if rows else None


async def settle_advance(conn: AsyncConnection[Any], claim: Claim, outcome: Succeeded) -> Job | None:
    """Go on to the next stage of the plan, whose ticket is put by the same statement."""
    commit_point("settle_advance", conn)
    following = next_stage(claim.job.plan, claim.stage)
    if following is None:
        raise AssertionError("the last stage completes a job, it does not advance it")
    values = {
        "next_stage": following.value,
        "message": _waiting(following),
        "artefact": Jsonb(outcome.result),
        "warnings": Jsonb(list(outcome.warnings)),
        "ticket": TICKET,
    }
    return await _job(conn, "settle_advance", {**_claimed(claim), **values})


async def settle_complete(
    conn: AsyncConnection[Any],
    claim: Claim,
    outcome: Succeeded,
    *,
    sample_id: UUID,
    records: int,
    variants: int | None,
) -> Job | None:
    """Complete the job, in the transaction that publishes its dataset."""
    commit_point("settle_complete", conn)
    values = {
        "sample_id": sample_id,
        "records": records,
        "variants": variants,
        "message": f"Completed with {counted(records, 'record')}.",
        "artefact": Jsonb(outcome.result),
        "warnings": Jsonb(list(outcome.warnings)),
    }
    return await _job(conn, "settle_complete", {**_claimed(claim), **values})


async def settle_retry(
    conn: AsyncConnection[Any], claim: Claim, outcome: Failed, *, delay: float, suspect: bool = False
) -> Job | None:
    """Count the failed attempt and queue the next one, `delay` seconds from now."""
    commit_point("settle_retry", conn)
    nth = claim.job.attempt
    message = f"Attempt {nth} of {claim.job.max_attempts} failed: {outcome.error['message']}"
    values = {"error": Jsonb(outcome.error), "delay": delay, "message": message, "suspect": suspect}
    job = await _job(conn, "settle_retry", {**_claimed(claim), **values})
    if job is not None:
        await enqueue(conn, claim.stage, job.run_after)
    return job


async def settle_suspect(conn: AsyncConnection[Any], claim: Claim, outcome: WorkerDied) -> Job | None:
    """Queue again one of several stages that a worker died with; the attempt does not count."""
    commit_point("settle_suspect", conn)
    others = counted(outcome.beside, "other stage")
    message = f"Its worker died while it ran this and {others}. {_waiting(claim.stage)}"
    values = {"error": Jsonb(outcome.failure.error), "message": message}
    job = await _job(conn, "settle_suspect", {**_claimed(claim), **values})
    if job is not None:
        await enqueue(conn, claim.stage)
    return job


async def settle_fail(
    conn: AsyncConnection[Any], claim: Claim, outcome: Failed, *, suspect: bool = False
) -> Job | None:
    """End the job as failed."""
    commit_point("settle_fail", conn)
    values = {"error": Jsonb(outcome.error), "message": f"Failed: {outcome.error['message']}", "suspect": suspect}
    return await _job(conn, "settle_fail", {**_claimed(claim), **values})


async def settle_cancel(conn: AsyncConnection[Any], claim: Claim) -> Job | None:
    """End the job as cancelled."""
    commit_point("settle_cancel", conn)
    return await _job(conn, "settle_cancel", {**_claimed(claim), "message": "Cancelled."})


async def settle_release(conn: AsyncConnection[Any], claim: Claim, why: str) -> Job | None:
    """Return the stage to the queue for the reason given; the attempt does not count."""
    commit_point("settle_release", conn)
    message = f"{why} {_waiting(claim.stage)}"
    job = await _job(conn, "settle_release", {**_claimed(claim), "message": message})
    if job is not None:
        await enqueue(conn, claim.stage)
    return job


# --- Workers and rescue ---------------------------------------------------------------------------------------------


async def register_worker(
    conn: AsyncConnection[Any],
    worker_id: UUID,
    *,
    host: str,
    pid: int,
    version: str,
    slots: Mapping[Stage, int],
    plan_version: int = 1,
    stages_at_once: int | None = None,
    offer: Offer | None = None,
) -> None:
    """Enter a worker that has started; what it has for secondary analysis is its `offer`."""
    commit_point("register_worker", conn)
    by_name = Jsonb({stage.value: count for stage, count in slots.items()})
    known = {"version": version, "plan_version": plan_version}
    room = {"slots": by_name, "stages_at_once": stages_at_once, **_offered(offer or Offer())}
    await conn.execute(
        statement("register_worker"), {"worker_id": worker_id, "host": host, "pid": pid, **known, **room}
    )


async def change_offer(conn: AsyncConnection[Any], worker_id: UUID, offer: Offer) -> None:
    """Note that a worker has other engines than it said."""
    await conn.execute(statement("offer"), {"worker_id": worker_id, **_offered(offer)})


def _offered(offer: Offer) -> dict[str, Any]:
    serves = None if offer.serves is None else list(offer.serves)
    return {"engines": Jsonb([dict(engine) for engine in offer.engines]), "serves": serves}


async def beat(conn: AsyncConnection[Any], worker_id: UUID) -> bool:
    """Say that the worker lives; False when it was given up for dead."""
    commit_point("heartbeat", conn)
    return bool(await _rows(conn, statement("beat"), {"worker_id": worker_id}))


async def stop_worker(conn: AsyncConnection[Any], worker_id: UUID) -> None:
    """Note that a worker has ended."""
    commit_point("stop_worker", conn)
    await conn.execute(statement("stop_worker"), {"worker_id": worker_id})


async def give_up_worker(conn: AsyncConnection[Any], worker: WorkerRecord) -> None:
    """Note that a worker is given up for dead, unless it has spoken since it was looked at."""
    commit_point("give_up_worker", conn)
    values = {"worker_id": worker.id, "heartbeat_at": worker.heartbeat_at}
    await conn.execute(statement("give_up_worker"), values)


async def living_workers(conn: AsyncConnection[Any]) -> list[WorkerRecord]:
    """The workers that have neither ended nor been given up."""
    return [WorkerRecord(**row) for row in await _rows(conn, statement("living_workers"), {})]


async def claims_of(conn: AsyncConnection[Any], worker_id: UUID) -> list[HeldStage]:
    """What this worker holds, and whether users asked to cancel it."""
    rows = await _rows(conn, statement("claims_of"), {"worker_id": worker_id})
    return [HeldStage(stage=Stage(row.pop("stage")), **row) for row in rows]


async def dead_holders(conn: AsyncConnection[Any]) -> list[UUID]:
    """The workers that have ended and hold stages still."""
    return [row["id"] for row in await _rows(conn, statement("dead_holders"), {})]


async def orphaned_claims(conn: AsyncConnection[Any], worker_id: UUID) -> list[Claim]:
    """Take over all that a worker that has ended holds, in order to settle it: the jobs are locked.

    They are taken over together, so that everyone who returns them sees how many they were.
    """
    if not await _rows(conn, statement("hold_worker"), {"worker_id": worker_id}):
        return []
    query = job_statement("hold_orphans") + " ORDER BY j.account_id, j.id"
    jobs = [Job.from_row(row) for row in await _rows(conn, query, {"worker_id": worker_id})]
    return [Claim(job, job.stage, job.attempt_token) for job in jobs if job.stage and job.attempt_token]


async def job_of_claim(conn: AsyncConnection[Any], job_id: UUID, stage: Stage, token: UUID) -> Claim | None:
    """Take over a claim in order to settle it: the job is locked; None when it was settled meanwhile."""
    job = await _job(conn, "hold", {"job_id": job_id, "stage": stage.value, "token": token})
    return Claim(job, stage, token) if job else None


async def add_missing_tickets(conn: AsyncConnection[Any], at_most: int) -> None:
    """Put into each queue the tickets that it lacks for the jobs that could begin now, but at most so many."""
    for row in await _rows(conn, statement("missing_tickets"), {}):
        for _ in range(min(int(row["missing"]), at_most)):
            await enqueue(conn, Stage(row["stage"]))


async def due_tickets(conn: AsyncConnection[Any], stages: Sequence[Stage]) -> dict[Stage, int]:
    """How many tickets of these stages are due, of those that have any."""
    rows = await _rows(conn, statement("due_tickets"), {"stages": [stage.value for stage in stages]})
    return {Stage(row["stage"]): row["due"] for row in rows}


async def forget_the_dead(conn: AsyncConnection[Any]) -> None:
    """Delete the tickets whose deliverer has died, and workers that ended long ago."""
    commit_point("tidy_queue", conn)
    await conn.execute(statement("forget_tickets"))
    await conn.execute(statement("forget_workers"))
