"""What operators hold back is not claimed, and says so; what runs goes on; a resume needs no waiting."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.test_repository import tickets
from tests.engine.test_worker import DONE

from varloom.jobs import line
from varloom.jobs.lifecycle import Stage, State


async def place(engine, job):
    async with engine.pool.connection() as conn:
        return (await line.places_of(conn, job.account_id, [job])).get(job.id)


@pytest.fixture
def pause(engine):
    async def act(verb="pause", **what):
        async with engine.pool.connection() as conn:
            return await getattr(line, verb)(conn, **what)

    return act


@pytest.mark.parametrize("what", ["stage", "account"])
async def test_what_is_paused_is_not_begun_and_what_runs_goes_on(engine, pause, tmp_path, what):
    finish = tmp_path / "finish"
    target = {"stage": Stage.PARSE} if what == "stage" else {"account_id": engine.account.id}
    running = await engine.create(parse=[[["progress", 1, 2], ["wait", str(finish)], DONE]])
    async with engine.worker():
        await engine.until(running.id, lambda job: job.progress is not None)
        await pause(**target, reason="the disk is being changed")
        waiting = await engine.create(parse=[[DONE]])
        told = await place(engine, waiting)
        assert told.ahead is None
        assert (told.held_up.cause, told.held_up.message) == (
            "paused",
            "Paused by the operator: the disk is being changed",
        )
        finish.touch()
        assert (await engine.at_rest(running.id)).state is State.COMPLETED
        elsewhere = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE))
        assert (await place(engine, elsewhere)).held_up.cause == ("no_slots" if what == "stage" else "paused")
        # The worker has a free slot, and looks: its tickets are used up, and no new ones are added for what is paused.
        async with asyncio.timeout(30):
            while await tickets(engine):
                await asyncio.sleep(0.02)
        assert (await engine.job(waiting.id)).state is State.QUEUED
        assert await pause("resume", **target)
        assert (await engine.at_rest(waiting.id, seconds=3)).state is State.COMPLETED
        assert not await pause("resume", **target), "it is not paused any more"


async def test_a_paused_account_holds_up_nobody_else(engine, make_account, pause):
    other = await make_account()
    theirs = await engine.create(account=other)
    mine = await engine.create()
    await pause(account_id=other.id)
    assert (await place(engine, theirs)).held_up.message == "Paused by the operator."
    assert (await place(engine, mine)).ahead == 0, "whoever is paused is not in line"
    assert (await engine.claim()).job.id == mine.id
    assert await engine.claim() is None


async def test_a_pause_that_is_repeated_tells_the_new_reason(engine, pause):
    job = await engine.create()
    await pause(stage=Stage.PARSE, reason="one")
    await pause(stage=Stage.PARSE, reason="two")
    assert (await place(engine, job)).held_up.message == "Paused by the operator: two"
    async with engine.pool.connection() as conn:
        (only,) = await line.pauses(conn)
    assert (only.stage, only.account_id, only.reason) == (Stage.PARSE, None, "two")
