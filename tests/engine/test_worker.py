"""Workers with real child processes on a real database: every ending of a stage, and what becomes of the job."""

from __future__ import annotations

import asyncio
import collections
import os
import signal
import time

import psutil
import pytest
from tests.engine.conftest import FAILURE, REFUSAL
from tests.engine.test_repository import tickets

from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.jobs import worker as worker_module
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.rescue import Rescuer
from varloom.storage.problems import STORAGE_UNREACHABLE

DONE = ["done", {"records": 5, "variants": 6}]


async def codes(engine, job_id):
    """The error codes in the order in which the job's history shows them."""
    found = []
    for event in await engine.history(job_id):
        code = (event.job.error or {}).get("code")
        if code and (not found or found[-1][0] != event.attempt):
            found.append((event.attempt, code))
    return [code for _, code in found]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def eventually(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def test_a_job_runs_through_its_stages_to_completion(engine):
    job = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE), download=[[["done", {"key": "k"}]]], parse=[[DONE]])
    async with engine.worker(slots={Stage.DOWNLOAD: 1, Stage.PARSE: 1}):
        done = await engine.at_rest(job.id)
    assert (done.state, done.records, done.variants) == (State.COMPLETED, 5, 6)
    assert engine.backend.begun == [(job.id, Stage.DOWNLOAD, 1), (job.id, Stage.PARSE, 1)]
    assert engine.backend.discarded == []


async def test_progress_is_seen_while_it_runs_with_rate_and_rest(engine, tmp_path):
    go_on, finish = tmp_path / "go-on", tmp_path / "finish"
    script = [["progress", 10, 100], ["wait", str(go_on)], ["progress", 50, 100], ["wait", str(finish)], DONE]
    job = await engine.create(parse=[script])
    async with engine.worker():
        first = await engine.until(job.id, lambda job: job.progress is not None)
        assert (first.state, first.progress["done"], first.progress["total"]) == (State.PARSING, 10, 100)
        go_on.touch()
        second = await engine.until(job.id, lambda job: job.progress["done"] == 50)
        assert second.progress["rate"] > 0
        assert second.progress["eta_seconds"] >= 0
        finish.touch()
        done = await engine.at_rest(job.id)
    assert done.progress is None


async def test_a_child_that_is_killed_is_a_failed_attempt_and_the_next_one_completes(engine):
    job = await engine.create(parse=[[["progress", 1, 9], ["die", signal.SIGKILL]], [DONE]])
    async with engine.worker():
        done = await engine.at_rest(job.id)
    assert (done.state, done.attempt, done.error) == (State.COMPLETED, 2, None)
    assert await codes(engine, job.id) == ["stage_crashed"]
    waiting = (await engine.history(job.id))[2]
    assert "signal 9 (SIGKILL)" in waiting.message
    assert waiting.job.retry_at is not None


async def test_a_child_that_leaves_without_a_word_every_time_ends_the_job_and_not_its_neighbours(engine):
    poison = await engine.create(parse=[[["exit", 3]]], max_attempts=3)
    neighbours = [await engine.create(parse=[[["sleep", 0.05], DONE]]) for _ in range(4)]
    async with engine.worker():
        failed = await engine.at_rest(poison.id)
        for neighbour in neighbours:
            assert (await engine.at_rest(neighbour.id)).attempt == 1
    assert (failed.state, failed.attempt, failed.error["code"]) == (State.FAILED, 3, "stage_crashed")
    assert failed.error["resolution"]
    assert len([begun for begun in engine.backend.begun if begun[0] == poison.id]) == 3
    assert len(engine.backend.discarded) == 3


async def test_a_refusal_is_final_and_a_failure_is_retried(engine):
    refused = await engine.create(parse=[[["fail", REFUSAL]]])
    mended = await engine.create(parse=[[["fail", FAILURE]], [["fail", FAILURE]], [DONE]])
    async with engine.worker():
        assert (await engine.at_rest(refused.id)).attempt == 1
        done = await engine.at_rest(mended.id)
    assert (done.state, done.attempt) == (State.COMPLETED, 3)


async def test_a_stage_that_does_not_move_is_stopped_and_counts_as_failed(engine):
    still = [["progress", 1, 9], ["sleep", 60]]
    moving = [move for done in range(50) for move in (["progress", done, 50], ["sleep", 0.1])]
    job = await engine.create(parse=[still], max_attempts=1)
    slow = await engine.create(parse=[[*moving, DONE]], max_attempts=1)
    async with engine.worker(stall_limit=4.0):
        failed = await engine.at_rest(job.id)
        assert (await engine.at_rest(slow.id)).state is State.COMPLETED, "there is no limit on a stage that moves"
    assert failed.error["code"] == "stage_stalled"


