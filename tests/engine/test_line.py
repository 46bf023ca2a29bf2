"""The line before each stage: claims come in the order that people are shown, whoever waits, is delayed or paused."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from varloom.jobs import line, repository
from varloom.jobs.lifecycle import Stage
from varloom.jobs.places import PRECEDENCE, Places

A_LATER_TIME = 1e12
"""Seconds since 1970."""


class Line:
    """What must be true of the line, as plain Python says it."""

    def __init__(self, rows, turns):
        self.rows = rows
        self.turns = turns

    def order(self, *, plan_version, suspects=True):
        """The ids of the jobs that can be claimed, in their order: each time the best of the accounts' first jobs."""
        rows = [row for row in self.rows if row["plan_version"] <= plan_version and (suspects or not row["suspect"])]
        served = dict(self.turns)
        order = []

        def rank(row):
            at = served.get(row["account_id"])
            return (-row["priority"], at is not None, at or 0, row["created_at"], row["id"])

        while rows:
            best = min(rows, key=rank)
            rows.remove(best)
            order.append(best["id"])
            served[best["account_id"]] = A_LATER_TIME + len(order)
        return order


async def read_line(connection):
    """The line before parsing, read by the plainest of statements."""
    cursor = await connection.execute(
        "SELECT id, account_id, priority, created_at, plan_version, suspected_at IS NOT NULL FROM jobs"
        " WHERE state = 'queued' AND stage = 'parse' AND run_after <= now()"
        " AND account_id NOT IN (SELECT account_id FROM pauses WHERE account_id IS NOT NULL)"
        " AND NOT EXISTS (SELECT 1 FROM pauses WHERE stage = 'parse')"
    )
    names = ("id", "account_id", "priority", "created_at", "plan_version", "suspect")
    rows = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    cursor = await connection.execute("SELECT account_id, last_claimed_at FROM account_turns WHERE stage = 'parse'")
    return Line(rows, {account: at.timestamp() for account, at in await cursor.fetchall()})


async def shown(engine, accounts):
    """Every position that anybody is shown."""
    found = {}
    async with engine.pool.connection() as conn:
        for account in accounts:
            found |= await line.queue_positions(conn, account.id)
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_claims_come_in_the_order_that_is_shown(engine, connection, make_account, seed):
    """Random accounts, priorities, ages, delays, pauses, suspects and plans, claimed until nothing is left."""
    chance = random.Random(seed)
    accounts = [await make_account() for _ in range(chance.choice([1, 3, 8]))]
    weights = [chance.random() ** 3 for _ in accounts]
    for account in chance.choices(accounts, weights, k=60):
        await engine.create(account=account, priority=chance.choice([0, 0, 0, -2, 7]))
    await connection.execute(
        "UPDATE jobs SET created_at = now() - random() * interval '1 hour',"
        " run_after = now() + CASE WHEN random() < 0.2 THEN interval '1 day' ELSE interval '-1 s' END,"
        " plan_version = CASE WHEN random() < 0.1 THEN 2 ELSE 1 END,"
        " suspected_at = CASE WHEN random() < 0.2 THEN now() END"
    )
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
        if len(accounts) > 1 and chance.random() < 0.5:
            await line.pause(conn, account_id=chance.choice(accounts).id)
    claimed = 0
    while True:
        truth = await read_line(connection)
        expected = truth.order(plan_version=1)
        assert await shown(engine, accounts) == {job_id: number for number, job_id in enumerate(expected)}
        suspects = chance.random() < 0.7
        left = truth.order(plan_version=1, suspects=suspects)
        async with engine.pool.connection() as conn:
            claim = await repository.claim(conn, Stage.PARSE, worker_id, plan_version=1, suspects=suspects)
        if not left:
            assert claim is None
            if not expected:
                break
            continue
        assert claim.job.id == left[0]
        claimed += 1
    assert claimed > 5


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_shown_at_first_is_the_order_to_the_last(engine, connection, make_account, seed):
    """As long as nobody joins or leaves: whoever was told of three jobs ahead sees three of them begin before."""
    chance = random.Random(seed)
    accounts = [await make_account() for _ in range(5)]
    for account in chance.choices(accounts, [5, 3, 2, 1, 1], k=50):
        await engine.create(account=account, priority=chance.choice([0, 0, 0, -2, 3, 7]))
    await connection.execute("UPDATE jobs SET created_at = now() - random() * interval '1 hour'")
    for account in accounts[seed:]:  # the others were never served
        await connection.execute(
            "INSERT INTO account_turns VALUES (%s, 'parse', now() - random() * interval '1 day')", [account.id]
        )
    told = await shown(engine, accounts)
    begun = []
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
    while len(begun) < 50:
        begun.append((await engine.claim(worker_id=worker_id)).job.id)
    assert [told[job_id] for job_id in begun] == list(range(50))


