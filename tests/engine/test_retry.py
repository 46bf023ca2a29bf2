"""Where a retry begins and what it goes on with; its waits; what is retried at all."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.conftest import FAILURE, REFUSAL
from tests.engine.test_repository import settle_now

from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.outcome import Failed, Succeeded
from varloom.jobs.settle import backoff
from varloom.pipeline.plan import stale_stages

DOWNLOAD, PROCESS, ANNOTATE, PARSE = Stage
SLOTS = {DOWNLOAD: 1, PROCESS: 1, ANNOTATE: 1, PARSE: 1}
THREE = (DOWNLOAD, ANNOTATE, PARSE)
SCRIPTS = {
    "download": [[["done", {"key": "d"}]]],
    "process": [[["done", {"key": "p"}]]],
    "annotate": [[["done", {"key": "a"}]]],
}


async def failed_in(engine, stage, plan=THREE):
    """A job that has failed for good in this stage of its plan."""
    job = await engine.create(plan=plan)
    for earlier in plan[: plan.index(stage)]:
        await settle_now(engine, await engine.claim(earlier), Succeeded({"key": earlier.value}))
    return await settle_now(engine, await engine.claim(stage), Failed(REFUSAL)) or job


async def retry(engine, job, **how):
    async with engine.pool.connection() as conn:
        return await repository.retry_by_hand(conn, engine.account.id, job.id, **how)


async def test_an_automatic_retry_begins_with_the_stage_that_failed(engine):
    """Three stages; the last one fails twice: nothing before it is run again."""
    scripts = {**SCRIPTS, "parse": [[["fail", FAILURE]], [["die", 9]], [["done", {"records": 1}]]]}
    job = await engine.create(plan=THREE, **scripts)
    async with engine.worker(slots=SLOTS):
        done = await engine.at_rest(job.id)
    assert (done.state, done.artefacts["download"], done.artefacts["annotate"]) == (
        State.COMPLETED,
        {"key": "d"},
        {"key": "a"},
    )
    assert [(stage, attempt) for _, stage, attempt in engine.backend.begun] == [
        (DOWNLOAD, 1),
        (ANNOTATE, 1),
        (PARSE, 1),
        (PARSE, 2),
        (PARSE, 3),
    ]


@pytest.mark.parametrize(
    ("failed", "how", "begins", "kept"),
    [
        (PARSE, {}, PARSE, ["download", "annotate"]),
        (ANNOTATE, {}, ANNOTATE, ["download"]),
        (PARSE, {"from_stage": DOWNLOAD}, DOWNLOAD, []),
        (PARSE, {"from_stage": ANNOTATE}, ANNOTATE, ["download"]),
        (ANNOTATE, {"plan": (DOWNLOAD, PARSE), "options": {}}, PARSE, ["download"]),
        (PARSE, {"plan": (DOWNLOAD, PARSE), "options": {}}, PARSE, ["download"]),
        (PARSE, {"plan": (DOWNLOAD, PROCESS, ANNOTATE, PARSE), "options": {}}, PROCESS, ["download"]),
        (PARSE, {"stale": {ANNOTATE, PARSE}, "options": {}}, ANNOTATE, ["download"]),
        (PARSE, {"stale": {DOWNLOAD}, "options": {}}, DOWNLOAD, []),
    ],
)
async def test_a_retry_by_hand_keeps_what_still_holds(engine, failed, how, begins, kept):
    job = await failed_in(engine, failed)
    again = await retry(engine, job, **how)
    assert (again.state, again.stage, again.attempt, sorted(again.artefacts)) == (
        State.QUEUED,
        begins,
        1,
        sorted(kept),
    )
    assert (await engine.claim(begins)).job.id == job.id


async def hurry(engine, job):
    async with engine.pool.connection() as conn:
        return await repository.retry_now(conn, engine.account.id, job.id)


async def test_a_wait_is_ended_by_hand_and_its_attempt_counts_as_before(engine):
    """Both waits of an hour are cut short: the third attempt is the last one all the same."""
    job = await engine.create(max_attempts=3, parse=[[["fail", FAILURE]]])
    async with engine.worker(retry_delay=3600.0):
        for attempt in (2, 3):
            waiting = await engine.until(job.id, lambda job, to_come=attempt: job.attempt == to_come)
            hurried = await hurry(engine, job)
            assert (hurried.attempt, hurried.error, hurried.artefacts) == (attempt, waiting.error, waiting.artefacts)
            assert hurried.run_after < waiting.run_after
        ended = await engine.at_rest(job.id)
    assert (ended.state, ended.attempt, len(ended.attempts)) == (State.FAILED, 3, 3)
    assert [attempt for _, _, attempt in engine.backend.begun] == [1, 2, 3]
    told = [(event.state, event.attempt) for event in await engine.history(job.id) if "by hand" in event.message]
    assert told == [(State.QUEUED, 2), (State.QUEUED, 3)]


async def test_however_many_are_impatient_one_attempt_begins(engine):
    job = await engine.create()
    await settle_now(engine, await engine.claim(), Failed(FAILURE), retry_delay=3600.0)
    assert await engine.claim() is None
    hurried = await asyncio.gather(*(hurry(engine, job) for _ in range(6)))
    assert {(one.state, one.attempt) for one in hurried} == {(State.QUEUED, 2)}
    claims = await asyncio.gather(*(engine.claim() for _ in range(3)))
    assert [claim.job.attempt for claim in claims if claim] == [2]
    assert sum("by hand" in event.message for event in await engine.history(job.id)) == 1


async def test_only_a_wait_for_a_retry_can_be_ended(engine):
    fresh = await engine.create()
    refused = []
    for look in ("queued", "parsing", "failed"):
        if look == "parsing":
            claim = await engine.claim()
        if look == "failed":
            await settle_now(engine, claim, Failed(REFUSAL))
        before = await engine.job(fresh.id)
        with pytest.raises(VarloomError, match=f"The job is {look}: it waits for no retry") as caught:
            await hurry(engine, fresh)
        refused.append(caught.value.code)
        assert await engine.job(fresh.id) == before
    assert refused == ["job_not_final"] * 3


@pytest.mark.parametrize(
    ("how", "lacks"),
    [
        ({"from_stage": PARSE}, "annotate stage leaves, which was not finished"),
        ({"from_stage": ANNOTATE, "stale": {DOWNLOAD}}, "download stage leaves, which has to be done anew"),
        ({"from_stage": PROCESS}, "no process stage"),
    ],
)
async def test_a_retry_cannot_begin_behind_what_it_needs(engine, how, lacks):
    job = await failed_in(engine, ANNOTATE)
    with pytest.raises(VarloomError, match=lacks) as caught:
        await retry(engine, job, **how)
    assert caught.value.code == "stage_not_resumable"


def test_options_tell_which_stages_have_to_be_done_anew():
    before = {"assembly": None, "split_by_sample": False}
    assert stale_stages(before, dict(before)) == set()
    assert stale_stages(before, before | {"split_by_sample": True}) == {PARSE}
    assert stale_stages(before, before | {"assembly": "GRCh38"}) == {PROCESS, ANNOTATE, PARSE}


def test_the_waits_grow_and_are_spread():
    waits = [[backoff(attempt, 5.0) for _ in range(50)] for attempt in (1, 2, 3)]
    for around, drawn in zip((5, 20, 80), waits, strict=True):
        assert around <= min(drawn) < max(drawn) <= around * 1.2
    assert backoff(30, 5.0) <= 3600 * 1.2


async def test_what_nobody_foresaw_is_retried_and_what_the_file_says_is_not(engine, monkeypatch):
    """An error of the server's own, in the child, in the worker or in settling, may pass; a refusal does not."""
    calls = []

    def request(claim):
        calls.append(claim.job.attempt)
        if claim.job.attempt == 1:
            raise RuntimeError("nobody foresaw this")
        return {"script": [["done", {"records": 1}]]}

    monkeypatch.setattr(engine.backend, "request", request)
    job = await engine.create()
    async with engine.worker():
        done = await engine.at_rest(job.id)
    assert (done.state, done.attempt, calls) == (State.COMPLETED, 2, [1, 2])