async def test_cancel_ends_a_running_stage_with_all_its_processes(engine, tmp_path):
    pid_file = tmp_path / "pid"
    job = await engine.create(parse=[[["spawn", str(pid_file)], ["progress", 1, 2], ["sleep", 60]]])
    async with engine.worker(heartbeat_interval=60.0):
        await engine.until(job.id, lambda job: job.progress is not None)
        grandchild = int(pid_file.read_text())
        assert is_alive(grandchild)
        asked_at = time.monotonic()
        async with engine.pool.connection() as conn:
            await repository.request_cancel(conn, engine.account.id, job.id)
        cancelled = await engine.at_rest(job.id)
        assert time.monotonic() - asked_at < 30, "long before the stage ends, or the next heartbeat comes"
    assert cancelled.state is State.CANCELLED
    await eventually(lambda: not is_alive(grandchild))
    assert len(engine.backend.discarded) == 1


async def test_two_workers_never_run_the_same_stage_twice(engine):
    scripts = {"download": [[["done", {}]]], "parse": [[DONE]]}
    jobs = [await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE), **scripts) for _ in range(30)]
    slots = {Stage.DOWNLOAD: 3, Stage.PARSE: 3}
    async with engine.worker(slots=slots), engine.worker(slots=slots):
        for job in jobs:
            assert (await engine.at_rest(job.id, seconds=60)).state is State.COMPLETED
    begun = collections.Counter(engine.backend.begun)
    assert begun == {(job.id, stage, 1): 1 for job in jobs for stage in (Stage.DOWNLOAD, Stage.PARSE)}


async def test_a_stopping_worker_returns_its_stage_and_the_attempt_does_not_count(engine):
    job = await engine.create(parse=[[["progress", 1, 2], ["sleep", 60]]])
    async with engine.worker(shutdown_grace=0.1):
        await engine.until(job.id, lambda job: job.progress is not None)
    returned = await engine.job(job.id)
    assert (returned.state, returned.attempt, returned.attempt_token) == (State.QUEUED, 1, None)


async def test_a_stopping_worker_lets_a_short_stage_finish(engine, tmp_path):
    finish = tmp_path / "finish"
    job = await engine.create(parse=[[["progress", 1, 2], ["wait", str(finish)], DONE]])
    async with engine.worker(shutdown_grace=30.0) as worker:
        await engine.until(job.id, lambda job: job.progress is not None)
        worker.stop()
        finish.touch()
    assert (await engine.job(job.id)).state is State.COMPLETED


async def test_a_zombie_worker_drops_its_work_and_its_result_is_thrown_away(engine, tmp_path):
    """Given up for dead while it still runs: the job is done by another attempt, once."""
    finish = tmp_path / "finish"
    script = [["progress", 1, 2], ["wait", str(finish)], ["done", {"records": 1}]]
    job = await engine.create(parse=[script, [["done", {"records": 2}]]])
    async with engine.worker(heartbeat_interval=1.0, rescue_interval=0.1) as worker:
        await engine.until(job.id, lambda job: job.progress is not None)
        dead = worker.id
        async with engine.pool.connection() as conn:
            await repository.stop_worker(conn, dead)
        await engine.until(job.id, lambda job: job.attempt == 2)
        finish.touch()
        done = await engine.at_rest(job.id)
        await eventually(lambda: worker.id != dead)
    assert (done.state, done.attempt, done.records) == (State.COMPLETED, 2, 2)
    assert await codes(engine, job.id) == ["worker_crashed"]


class Clock:
    """A clock that goes when it is told to, with a rescuer that looks by it."""

    def __init__(self, engine):
        self.now = 0.0
        options = {"interval": 5.0, "worker_timeout": 20.0, "retry_delay": 0.0, "clock": lambda: self.now}
        self.rescuer = Rescuer(engine.pool, engine.backend, **options)

    async def look(self, *, after):
        self.now += after
        return await self.rescuer.step()


async def test_a_silent_worker_is_given_up_only_after_the_timeout_on_the_observers_own_clock(engine):
    job = await engine.create(max_attempts=2)
    clock = Clock(engine)
    for attempt in (1, 2):
        claim = await engine.claim()
        assert claim.job.attempt == attempt
        assert [await clock.look(after=5) for _ in range(4)] == [0, 0, 0, 0]
        async with engine.pool.connection() as conn:
            assert await repository.beat(conn, claim.job.worker_id)
        assert [await clock.look(after=5) for _ in range(5)] == [0, 0, 0, 0, 1], "it has spoken since"
    failed = await engine.job(job.id)
    assert (failed.state, failed.error["code"]) == (State.FAILED, "worker_crashed")
    assert await clock.look(after=5) == 0


async def test_an_observer_that_was_away_itself_gives_nobody_up_for_it(engine):
    """Frozen, asleep, or without database: the others may have been so, too."""
    await engine.create()
    await engine.claim()
    clock = Clock(engine)
    assert await clock.look(after=5) == 0
    assert await clock.look(after=3600) == 0
    assert [await clock.look(after=5) for _ in range(3)] == [0, 0, 1]


