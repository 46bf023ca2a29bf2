"""Races, outages and stops at the worst moment: every claim is settled once, and a worker always ends."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gc
import time

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.engine.conftest import FAILURE
from tests.engine.test_worker import DONE

from varloom.db.pool import Notification
from varloom.jobs import repository
from varloom.jobs import worker as worker_module
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.model import NewJob
from varloom.jobs.outcome import Failed, Succeeded
from varloom.jobs.rescue import Rescuer
from varloom.jobs.settle import settle

GRACE = 0.5


def rescuer(engine):
    return Rescuer(engine.pool, engine.backend, interval=5.0, worker_timeout=20.0, retry_delay=0.0)


@contextlib.asynccontextmanager
async def no_database(engine):
    """Nobody can connect, and every connection is cut."""
    maintenance = make_conninfo(engine.url, dbname="postgres")
    name = conninfo_to_dict(engine.url)["dbname"]
    async with await psycopg.AsyncConnection.connect(maintenance, autocommit=True) as conn:
        await conn.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        try:
            await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            await conn.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')


async def test_a_worker_ends_within_its_grace_while_the_database_is_away(engine, monkeypatch):
    monkeypatch.setattr(worker_module, "SETTLE_PATIENCE", 1.0)
    job = await engine.create(parse=[[["progress", 1, 2], ["sleep", 60]]])
    async with engine.worker(shutdown_grace=GRACE) as worker:
        await engine.until(job.id, lambda job: job.progress is not None)
        async with no_database(engine):
            began = time.monotonic()
            worker.stop()
            await engine.running
            assert time.monotonic() - began < 20
    assert (await engine.job(job.id)).state is State.PARSING, "nobody could say otherwise"
    async with engine.worker(rescue_interval=0.1):
        returned = await engine.until(job.id, lambda job: job.attempt == 2)
    assert returned.error["code"] == "worker_crashed"
    gc.collect()  # a login that was broken off is closed so; else the database cannot be dropped for a minute


async def test_a_worker_that_cannot_even_register_can_be_stopped(engine):
    async with no_database(engine), engine.worker() as worker:
        await asyncio.sleep(0)
        worker.stop()
        await asyncio.wait_for(asyncio.shield(engine.running), 60)


async def test_a_stage_that_is_claimed_while_the_worker_stops_is_returned(engine, monkeypatch):
    """The claim is under way when the grace ends: its stage must not hold the worker up."""
    claiming, go_on = asyncio.Event(), asyncio.Event()
    claim = repository.claim

    async def slow_claim(*values, **options):
        claiming.set()
        await go_on.wait()
        return await claim(*values, **options)

    monkeypatch.setattr(worker_module.repository, "claim", slow_claim)
    job = await engine.create(parse=[[["progress", 1, 2], ["sleep", 60]]])
    async with engine.worker(shutdown_grace=0.0) as worker:
        await claiming.wait()
        worker.stop()
        await asyncio.wait_for(_until(lambda: worker._releasing), 60)
        go_on.set()
        await asyncio.wait_for(asyncio.shield(engine.running), 60)
    returned = await engine.job(job.id)
    assert (returned.state, returned.attempt) == (State.QUEUED, 1)


async def _until(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def test_an_attempt_that_ends_late_does_not_spoil_the_next_one_of_its_job(engine, tmp_path):
    """Both run in the same worker, which was given up for dead while it lived; the old child is slow to die."""
    finish = tmp_path / "finish"
    old = [["deafen"], ["progress", 1, 2], ["sleep", 60]]
    new = [["progress", 1, 2], ["wait", str(finish)], DONE]
    job = await engine.create(parse=[old, new], max_attempts=2)
    async with engine.worker(heartbeat_interval=0.1, rescue_interval=0.1) as worker:
        await engine.until(job.id, lambda job: job.progress is not None)
        (lost,) = worker._attempts
        async with engine.pool.connection() as conn:
            await repository.stop_worker(conn, worker.id)
        await engine.until(job.id, lambda job: job.attempt == 2 and job.progress is not None)
        assert lost in worker._attempts, "its child takes two seconds to die"
        await asyncio.wait_for(_until(lambda: lost not in worker._attempts), 60)
        finish.touch()
        done = await engine.at_rest(job.id)
    assert (done.state, done.attempt) == (State.COMPLETED, 2)


async def test_a_worker_that_was_given_up_claims_nothing(engine):
    job = await engine.create()
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
        await repository.stop_worker(conn, worker_id)
        assert await repository.claim(conn, Stage.PARSE, worker_id) is None
    assert (await engine.claim()).job.id == job.id


async def test_a_claim_whose_commit_was_never_heard_of_is_returned(engine):
    """The connection broke between the commit and its answer: the job is ours, and we do not know."""
    async with engine.worker(heartbeat_interval=0.1) as worker:
        done = await engine.create(parse=[[DONE]])
        await engine.at_rest(done.id)  # the worker is registered, and has seen that nothing more waits
        upload_id = await engine.upload()
        new = NewJob(engine.account.id, upload_id, "NA1", (Stage.PARSE,), options={"parse": [[DONE]]})
        async with engine.pool.connection() as conn:
            job = await repository.create_job(conn, new)
            assert (await repository.claim(conn, Stage.PARSE, worker.id)).job.id == job.id
        ended = await engine.at_rest(job.id)
    assert (ended.state, ended.attempt) == (State.COMPLETED, 1)
    told = [event.message for event in await engine.history(job.id)]
    assert any("The connection broke when it was about to begin." in message for message in told)


@pytest.mark.parametrize("error", [FileNotFoundError("manifest.json"), ValueError("damaged")])
async def test_a_result_that_cannot_be_published_is_a_failed_attempt(engine, monkeypatch, error):
    async def publish(conn, job, result):
        raise error

    monkeypatch.setattr(engine.backend, "publish", publish)
    job = await engine.create(parse=[[DONE]], max_attempts=2)
    async with engine.worker():
        failed = await engine.at_rest(job.id)
    assert (failed.state, failed.attempt, failed.error["code"]) == (State.FAILED, 2, "internal_error")
    assert len(engine.backend.discarded) == 2


async def test_what_cannot_be_removed_holds_up_no_slot(engine, monkeypatch):
    def discard(claim):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.backend, "discard", discard)
    broken = await engine.create(parse=[[["fail", FAILURE]]], max_attempts=1)
    later = await engine.create(parse=[[DONE]])
    async with engine.worker(slots={Stage.PARSE: 1}):
        assert (await engine.at_rest(broken.id)).state is State.FAILED
        assert (await engine.at_rest(later.id)).state is State.COMPLETED


async def test_a_claim_that_cannot_be_settled_is_settled_when_it_can(engine, connection, monkeypatch):
    """Whatever the database objects to: the worker keeps the claim and tries again."""
    tries = []
    complete = repository.settle_complete

    async def counted(*values, **options):
        tries.append(values)
        return await complete(*values, **options)

    monkeypatch.setattr(repository, "settle_complete", counted)
    job = await engine.create(parse=[[DONE]])
    await connection.execute(
        "ALTER TABLE jobs ADD CONSTRAINT objection CHECK (state IN ('queued', 'parsing')) NOT VALID"
    )
    await connection.execute("ALTER TABLE jobs ADD CONSTRAINT no_retry CHECK (attempt = 1) NOT VALID")
    async with engine.worker():
        await asyncio.wait_for(_until(lambda: len(tries) > 2), 60)
        assert (await engine.job(job.id)).state is State.PARSING
        await connection.execute("ALTER TABLE jobs DROP CONSTRAINT objection")
        done = await engine.at_rest(job.id)
    assert (done.state, done.attempt) == (State.COMPLETED, 1)


async def test_a_claim_that_fails_does_not_keep_the_stage_before_it_from_being_settled(engine, monkeypatch):
    """Both are one transaction; when it fails, the stage is settled alone, and the slot goes on."""
    claim = repository.claim
    refusals = [RuntimeError("the claim"), psycopg.OperationalError("the connection")]

    async def failing_after_a_stage(*values, after=None, **options):
        if after is not None and refusals:
            raise refusals.pop()
        return await claim(*values, after=after, **options)

    monkeypatch.setattr(repository, "claim", failing_after_a_stage)
    jobs = [await engine.create(parse=[[DONE]]) for _ in range(4)]
    async with engine.worker(slots={Stage.PARSE: 1}):
        ended = [await engine.at_rest(job.id) for job in jobs]
    assert not refusals
    assert {(job.state, job.attempt) for job in ended} == {(State.COMPLETED, 1)}
    assert [job_id for job_id, _, _ in engine.backend.begun] == [job.id for job in jobs]


async def test_a_failing_loop_does_not_end_the_worker(engine, monkeypatch):
    """Rescue, the heartbeat and the cancel notices each meet an error that nobody foresaw, and go on."""
    calls = collections.Counter()

    def failing_once(name, function):
        async def call(*values):
            calls[name] += 1
            if calls[name] == 1:
                raise RuntimeError(name)
            return await function(*values)

        monkeypatch.setattr(repository, name, call)

    async def notices(channels):
        calls["notices"] += 1
        yield Notification(channels[0], "no id")

    for name in ("living_workers", "beat"):
        failing_once(name, getattr(repository, name))
    monkeypatch.setattr(engine, "notices", notices)
    async with engine.worker():
        await asyncio.wait_for(_until(lambda: len(calls) == 3 and min(calls.values()) > 1), 60)
        job = await engine.create(parse=[[DONE]])
        assert (await engine.at_rest(job.id)).state is State.COMPLETED


async def test_one_job_that_cannot_be_rescued_does_not_keep_the_others_from_it(engine, connection):
    jobs = [await engine.create(max_attempts=3) for _ in range(3)]
    claims = [await engine.claim() for _ in jobs]
    await connection.execute("UPDATE workers SET stopped_at = now()")
    stubborn = claims[0].job.id
    await connection.execute(f"ALTER TABLE jobs ADD CONSTRAINT stubborn CHECK (id <> '{stubborn}' OR attempt = 1)")
    assert await rescuer(engine).step() == 2
    await connection.execute("ALTER TABLE jobs DROP CONSTRAINT stubborn")
    assert await rescuer(engine).step() == 1


async def test_a_cancel_is_obeyed_between_two_stages(engine):
    job = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE))
    claim = await engine.claim(Stage.DOWNLOAD)
    async with engine.pool.connection() as conn:
        await repository.request_cancel(conn, engine.account.id, job.id)
        ended = await settle(conn, claim, Succeeded({"key": "k"}), engine.backend, retry_delay=0.0)
    assert ended.state is State.CANCELLED


async def test_a_ticket_for_later_does_not_hide_that_a_job_lacks_one(engine, connection):
    waiting = await engine.create()
    async with engine.pool.connection() as conn:
        failed = await settle(conn, await engine.claim(), Failed(FAILURE), engine.backend, retry_delay=3000.0)
        assert failed.id == waiting.id
        await repository.request_cancel(conn, engine.account.id, waiting.id)
    await engine.create()
    await connection.execute("DELETE FROM procrastinate_jobs WHERE scheduled_at IS NULL")
    await rescuer(engine).step()
    cursor = await connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NULL")
    assert await cursor.fetchone() == (1,)


async def test_nothing_of_dead_deliverers_and_old_workers_stays(engine, connection):
    running = await engine.create()
    claim = await engine.claim()
    await connection.execute("UPDATE workers SET stopped_at = now() - interval '2 days'")
    async with engine.pool.connection() as conn:
        ended, recent = await engine.register(conn), await engine.register(conn)
        await repository.stop_worker(conn, recent)
    await connection.execute("UPDATE workers SET stopped_at = now() - interval '2 days' WHERE id = %s", [ended])
    await connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    async with engine.pool.connection() as conn:
        await repository.forget_the_dead(conn)
    cursor = await connection.execute("SELECT id FROM workers")
    assert {row[0] for row in await cursor.fetchall()} == {claim.job.worker_id, recent}
    assert (await (await connection.execute("SELECT count(*) FROM procrastinate_jobs")).fetchone()) == (0,)
    assert (await engine.job(running.id)).state is State.PARSING