async def test_the_position_tells_of_the_others_turns_and_urgent_jobs_too(engine, make_account):
    """An account with one job waits for another's urgent ones, however many, but not for its thirty ordinary ones."""
    other = await make_account()
    for _ in range(30):
        await engine.create(account=other)
    for _ in range(4):
        await engine.create(account=other, priority=3)
    mine = await engine.create()
    async with engine.pool.connection() as conn:
        await engine.register(conn)
        assert await line.queue_positions(conn, engine.account.id) == {mine.id: 4}


@pytest.fixture(params=["never", "before the queue", "now"])
async def long_queue(connection, engine, make_account, request):
    """100,000 finished jobs and 10,000 waiting ones of forty accounts, as a busy year leaves them.

    The database has gathered its statistics never, in a quiet hour in which nothing waited, or now.
    """
    await connection.execute("ALTER TABLE jobs SET (autovacuum_enabled = false)")
    accounts = [engine.account, *[await make_account() for _ in range(39)]]
    upload_id = await engine.upload()
    await connection.execute("ALTER TABLE jobs DISABLE TRIGGER USER")
    error = json.dumps({"code": "x", "message": "x", "retryable": False})
    await connection.execute(
        "INSERT INTO jobs (account_id, upload_id, sample_name, plan, stage, state, error, finished_at, created_at)"
        " SELECT (%s::uuid[])[1 + n %% 40], %s, 'old', '{parse}', 'parse', 'failed', %s, now(),"
        "   now() - interval '1 year' + n * interval '1 s' FROM generate_series(1, 100000) AS n",
        [[account.id for account in accounts], upload_id, error],
    )
    if request.param == "before the queue":
        await connection.execute("ANALYZE jobs")
    await connection.execute(  # every third of them waits for the time of its retry
        "INSERT INTO jobs (account_id, upload_id, sample_name, plan, stage, run_after, created_at)"
        " SELECT (%s::uuid[])[1 + n %% 40], %s, 'new', '{parse}', 'parse',"
        "   now() + (n %% 3 = 0)::int * interval '1 day',"
        "   now() - interval '1 hour' + n * interval '1 ms' FROM generate_series(1, 10000) AS n",
        [[account.id for account in accounts], upload_id],
    )
    await connection.execute("ALTER TABLE jobs ENABLE TRIGGER USER")
    if request.param == "now":
        await connection.execute("ANALYZE jobs")


