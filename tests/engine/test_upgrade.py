"""Workers of two versions on one database: the older one goes on, and leaves alone what it does not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.engine.test_suspects import kept_workers
from tests.engine.test_worker import DONE

from varloom.jobs import line
from varloom.jobs.lifecycle import Stage, State

OLD = Path(__file__).with_name("statements_of_0004")
PLAN = (Stage.DOWNLOAD, Stage.PARSE)
SLOTS = {Stage.DOWNLOAD: 2, Stage.PARSE: 2}


def as_it_was_sent(text):
    """The statement with numbered parameters, as the driver sends it."""
    names = []

    def numbered(match):
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", numbered, text).replace("%%", "%")


@pytest.mark.parametrize("path", sorted(OLD.glob("*.sql")), ids=lambda path: path.stem)
async def test_what_the_version_before_says_is_understood(connection, path):
    """Every statement of a worker and a server of the version before, by the tables as they are now."""
    text = path.read_text()
    if path.stem == "job_columns":  # the ending of others
        return
    if "changed AS" in text and text.endswith(")\n"):
        text += (OLD / "job_columns.sql").read_text()
    await connection.execute(b"EXPLAIN (GENERIC_PLAN) " + as_it_was_sent(text).encode())


async def test_an_older_worker_and_a_newer_one_work_side_by_side(engine, connection):
    """Each job is done once, and both have a share in it. Jobs with a newer plan wait for the newer worker."""
    scripts = {"download": [[["sleep", 0.05], ["done", {"key": "k"}]]], "parse": [[["sleep", 0.05], DONE]]}
    jobs = [await engine.create(plan=PLAN, **scripts) for _ in range(30)]
    newer = [await engine.create(plan=PLAN, plan_version=2, **scripts) for _ in range(4)]
    engine.backend.plan_version = 2
    slots = {stage.value: count for stage, count in SLOTS.items()}
    async with kept_workers(engine, 1, slots=slots, statements=str(OLD)):
        for job in jobs[:5]:
            assert (await engine.at_rest(job.id)).state is State.COMPLETED
        assert {(await engine.job(job.id)).state for job in newer} == {State.QUEUED}
        async with engine.worker(slots=SLOTS):
            for job in [*jobs, *newer]:
                done = await engine.at_rest(job.id, seconds=60)
                assert (done.state, done.attempt) == (State.COMPLETED, 1)
    cursor = await connection.execute(
        "SELECT job->>'worker_id' AS worker, count(*), bool_or((job->>'plan_version')::int = 2) FROM job_events"
        " WHERE state IN ('downloading', 'parsing') GROUP BY 1"
    )
    shares = [(count, has_newer) for _, count, has_newer in await cursor.fetchall()]
    assert sorted(has_newer for _, has_newer in shares) == [False, True]
    assert sum(count for count, _ in shares) == 2 * (len(jobs) + len(newer))


async def place(engine, job):
    async with engine.pool.connection() as conn:
        return (await line.places_of(conn, engine.account.id, [await engine.job(job.id)]))[job.id]


async def test_a_job_that_no_worker_can_take_says_so_and_waits(engine):
    job = await engine.create(plan_version=2, parse=[[DONE]])
    other = await engine.create(plan=PLAN, download=[[["done", {}]]], parse=[[DONE]])
    assert (await place(engine, job)).held_up.cause == "no_slots"
    async with engine.worker():
        known = await engine.create(parse=[[DONE]])
        await engine.at_rest(known.id)
        assert (await place(engine, job)).held_up.message == (
            "Waiting: no running worker knows this job's plan; update the workers."
        )
        assert (await place(engine, job)).ahead is None
        told = (await place(engine, other)).held_up
        assert told.message == "Waiting: no running worker has a slot for the download stage."
        assert (await engine.job(job.id)).attempt == 1
    engine.backend.plan_version = 2
    async with engine.worker(slots=SLOTS):
        for waiting in (job, other):
            assert (await engine.at_rest(waiting.id)).state is State.COMPLETED
