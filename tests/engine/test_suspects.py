"""A job that kills its worker each time, with real worker processes: it ends, and nobody else pays for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

import pytest
from tests.engine.conftest import FAILURE
from tests.engine.test_repository import settle_now

from varloom.db.database import Database
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.outcome import Failed, Released, Succeeded
from varloom.jobs.rescue import Rescuer
from varloom.services import worker_process
from varloom.services.worker_process import WorkerProcess

DONE = ["done", {"records": 1}]
POISON = [["progress", 1, 2], ["sleep", 0.3], ["kill_worker"], ["sleep", 60]]
SLOW = [["progress", 1, 2], ["sleep", 1.0], DONE]


@contextlib.asynccontextmanager
async def kept_workers(engine, number, **options):
    """Worker processes that are started again whenever they die, as a server does it."""
    command = [sys.executable, "-m", "tests.engine.scripted_worker", engine.url, json.dumps(options)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [WorkerProcess(command, environment, Database(engine.url), grace=5.0) for _ in range(number)]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            await worker.stop()
        await asyncio.gather(*running)


@pytest.mark.parametrize("number", [1, 2])
async def test_a_job_that_kills_its_worker_ends_failed_and_its_neighbours_complete(
    engine, connection, monkeypatch, number
):
    """The neighbours have one attempt, which the worker's deaths must not take: the first death makes all suspects."""
    monkeypatch.setattr(worker_process, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(worker_process, "LONGEST_DELAY", 0.05)
    early = [await engine.create(parse=[SLOW], max_attempts=1) for _ in range(3)]
    poisons = [await engine.create(parse=[POISON], max_attempts=3) for _ in range(number)]
    late = [await engine.create(parse=[SLOW], max_attempts=1) for _ in range(4)]
    async with kept_workers(engine, number, slots={"parse": 4}):
        ended = [await engine.at_rest(poison.id, seconds=60) for poison in poisons]
        for job in [*early, *late]:
            neighbour = await engine.at_rest(job.id, seconds=60)
            assert (neighbour.state, neighbour.attempt) == (State.COMPLETED, 1)
            assert neighbour.suspected_at is None
    assert {(job.state, job.attempt, job.error["code"]) for job in ended} == {(State.FAILED, 3, "worker_crashed")}
    cursor = await connection.execute(
        "SELECT count(DISTINCT job_id) FROM job_events WHERE message LIKE 'Its worker died%'"
    )
    assert (await cursor.fetchone())[0] > number, "the worker never died with neighbours, so that nothing was shown"


@pytest.fixture
def rescuer(engine):
    return Rescuer(engine.pool, engine.backend, interval=5.0, worker_timeout=20.0, retry_delay=0.0)


async def die_with(engine, rescuer, *, suspects=True, jobs=3):
    """A worker claims jobs, and dies with them; they are returned."""
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
        claims = [await repository.claim(conn, Stage.PARSE, worker_id, suspects=suspects) for _ in range(jobs)]
    async with engine.pool.connection() as conn:
        await repository.stop_worker(conn, worker_id)
    returned = await rescuer.return_orphans()
    assert returned == sum(claim is not None for claim in claims)
    return [await engine.job(claim.job.id) for claim in claims if claim is not None]


async def test_who_died_with_others_is_a_suspect_and_loses_no_attempt_the_first_time(engine, rescuer):
    for _ in range(3):
        await engine.create()
    jobs = await die_with(engine, rescuer)
    assert {(job.state, job.attempt, job.error["code"]) for job in jobs} == {(State.QUEUED, 1, "worker_crashed")}
    assert all(job.suspected_at for job in jobs)
    assert "this and 2 other stages" in jobs[0].message
    again = await die_with(engine, rescuer)
    assert {job.attempt for job in again} == {2}, "suspects are charged: an older worker may have taken several"


async def test_who_died_alone_is_charged(engine, rescuer):
    await engine.create(max_attempts=1)
    (job,) = await die_with(engine, rescuer, jobs=1)
    assert (job.state, job.error["code"]) == (State.FAILED, "worker_crashed")


async def test_one_suspect_among_others_is_charged_and_the_others_become_suspects(engine, rescuer):
    first = await engine.create()
    await engine.create()
    await die_with(engine, rescuer, jobs=2)
    fresh = await engine.create(priority=9)
    jobs = await die_with(engine, rescuer, jobs=2)
    assert {job.id: job.attempt for job in jobs} == {fresh.id: 1, first.id: 2}
    assert all(job.suspected_at for job in jobs)


@pytest.mark.parametrize(
    ("outcome", "cleared"), [(Succeeded({"records": 1}), True), (Failed(FAILURE), True), (Released(), False)]
)
async def test_a_suspect_whose_stage_ends_by_itself_is_one_no_more(engine, rescuer, outcome, cleared):
    job = await engine.create()
    await engine.create()
    await die_with(engine, rescuer, jobs=2)
    await settle_now(engine, await engine.claim(), outcome)
    assert ((await engine.job(job.id)).suspected_at is None) == cleared


async def test_a_worker_runs_one_suspect_at_a_time_and_others_beside_it(engine, rescuer, tmp_path):
    go_on = tmp_path / "go-on"
    held = [["progress", 1, 2], ["wait", str(go_on)], DONE]
    suspects = [await engine.create(parse=[held]) for _ in range(3)]
    await die_with(engine, rescuer)
    others = [await engine.create(parse=[held]) for _ in range(2)]
    async with engine.worker(slots={Stage.PARSE: 5}):
        for job in (suspects[0], *others):
            await engine.until(job.id, lambda job: job.state is State.PARSING)
        assert [(await engine.job(job.id)).state for job in suspects[1:]] == [State.QUEUED, State.QUEUED]
        go_on.touch()
        for job in (*suspects, *others):
            assert (await engine.at_rest(job.id)).state is State.COMPLETED