class Plan:
    """What EXPLAIN ANALYZE says of a statement."""

    def __init__(self, told):
        self.nodes = list(self._walk(told[0]["Plan"]))

    def _walk(self, node):
        yield node
        for child in node.get("Plans", ()):
            yield from self._walk(child)

    @property
    def indexes(self):
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def rows_of_jobs(self):
        """How many rows of `jobs` were visited, whether they were taken or not."""
        scans = [node for node in self.nodes if node.get("Relation Name") == "jobs"]
        return sum((one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"] for one in scans)

    @property
    def scans_jobs_whole(self):
        return any(node["Node Type"] == "Seq Scan" and node["Relation Name"] == "jobs" for node in self.nodes)


async def explain(connection, query, values):
    cursor = await connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + query.encode(), values)
    (plan,) = await cursor.fetchone()
    return Plan(plan)


async def test_a_long_history_and_a_long_queue_cost_a_claim_and_a_page_nothing(
    engine, connection, long_queue, make_account
):
    """By their indexes, and by the rows that they visit: they see what they return, and the heads of the lines."""
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
    values = {
        "stage": "parse",
        "state": "parsing",
        "worker_id": worker_id,
        "plan_version": 1,
        "suspects": True,
        "serves": None,
        "after": None,
    }
    claim = await explain(connection, repository.job_statement("claim"), {**values, "message": "x"})
    assert "jobs_line_idx" in claim.indexes
    assert not claim.scans_jobs_whole
    assert claim.rows_of_jobs < 1000

    newcomer = await make_account()
    await engine.create(account=newcomer)
    positions = await explain(connection, repository.statement("queue_positions"), {"account_id": newcomer.id})
    assert not positions.scans_jobs_whole
    assert positions.rows_of_jobs < 1000, "one turn of each account"

    mine = {"account_id": engine.account.id}
    page = {
        **mine,
        **dict.fromkeys(("states", "before_at", "before_id", "search", "since", "until", "ids")),
        "limit": 101,
    }
    first = await explain(connection, repository.job_statement("list_jobs"), page)
    assert "jobs_newest_idx" in first.indexes
    assert first.rows_of_jobs < 300
    active = await explain(connection, repository.job_statement("list_active"), {**mine, "limit": 500})
    assert "jobs_active_idx" in active.indexes
    assert active.rows_of_jobs < 800
    held = await explain(connection, repository.statement("claims_of"), {"worker_id": worker_id})
    assert "jobs_worker_idx" in held.indexes
    assert held.rows_of_jobs < 10


async def test_parsing_goes_first_when_stages_compete():
    places = Places(1)
    order = []

    async def take(stage):
        async with places.place(stage):
            order.append(stage)
            await asyncio.sleep(0)

    async with places.place(Stage.ANNOTATE):
        waiters = [asyncio.create_task(take(stage)) for stage in (Stage.ANNOTATE, *reversed(PRECEDENCE), Stage.PARSE)]
        await asyncio.sleep(0)
        waiters[1].cancel()  # the second to wait for annotation
    await asyncio.gather(*waiters, return_exceptions=True)
    assert order == [Stage.PARSE, Stage.PARSE, Stage.DOWNLOAD, Stage.PROCESS, Stage.ANNOTATE]
    async with asyncio.timeout(30), places.place(Stage.PARSE):
        pass


async def test_a_place_that_is_called_and_cancelled_at_once_goes_to_the_next():
    places = Places(1)
    async with places.place(Stage.PARSE):
        first = asyncio.create_task(places._enter(Stage.PARSE))
        second = asyncio.create_task(places._enter(Stage.PARSE))
        await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(first, second, return_exceptions=True)
    assert not second.cancelled()


async def test_a_worker_that_is_bounded_runs_one_stage_at_a_time_parsing_first(engine, tmp_path):
    go_on = tmp_path / "go-on"
    held = [["progress", 1, 2], ["wait", str(go_on)], ["done", {}]]
    first = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE), download=[held])
    async with engine.worker(slots=dict.fromkeys(Stage, 2), stages_at_once=1) as worker:
        await engine.until(first.id, lambda job: job.progress is not None)
        annotate = await engine.create(plan=(Stage.ANNOTATE, Stage.PARSE))
        parse = await engine.create()
        async with asyncio.timeout(30):
            while len(worker._places._waiting) < 2:
                await asyncio.sleep(0.01)
        assert len(engine.backend.begun) == 1
        go_on.touch()
        for job in (first, annotate, parse):
            await engine.at_rest(job.id)
    order = [(job_id, stage) for job_id, stage, _ in engine.backend.begun]
    assert order[0] == (first.id, Stage.DOWNLOAD)
    assert order.index((parse.id, Stage.PARSE)) < order.index((annotate.id, Stage.ANNOTATE))
