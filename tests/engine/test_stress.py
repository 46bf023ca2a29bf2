"""Everything at once: workers, crashes, cancels, retries, dismissals, lost tickets, cut connections, false deaths.

What happens is different each time; what must be true afterwards is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import time

import psycopg
from tests.engine.conftest import FAILURE, REFUSAL

from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage, State, may_follow

JOBS = 24
SECONDS = 4.0
SLOTS = {Stage.DOWNLOAD: 2, Stage.PARSE: 2}
SCRIPTS = [
    [["progress", 1, 2], ["sleep", 0.1], ["done", {"key": "k", "records": 1}]],
    [["done", {"key": "k", "records": 1}]],
    [["fail", FAILURE]],
    [["fail", REFUSAL]],
    [["sleep", 0.05], ["die", signal.SIGKILL]],
    [["raw", '{"progress": {"do'], ["exit", 1]],
]


class Chaos:
    """Does something random to the jobs or to the engine, again and again."""

    def __init__(self, engine, connection, jobs):
        self.engine = engine
        self.connection = connection
        self.jobs = jobs
        self.chance = random.Random(20261123)

    async def rage(self, seconds):
        users = [self.cancel, self.retry, self.dismiss]
        accidents = [self.lose_tickets, self.cut_a_connection, self.give_up_a_worker]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            action = self.chance.choices([*users, *accidents], [6, 6, 1, 1, 1, 1])[0]
            with contextlib.suppress(VarloomError):  # such as job_not_final: the answer that a user would get
                await action()
            await asyncio.sleep(self.chance.uniform(0, 0.03))

    async def cancel(self):
        await self._ask(repository.request_cancel)

    async def retry(self):
        await self._ask(self.chance.choice([repository.retry_by_hand, repository.retry_now]))

    async def dismiss(self):
        await self._ask(repository.dismiss)

    async def _ask(self, action):
        with contextlib.suppress(psycopg.OperationalError):  # its connection was cut
            async with self.engine.pool.connection() as conn:
                await action(conn, self.engine.account.id, self.chance.choice(self.jobs).id)

    async def lose_tickets(self):
        await self.connection.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo' AND id % 3 = 0")

    async def cut_a_connection(self):
        await self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
        )

    async def give_up_a_worker(self):
        await self.connection.execute(
            "UPDATE workers SET stopped_at = now() WHERE id = (SELECT id FROM workers WHERE stopped_at IS NULL"
            " ORDER BY random() LIMIT 1)"
        )


async def test_whatever_happens_every_job_comes_to_one_true_end(engine, connection, caplog):
    chance = random.Random(1)
    scripts = [{"download": [chance.choice(SCRIPTS)], "parse": chance.choices(SCRIPTS, k=2)} for _ in range(JOBS)]
    plan = (Stage.DOWNLOAD, Stage.PARSE)
    jobs = [await engine.create(plan=plan, max_attempts=3, **each) for each in scripts]
    async with engine.worker(slots=SLOTS), engine.worker(slots=SLOTS), engine.worker(slots=SLOTS):
        await Chaos(engine, connection, jobs).rage(SECONDS)
        jobs.append(await engine.create(plan=plan, download=[SCRIPTS[1]], parse=[SCRIPTS[1]]))
        ended = [await engine.at_rest(job.id, seconds=60) for job in jobs]
    assert ended[-1].state is State.COMPLETED
    assert await engine_is_at_rest(connection)
    assert "deadlock" not in caplog.text
    await assert_published_once(connection, ended)
    await assert_histories_are_whole(engine, ended)


async def engine_is_at_rest(connection):
    """No worker says that it lives, and none holds a job."""
    cursor = await connection.execute(
        "SELECT (SELECT count(*) FROM workers WHERE stopped_at IS NULL),"
        " (SELECT count(*) FROM jobs WHERE attempt_token IS NOT NULL OR worker_id IS NOT NULL)"
    )
    return await cursor.fetchone() == (0, 0)


async def assert_published_once(connection, jobs):
    """Each completed job has its own sample, and there is no other one."""
    cursor = await connection.execute("SELECT id FROM samples")
    samples = [row[0] for row in await cursor.fetchall()]
    completed = [job.sample_id for job in jobs if job.state is State.COMPLETED]
    assert sorted(samples) == sorted(completed)


async def assert_histories_are_whole(engine, jobs):
    """Events are numbered without gaps, each job's are allowed steps, and the last one is what the job is."""
    numbers = []
    for job in jobs:
        events = await engine.history(job.id)
        numbers += [event.id for event in events]
        assert all(may_follow(before.state, after.state) for before, after in itertools.pairwise(events))
        assert events[-1].job == job
        assert job.attempt <= job.max_attempts
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
