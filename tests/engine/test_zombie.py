"""A worker freezes, its work is given to another one, and then it comes back and finishes.

The queue alone takes the late finish for that of the attempt which runs; Varloom throws it away.
"""

from __future__ import annotations

import datetime as dt

import procrastinate
import pytest
from procrastinate.jobs import Status

from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.outcome import Failed, Succeeded
from varloom.jobs.rescue import Rescuer
from varloom.jobs.settle import settle

RESULT = {"key": "k", "records": 1}


class BareQueue:
    """The same story told with the queue's own means."""

    def __init__(self, app, connection):
        self.manager = app.job_manager
        self.connection = connection

    async def take(self):
        worker_id = await self.manager.register_worker()
        return worker_id, await self.manager.fetch_job(["work"], worker_id)

    async def rescue_from(self, worker_id):
        await self.connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour' WHERE id = %s", [worker_id]
        )
        (stalled,) = await self.manager.get_stalled_jobs(seconds_since_heartbeat=30)
        await self.manager.retry_job(stalled, retry_at=dt.datetime.now(dt.UTC))

    async def finish(self, job):
        await self.manager.finish_job(job, Status.SUCCEEDED, delete_job=False)

    async def status(self, job):
        return await self.manager.get_job_status_async(job.id)


async def test_the_bare_queue_takes_a_late_finish_for_that_of_the_running_attempt(pool, connection):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())

    @app.task(name="work", queue="work")
    async def work():
        raise AssertionError("it is played by hand")

    async with app.open_async(pool):
        queue = BareQueue(app, connection)
        await work.defer_async()
        frozen, first = await queue.take()
        await queue.rescue_from(frozen)
        _, second = await queue.take()
        assert first.id == second.id
        assert await queue.status(second) is Status.DOING
        await queue.finish(first)
        assert await queue.status(second) is Status.SUCCEEDED, "the queue was mended: this project may not need its own"


@pytest.mark.parametrize("late", [Succeeded(RESULT), Failed({"retryable": False, "code": "x", "message": "m"})])
async def test_a_late_finish_changes_nothing_here(engine, connection, late):
    job = await engine.create()
    first = await engine.claim()
    await connection.execute("UPDATE workers SET stopped_at = now() WHERE id = %s", [first.job.worker_id])
    rescuer = Rescuer(engine.pool, engine.backend, interval=1.0, worker_timeout=1.0, retry_delay=0.0)
    assert await rescuer.return_orphans() == 1
    second = await engine.claim()
    assert first.job.id == second.job.id
    before = await engine.history(job.id)

    async with engine.pool.connection() as conn:
        assert await settle(conn, first, late, engine.backend, retry_delay=0.0) is None
        assert await repository.write_progress(conn, first, {"done": 1}) is None
    running = await engine.job(job.id)
    assert (running.state, running.attempt, running.attempt_token) == (State.PARSING, 2, second.token)
    assert await engine.history(job.id) == before

    async with engine.pool.connection() as conn:
        await settle(conn, second, Succeeded(RESULT), engine.backend, retry_delay=0.0)
    assert (await engine.job(job.id)).state is State.COMPLETED
    assert await (await connection.execute("SELECT count(*) FROM samples")).fetchone() == (1,)
    assert second.stage is Stage.PARSE