async def test_lost_tickets_are_replaced(engine, connection):
    jobs = [await engine.create(parse=[[DONE]]) for _ in range(3)]
    await connection.execute("DELETE FROM procrastinate_jobs")
    async with engine.worker():
        for job in jobs:
            assert (await engine.at_rest(job.id)).state is State.COMPLETED


async def test_a_ticket_is_received_by_the_claim_itself(engine, monkeypatch):
    """Nobody fetches one before: what waits costs one claim, and at the end one that finds nothing."""
    claims = []
    claim = repository.claim

    async def counted(conn, stage, *values, **options):
        claims.append(stage)
        return await claim(conn, stage, *values, **options)

    monkeypatch.setattr(repository, "claim", counted)
    jobs = [await engine.create() for _ in range(12)]
    async with engine.worker(slots={Stage.PARSE: 1}):
        for job in jobs:
            assert (await engine.at_rest(job.id)).state is State.COMPLETED
        assert await tickets(engine) == 0
        await eventually(lambda: len(claims) == len(jobs) + 1)


async def test_a_stage_is_settled_and_the_next_one_claimed_in_one_transaction(engine, connection):
    jobs = [await engine.create() for _ in range(6)]
    async with engine.worker(slots={Stage.PARSE: 1}):
        for job in jobs:
            assert (await engine.at_rest(job.id)).state is State.COMPLETED
    cursor = await connection.execute(
        "SELECT count(*) FROM job_events AS ended JOIN job_events AS begun ON begun.xmin = ended.xmin"
        " WHERE ended.state = 'completed' AND begun.state = 'parsing'"
    )
    assert await cursor.fetchone() == (len(jobs) - 1,)


async def test_a_job_that_comes_while_the_last_slot_finds_nothing_does_not_wait(engine, monkeypatch):
    """Its ticket is told of to a worker without a free slot, whose claim has already looked."""
    claim = repository.claim
    late = []

    async def before_the_answer(conn, stage, *values, **options):
        claimed = await claim(conn, stage, *values, **options)
        if claimed is None and not late:
            told = worker._told[stage]
            late.append(await engine.create())
            await eventually(lambda: worker._told[stage] > told)
        return claimed

    monkeypatch.setattr(worker_module, "TICKET_POLL_INTERVAL", 3600.0)
    monkeypatch.setattr(repository, "claim", before_the_answer)
    async with engine.worker(slots={Stage.PARSE: 1}) as worker:
        job = await engine.create()
        assert (await engine.at_rest(job.id)).state is State.COMPLETED
        await eventually(lambda: late)
        assert (await engine.at_rest(late[0].id)).state is State.COMPLETED


async def test_a_ticket_too_many_does_nothing(engine, connection):
    job = await engine.create(parse=[[DONE]])
    await connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT queue_name, task_name, args FROM procrastinate_jobs CROSS JOIN generate_series(1, 5)"
    )
    async with engine.worker():
        await engine.at_rest(job.id)
        await eventually(lambda: engine.backend.begun == [(job.id, Stage.PARSE, 1)])
    assert engine.backend.begun == [(job.id, Stage.PARSE, 1)]


@pytest.mark.parametrize("moment", ["running", "settling"])
async def test_a_worker_goes_on_through_the_loss_of_all_its_connections(engine, connection, tmp_path, moment):
    """Every connection of the worker is cut; what it began is finished and settled, and new jobs are taken."""
    finish = tmp_path / "finish"
    job = await engine.create(parse=[[["progress", 1, 2], ["wait", str(finish)], DONE]], max_attempts=1)
    async with engine.worker(worker_timeout=60.0):
        await engine.until(job.id, lambda job: job.progress is not None)
        if moment == "settling":
            finish.touch()
        for _ in range(3):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.1)
        finish.touch()
        done = await engine.at_rest(job.id)
        later = await engine.create(parse=[[DONE]])
        assert (await engine.at_rest(later.id)).state is State.COMPLETED
    assert (done.state, done.attempt) == (State.COMPLETED, 1)
    assert engine.backend.begun == [(job.id, Stage.PARSE, 1), (later.id, Stage.PARSE, 1)]


async def test_a_result_that_the_storage_does_not_give_back_is_told_and_tried_again(engine, monkeypatch):
    """Publishing reads from the storage: its own error is the job's, not an unexpected one of the server."""
    publish = engine.backend.publish
    refusals = [VarloomError(STORAGE_UNREACHABLE, "s3://bucket: no answer.")]

    async def publish_late(conn, job, result):
        if refusals:
            raise refusals.pop()
        return await publish(conn, job, result)

    monkeypatch.setattr(engine.backend, "publish", publish_late)
    job = await engine.create(parse=[[DONE]])
    async with engine.worker():
        done = await engine.at_rest(job.id)
    assert (done.state, done.attempt, done.records) == (State.COMPLETED, 2, 5)
    assert await codes(engine, job.id) == ["storage_unreachable"]
