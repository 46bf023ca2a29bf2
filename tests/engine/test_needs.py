"""Jobs of reads and workers with different engines: who takes what, what is told meanwhile, and true places."""

from __future__ import annotations

import asyncio
import random
import uuid

import pytest
from psycopg.types.json import Jsonb
from tests.engine.test_line import Line, shown
from tests.engine.test_pauses import place
from tests.engine.test_repository import tickets
from tests.engine.test_worker import DONE

from varloom.jobs import line, repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.needs import NOTHING, Offer, needed_for

PLAN = (Stage.PROCESS, Stage.PARSE)
CPU = [NOTHING, "auto:", "auto:bcftools", "cpu:", "cpu:bcftools"]
GPU = [NOTHING, "auto:", "auto:deepvariant", "parabricks:", "parabricks:deepvariant"]
CHOICES = [
    {},  # no reads
    {"reads": True},
    {"reads": True, "engine": "auto", "caller": None},
    {"reads": True, "engine": "cpu", "caller": "bcftools"},
    {"reads": True, "engine": "parabricks", "caller": None},
    {"reads": True, "engine": "auto", "caller": "deepvariant"},
    {"reads": True, "engine": "parabricks", "caller": "haplotypecaller"},
]


@pytest.mark.parametrize("stage", ["process", "parse", None])
@pytest.mark.parametrize("options", [*CHOICES, {"reads": False, "engine": "cpu"}, {"reads": True, "engine": ""}])
async def test_the_database_and_the_program_know_the_same_needs(connection, stage, options):
    cursor = await connection.execute("SELECT needed_for(%s::text, %s)", [stage, Jsonb(options)])
    assert await cursor.fetchone() == (needed_for(Stage(stage) if stage else None, options),)


async def register(engine, serves):
    worker_id = uuid.uuid4()
    async with engine.pool.connection() as conn:
        known = {"host": "test", "pid": 1, "version": "0", "slots": {Stage.PROCESS: 1}, "offer": Offer(serves=serves)}
        await repository.register_worker(conn, worker_id, **known)
    return worker_id


async def waiting(connection):
    """What waits before processing, by account as `Line` wants it, with its need."""
    cursor = await connection.execute(
        "SELECT id, account_id, priority, created_at, plan_version, false, options FROM jobs"
        " WHERE state = 'queued' AND stage = 'process'"
    )
    names = ("id", "account_id", "priority", "created_at", "plan_version", "suspect", "options")
    rows = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    cursor = await connection.execute("SELECT account_id, last_claimed_at FROM account_turns WHERE stage = 'process'")
    turns = {account: at.timestamp() for account, at in await cursor.fetchall()}
    return [{**row, "need": needed_for(Stage.PROCESS, row["options"])} for row in rows], turns


@pytest.mark.parametrize("seed", range(5))
async def test_each_takes_what_it_can_in_the_order_that_is_shown(engine, connection, make_account, seed):
    """A mixed pool, and jobs of all kinds: what the workers that can take a job can take as well goes before it."""
    chance = random.Random(seed)
    accounts = [await make_account() for _ in range(chance.choice([1, 3, 5]))]
    for account in chance.choices(accounts, k=40):
        job = await engine.create(account=account, plan=PLAN, priority=chance.choice([0, 0, 3]))
        await connection.execute("UPDATE jobs SET options = %s WHERE id = %s", [Jsonb(chance.choice(CHOICES)), job.id])
    await connection.execute("UPDATE jobs SET created_at = now() - random() * interval '1 hour'")
    pool = [CPU, GPU] if seed else [CPU]
    workers = [(await register(engine, serves), serves) for serves in pool]
    taken = 0
    idle = 0
    while idle < len(workers):
        rows, turns = await waiting(connection)
        expected = {}
        for need in {row["need"] for row in rows}:
            beside = {other for serves in pool if need in serves for other in serves}
            order = Line([row for row in rows if row["need"] in beside], turns).order(plan_version=1)
            needs = {row["id"]: row["need"] for row in rows}
            expected |= {job_id: at for at, job_id in enumerate(order) if needs[job_id] == need}
        assert await shown(engine, accounts) == expected
        worker_id, serves = workers[taken % len(workers)]
        left = Line([row for row in rows if row["need"] in serves], turns).order(plan_version=1)
        async with engine.pool.connection() as conn:
            claim = await repository.claim(conn, Stage.PROCESS, worker_id, serves=serves)
        assert (claim and claim.job.id) == (left[0] if left else None)
        idle = 0 if left else idle + 1
        taken += 1
    rows, _ = await waiting(connection)
    assert rows
    assert {row["need"] for row in rows}.isdisjoint(need for serves in pool for need in serves)


async def chosen(jobs, **options):
    """A job of reads whose stages end at once."""
    return await jobs.create(plan=PLAN, process=[[DONE]], parse=[[DONE]], reads=True, **options)


SLOTS = {Stage.PROCESS: 1, Stage.PARSE: 1}


async def test_a_job_waits_for_a_worker_with_its_engine_and_begins_as_soon_as_there_is_one(engine):
    """The worker that cannot run it uses its ticket up, and is not asked for it again and again."""
    gpu = await chosen(engine, engine="parabricks")
    called = await chosen(engine, engine="auto", caller="deepvariant")
    engine.backend.offered = Offer(serves=CPU)
    async with engine.worker(slots=SLOTS):
        ordinary = await chosen(engine, engine="auto")
        assert (await engine.at_rest(ordinary.id)).state is State.COMPLETED
        told = [(await place(engine, job)) for job in (gpu, called)]
        assert [one.ahead for one in told] == [None, None]
        assert [(one.held_up.cause, one.held_up.message) for one in told] == [
            ("no_engine", "Waiting for a worker with Parabricks; none is connected."),
            ("no_engine", "Waiting for a worker that calls with DeepVariant; none is connected."),
        ]
        async with engine.pool.connection() as conn:
            of_all = await line.places_of_all(conn, engine.account.id, 10)
        assert {job_id: one.held_up.cause for job_id, one in of_all.items()} == {
            gpu.id: "no_engine",
            called.id: "no_engine",
        }
        async with asyncio.timeout(30):
            while await tickets(engine):
                await asyncio.sleep(0.02)
        async with engine.pool.connection() as conn:
            await repository.add_missing_tickets(conn, 10)
        assert not await tickets(engine), "no worker can take what waits"
        assert {(await engine.job(job.id)).state for job in (gpu, called)} == {State.QUEUED}
        engine.backend.offered = Offer(serves=GPU)
        async with engine.worker(slots=SLOTS) as second:
            for job in (gpu, called):
                assert (await engine.at_rest(job.id, seconds=5)).state is State.COMPLETED
            assert second.id is not None
            # A machine that loses its engine says so, and is not given what needs it.
            engine.backend.offered = Offer(serves=CPU)
            await second._look_at_engines()
            late = await chosen(engine, engine="parabricks")
            assert (await place(engine, late)).held_up.cause == "no_engine"
            engine.backend.offered = Offer(engines=[{"name": "parabricks"}], serves=GPU)
            await second._look_at_engines()
            assert (await engine.at_rest(late.id, seconds=5)).state is State.COMPLETED
