"""Cancel is obeyed within five seconds, in every stage and whatever it is doing, and all its processes are gone."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from tests.engine.conftest import FAILURE
from tests.engine.test_worker import eventually, is_alive

from varloom.jobs import repository
from varloom.jobs.lifecycle import STATE_OF_STAGE, Stage, State

LIMIT = 5.0
EVER = ["sleep", 60]
BEHAVIOURS = {
    "works": [["progress", 1, 2], EVER],
    "says nothing": [EVER],
    "is deaf to SIGTERM": [["deafen"], ["progress", 1, 2], EVER],
    "is stopped": [["progress", 1, 2], ["freeze"], EVER],
    "holds the interpreter": [["progress", 1, 2], ["hold", 60]],
}


async def cancel(engine, job):
    async with engine.pool.connection() as conn:
        await repository.request_cancel(conn, engine.account.id, job.id)


async def no_notices(channels):
    """What a worker hears whose listening connection is down."""
    await asyncio.Event().wait()
    yield None


@pytest.mark.parametrize("listens", [True, False], ids=["told at once", "not told"])
async def test_every_stage_obeys_in_time_with_all_its_processes(engine, tmp_path, monkeypatch, listens):
    """Without notices and with a heartbeat too slow, the stage itself hears it from the job row."""
    if not listens:
        monkeypatch.setattr(engine, "notices", no_notices)
    stages = [*Stage, Stage.PARSE]
    jobs = {}
    for number, (stage, script) in enumerate(zip(stages, BEHAVIOURS.values(), strict=True)):
        pid_file = tmp_path / f"grandchild-{number}"
        plan = (stage,) if stage is Stage.PARSE else (stage, Stage.PARSE)
        job = await engine.create(plan=plan, **{stage.value: [[["spawn", str(pid_file)], *script]]})
        jobs[job.id] = (job, STATE_OF_STAGE[stage], pid_file)
    async with engine.worker(slots=dict.fromkeys(Stage, 2), heartbeat_interval=60.0, worker_timeout=600.0):
        for job, running, pid_file in jobs.values():
            await engine.until(job.id, lambda job, running=running: job.state is running)
            await eventually(lambda pid_file=pid_file: pid_file.exists() and pid_file.read_text() != "")
        grandchildren = [int(pid_file.read_text()) for _, _, pid_file in jobs.values()]
        assert all(is_alive(pid) for pid in grandchildren)
        asked_at = time.monotonic()
        for job, _, _ in jobs.values():
            await cancel(engine, job)
        for job_id in jobs:
            left = asked_at + LIMIT - time.monotonic()
            assert (await engine.at_rest(job_id, seconds=left)).state is State.CANCELLED
        assert not [pid for pid in grandchildren if is_alive(pid)], "they are gone before the job says so"


async def test_a_stage_that_is_only_being_prepared_obeys_in_time(engine, monkeypatch):
    """Between the claim and the child: the storage does not answer, say."""
    preparing, answer = threading.Event(), threading.Event()

    def request(claim):
        preparing.set()
        answer.wait(60)
        return {"script": [["done", {}]]}

    monkeypatch.setattr(engine.backend, "request", request)
    job = await engine.create()
    async with engine.worker():
        await asyncio.to_thread(preparing.wait, 20)
        try:
            await cancel(engine, job)
            assert (await engine.at_rest(job.id, seconds=LIMIT)).state is State.CANCELLED
        finally:
            answer.set()


async def test_a_job_that_waits_for_its_retry_is_cancelled_at_once(engine):
    job = await engine.create(parse=[[["fail", FAILURE]]])
    async with engine.worker(retry_delay=600.0):
        waiting = await engine.until(job.id, lambda job: job.retry_at is not None)
        assert 590 < (waiting.retry_at - waiting.created_at).total_seconds() < 800
        await cancel(engine, job)
        assert (await engine.job(job.id)).state is State.CANCELLED


async def test_each_stage_has_its_own_stall_limit(engine):
    still = [["progress", 1, 2], ["sleep", 2.5], ["done", {"records": 1}]]
    impatient = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE), download=[still], max_attempts=1)
    patient = await engine.create(parse=[still], max_attempts=1)
    slots = {Stage.DOWNLOAD: 1, Stage.PARSE: 1}
    async with engine.worker(slots=slots, stall_limit=30.0, stall_limits={Stage.DOWNLOAD: 0.5}):
        assert (await engine.at_rest(impatient.id)).error["code"] == "stage_stalled"
        assert (await engine.at_rest(patient.id)).state is State.COMPLETED
