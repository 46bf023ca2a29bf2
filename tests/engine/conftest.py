"""A scripted backend, jobs that carry their script, and workers that run in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from typing import Any

import pytest

from varloom.db.pool import listen, open_pool
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage
from varloom.jobs.model import Job, NewJob
from varloom.jobs.needs import NOTHING, Offer
from varloom.jobs.settle import Published
from varloom.jobs.worker import Worker, WorkerOptions

FAILURE = {
    "code": "internal_error",
    "title": "Unexpected error",
    "message": "It broke.",
    "stage": "parse",
    "line": None,
    "column": None,
    "field": None,
    "excerpt": None,
    "resolution": ["Retry."],
    "retryable": True,
}
REFUSAL = FAILURE | {"code": "vcf_header", "message": "No #CHROM.", "line": 3, "retryable": False}


WORKER_OPTIONS = {
    "retry_delay": 0.05,
    "heartbeat_interval": 0.2,
    "worker_timeout": 4.0,
    "rescue_interval": 0.2,
    "stall_limit": 30.0,
    "shutdown_grace": 5.0,
}


class ScriptedBackend:
    """Plays, for each attempt at each stage, the script that the job's options hold; remembers what it was asked."""

    child_module = "tests.engine.scripted_child"
    plan_version = 1

    def __init__(self):
        self.begun = []
        self.discarded = []
        self.offered = Offer(serves=[NOTHING])

    def offer(self):
        return self.offered

    def request(self, claim):
        self.begun.append((claim.job.id, claim.stage, claim.job.attempt))
        scripts = claim.job.options.get(claim.stage.value, [])
        position = min(claim.job.attempt, len(scripts)) - 1
        return {"script": scripts[position] if scripts else [["done", {}]]}

    async def adopt(self, conn, claim, result):
        pass

    async def publish(self, conn, job, result):
        cursor = await conn.execute(
            "INSERT INTO samples (account_id, name) VALUES (%s, %s) RETURNING id", [job.account_id, job.sample_name]
        )
        (sample_id,) = await cursor.fetchone()
        return Published(sample_id, result.get("records", 0), result.get("variants", 0))

    def clear(self, claim):
        pass

    def discard(self, claim):
        self.discarded.append(claim.token)


class Engine:
    """Creates jobs and runs workers on one database."""

    def __init__(self, url, pool, account):
        self.url = url
        self.pool = pool
        self.account = account
        self.backend = ScriptedBackend()
        self.running = None

    async def upload(self, account=None):
        account = account or self.account
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "INSERT INTO uploads (account_id, kind, name, bytes) VALUES (%s, 'file', 'a.vcf', 10) RETURNING id",
                [account.id],
            )
            (upload_id,) = await cursor.fetchone()
        return upload_id

    async def create(
        self, *, account=None, plan=(Stage.PARSE,), max_attempts=4, priority=0, plan_version=1, **scripts: Any
    ) -> Job:
        """A queued job; `scripts` maps a stage's name to one script per attempt (the last one serves all further)."""
        account = account or self.account
        upload_id = await self.upload(account)
        kept = {"priority": priority, "max_attempts": max_attempts, "plan_version": plan_version}
        new = NewJob(account.id, upload_id, "NA1", plan, options=scripts, **kept)
        async with self.pool.connection() as conn:
            return await repository.create_job(conn, new)

    async def job(self, job_id) -> Job:
        async with self.pool.connection() as conn:
            return await repository.get_job(conn, self.account.id, job_id)

    async def history(self, job_id):
        async with self.pool.connection() as conn:
            return await repository.history(conn, self.account.id, job_id)

    async def claim(self, stage=Stage.PARSE, worker_id=None):
        async with self.pool.connection() as conn:
            if worker_id is None:
                worker_id = await self.register(conn)
            return await repository.claim(conn, stage, worker_id)

    async def register(self, conn):
        worker_id = uuid.uuid4()
        await repository.register_worker(conn, worker_id, host="test", pid=1, version="0", slots={Stage.PARSE: 1})
        return worker_id

    async def until(self, job_id, condition, *, seconds=60.0) -> Job:
        """Wait until the job is as wanted; fail with what it is instead."""
        deadline = time.monotonic() + seconds
        while True:
            job = await self.job(job_id)
            if condition(job):
                return job
            assert time.monotonic() < deadline, f"still {job.state.value}, attempt {job.attempt}: {job.message}"
            await asyncio.sleep(0.02)

    async def at_rest(self, job_id, **options) -> Job:
        return await self.until(job_id, lambda job: job.is_final, **options)

    @contextlib.asynccontextmanager
    async def worker(self, *, slots=None, **changed):
        """A worker that is stopped at the end of the block."""
        values = WORKER_OPTIONS | {"slots": slots or {Stage.PARSE: 2}} | changed
        async with open_pool(self.url, max_size=12) as pool:
            worker = Worker(pool, self.backend, WorkerOptions(**values), self.notices)
            self.running = running = asyncio.create_task(worker.run())
            try:
                yield worker
            finally:
                worker.stop()
                await running

    def notices(self, channels):
        return listen(self.url, channels)


@pytest.fixture
async def engine(database_url, pool, account):
    return Engine(database_url, pool, account)
