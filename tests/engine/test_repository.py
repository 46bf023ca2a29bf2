"""The job row decides: claims, settlements, turns, cancels and retries, each in its one transaction."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from tests.engine.conftest import FAILURE, REFUSAL

from varloom.errors import VarloomError
from varloom.jobs import line, repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.model import HeldStage, NewJob
from varloom.jobs.outcome import Cancelled, Failed, Released, Succeeded
from varloom.jobs.settle import settle


async def settle_now(engine, claim, outcome, retry_delay=0.0):
    async with engine.pool.connection() as conn:
        return await settle(conn, claim, outcome, engine.backend, retry_delay=retry_delay)


async def tickets(engine, stage="parse"):
    async with engine.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = %s", [stage])
        return (await cursor.fetchone())[0]


async def test_a_created_job_is_queued_with_its_ticket_and_its_event(engine):
    job = await engine.create()
    assert (job.state, job.stage, job.attempt) == (State.QUEUED, Stage.PARSE, 1)
    assert await tickets(engine) == 1
    (event,) = await engine.history(job.id)
    assert (event.id, event.state, event.job) == (1, State.QUEUED, job)


async def test_a_job_that_cannot_be_committed_leaves_nothing(engine):
    upload_id = await engine.upload()
    new = repository.NewJob(engine.account.id, upload_id, "NA1", (Stage.PARSE,))

    async def create_and_break():
        async with engine.pool.connection() as conn:
            await repository.create_job(conn, new)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await create_and_break()
    async with engine.pool.connection() as conn:
        assert await repository.list_jobs(conn, engine.account.id) == []
        assert await repository.last_event_id(conn, engine.account.id) == 0
    assert await tickets(engine) == 0


async def test_each_waiting_job_is_claimed_once_however_many_claim(engine):
    jobs = {(await engine.create()).id for _ in range(20)}
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
    claims = await asyncio.gather(*(engine.claim(worker_id=worker_id) for _ in range(30)))
    claimed = [claim.job.id for claim in claims if claim is not None]
    assert sorted(claimed) == sorted(jobs)
    assert len({claim.token for claim in claims if claim}) == 20


async def test_success_goes_through_the_plan_and_completes_with_the_dataset(engine):
    job = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE))
    first = await engine.claim(Stage.DOWNLOAD)
    assert await engine.claim(Stage.PARSE) is None
    advanced = await settle_now(engine, first, Succeeded({"key": "a"}))
    assert (advanced.state, advanced.stage, advanced.artefacts) == (
        State.QUEUED,
        Stage.PARSE,
        {"download": {"key": "a"}},
    )
    second = await engine.claim(Stage.PARSE)
    done = await settle_now(engine, second, Succeeded({"records": 7, "variants": 8}))
    assert (done.state, done.stage, done.records, done.variants) == (State.COMPLETED, None, 7, 8)
    assert done.sample_id is not None
    states = [event.state.value for event in await engine.history(job.id)]
    assert states == ["queued", "downloading", "queued", "parsing", "completed"]
    assert [event.id for event in await engine.history(job.id)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "outcome", [Succeeded({"records": 1}), Failed(FAILURE), Failed(REFUSAL), Cancelled(), Released()]
)
async def test_a_late_finish_of_a_lost_claim_changes_nothing(engine, outcome):
    """What a bare queue gets wrong: attempt A finishes after attempt B has begun."""
    job = await engine.create()
    zombie = await engine.claim()
    await settle_now(engine, zombie, Failed(FAILURE))
    living = await engine.claim()
    before = await engine.job(job.id)
    assert await settle_now(engine, zombie, outcome) is None
    assert await engine.job(job.id) == before
    async with engine.pool.connection() as conn:
        assert await repository.write_progress(conn, zombie, {"done": 1}) is None
        assert (await (await conn.execute("SELECT count(*) FROM samples")).fetchone())[0] == 0
    done = await settle_now(engine, living, Succeeded({"records": 3, "variants": 3}))
    assert (done.state, done.attempt, done.records) == (State.COMPLETED, 2, 3)


async def test_a_failure_is_retried_three_times_then_final(engine):
    job = await engine.create()
    for attempt in (1, 2, 3):
        waiting = await settle_now(engine, await engine.claim(), Failed(FAILURE))
        assert (waiting.state, waiting.attempt, waiting.error) == (State.QUEUED, attempt + 1, FAILURE)
    failed = await settle_now(engine, await engine.claim(), Failed(FAILURE))
    assert (failed.state, failed.attempt, failed.stage, failed.error) == (State.FAILED, 4, Stage.PARSE, FAILURE)
    assert await engine.claim() is None
    messages = [event.message for event in await engine.history(job.id)]
    assert "Attempt 1 of 4 failed: It broke." in messages
    assert messages[-1] == "Failed: It broke."


async def test_a_retry_waits_for_its_time(engine):
    job = await engine.create()
    waiting = await settle_now(engine, await engine.claim(), Failed(FAILURE), retry_delay=60)
    assert 55 < (waiting.retry_at - waiting.created_at).total_seconds() < 80
    assert await engine.claim() is None
    async with engine.pool.connection() as conn:
        assert await line.queue_positions(conn, engine.account.id) == {}
    assert (await engine.job(job.id)).state is State.QUEUED


async def test_what_no_retry_can_change_fails_at_once(engine):
    await engine.create()
    failed = await settle_now(engine, await engine.claim(), Failed(REFUSAL))
    assert (failed.state, failed.attempt, failed.error["line"]) == (State.FAILED, 1, 3)


async def test_a_released_stage_does_not_count(engine):
    await engine.create()
    waiting = await settle_now(engine, await engine.claim(), Released())
    assert (waiting.state, waiting.attempt) == (State.QUEUED, 1)
    assert (await engine.claim()).job.attempt == 1


async def test_accounts_take_turns_and_the_shown_position_is_the_true_one(engine, make_account):
    """A thousand uploads of one account do not starve another's one; priority comes first, then the oldest."""
    other = await make_account()
    mine = [await engine.create() for _ in range(4)]
    theirs = [await engine.create(account=other) for _ in range(2)]
    urgent = await engine.create(priority=5)
    expected = [urgent, theirs[0], mine[0], theirs[1], mine[1], mine[2], mine[3]]
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
    order = []
    for number in range(7):
        async with engine.pool.connection() as conn:
            ahead = {
                **await line.queue_positions(conn, engine.account.id),
                **await line.queue_positions(conn, other.id),
            }
        if number >= 1:  # from the first turn on, what is shown is what will happen
            assert [ahead[job.id] for job in expected[number:]] == list(range(7 - number))
        order.append((await engine.claim(worker_id=worker_id)).job.id)
    assert order == [job.id for job in expected]


async def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked(engine):
    waiting, running = await engine.create(), await engine.create()
    async with engine.pool.connection() as conn:
        cancelled = await repository.request_cancel(conn, engine.account.id, waiting.id)
        assert cancelled.state is State.CANCELLED
    claim = await engine.claim()
    assert claim.job.id == running.id
    async with engine.pool.connection() as conn:
        asked = await repository.request_cancel(conn, engine.account.id, running.id)
        assert asked.state is State.PARSING
        assert await repository.write_progress(conn, claim, {"done": 1}) is True
        assert await repository.claims_of(conn, claim.job.worker_id) == [
            HeldStage(running.id, Stage.PARSE, claim.token, cancel_requested=True)
        ]
    ended = await settle_now(engine, claim, Failed(FAILURE))
    assert ended.state is State.CANCELLED, "a cancelled job is not retried"
    async with engine.pool.connection() as conn:
        with pytest.raises(VarloomError) as caught:
            await repository.request_cancel(conn, engine.account.id, running.id)
    assert caught.value.code == "job_already_final"


async def test_a_retry_by_hand_begins_where_it_failed_on_what_is_there(engine):
    job = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE))
    await settle_now(engine, await engine.claim(Stage.DOWNLOAD), Succeeded({"key": "a"}))
    await settle_now(engine, await engine.claim(), Failed(REFUSAL))
    async with engine.pool.connection() as conn:
        again = await repository.retry_by_hand(conn, engine.account.id, job.id, options={"assembly": "GRCh38"})
    assert (again.state, again.stage, again.attempt, again.error) == (State.QUEUED, Stage.PARSE, 1, None)
    assert (again.options, again.artefacts) == ({"assembly": "GRCh38"}, {"download": {"key": "a"}})
    await settle_now(engine, await engine.claim(), Failed(REFUSAL))
    async with engine.pool.connection() as conn:
        anew = await repository.retry_by_hand(conn, engine.account.id, job.id, from_stage=Stage.DOWNLOAD)
    assert (anew.stage, anew.artefacts) == (Stage.DOWNLOAD, {})


@pytest.mark.parametrize(
    ("from_stage", "code"), [(Stage.ANNOTATE, "stage_not_resumable"), (Stage.PARSE, "stage_not_resumable")]
)
async def test_a_retry_cannot_skip_what_is_needed(engine, from_stage, code):
    job = await engine.create(plan=(Stage.DOWNLOAD, Stage.PARSE))
    await settle_now(engine, await engine.claim(Stage.DOWNLOAD), Failed(REFUSAL))
    async with engine.pool.connection() as conn:
        with pytest.raises(VarloomError) as caught:
            await repository.retry_by_hand(conn, engine.account.id, job.id, from_stage=from_stage)
    assert caught.value.code == code


async def test_nothing_is_seen_or_touched_by_another_account(engine, make_account):
    job = await engine.create()
    stranger = (await make_account()).id
    async with engine.pool.connection() as conn:
        assert await repository.find_job(conn, stranger, job.id) is None
        assert await repository.list_jobs(conn, stranger) == []
        assert await repository.history(conn, stranger, job.id) == []
        assert await repository.events_after(conn, stranger, 0) == []
        assert await line.queue_positions(conn, stranger) == {}
        for act in (repository.request_cancel, repository.retry_by_hand, repository.retry_now, repository.dismiss):
            with pytest.raises(VarloomError) as caught:
                await act(conn, stranger, job.id)
            assert caught.value.code == "job_not_found"
    assert await engine.job(job.id) == job


async def test_events_of_an_account_are_numbered_without_gaps_in_commit_order(engine):
    """Transactions that overlap in time: a reader that saw event n has seen all before it."""
    await asyncio.gather(*(engine.create() for _ in range(8)))
    seen, last = [], 0
    async with engine.pool.connection() as conn:
        while events := await repository.events_after(conn, engine.account.id, last, limit=3):
            seen += [event.id for event in events]
            last = seen[-1]
    assert seen == list(range(1, 9))


async def test_a_dismissed_job_leaves_the_list_but_an_active_one_cannot_be(engine):
    job = await engine.create()
    async with engine.pool.connection() as conn:
        with pytest.raises(VarloomError) as caught:
            await repository.dismiss(conn, engine.account.id, job.id)
        assert caught.value.code == "job_not_final"
    await settle_now(engine, await engine.claim(), Failed(REFUSAL))
    async with engine.pool.connection() as conn:
        await repository.dismiss(conn, engine.account.id, job.id)
        assert await repository.list_jobs(conn, engine.account.id) == []
    async with engine.pool.connection() as conn:
        assert (await repository.events_after(conn, engine.account.id, 3))[0].job.dismissed_at is not None


async def test_steps_of_one_account_do_not_wait_for_one_that_is_not_committed_yet(engine):
    """Events are numbered at the commit: a step that takes its time holds up no other one, and leaves no gap."""
    job = await engine.create()
    upload_id = await engine.upload()
    async with engine.pool.connection() as slow:
        await repository.create_job(slow, NewJob(engine.account.id, upload_id, "slow", (Stage.PARSE,)))
        async with asyncio.timeout(30), engine.pool.connection() as conn:
            await repository.request_cancel(conn, engine.account.id, job.id)
    async with engine.pool.connection() as conn:
        events = await repository.events_after(conn, engine.account.id, 0)
    assert [(event.id, event.state.value) for event in events] == [(1, "queued"), (2, "cancelled"), (3, "queued")]


async def test_jobs_are_listed_newest_first_page_by_page(engine):
    jobs = [await engine.create() for _ in range(5)]
    newest_first = [job.id for job in reversed(jobs)]
    async with engine.pool.connection() as conn:
        first = await repository.list_jobs(conn, engine.account.id, limit=3)
        before = (first[-1].created_at, first[-1].id)
        rest = await repository.list_jobs(conn, engine.account.id, limit=3, before=before)
        assert [job.id for job in first + rest] == newest_first
        assert len(await repository.list_jobs(conn, engine.account.id, search="a.V")) == 5
        assert await repository.list_jobs(conn, engine.account.id, search="%") == []
        assert await repository.list_jobs(conn, engine.account.id, states=[State.FAILED]) == []


async def test_an_unknown_job_is_not_found(engine):
    async with engine.pool.connection() as conn:
        with pytest.raises(VarloomError) as caught:
            await repository.get_job(conn, engine.account.id, uuid.uuid4())
    assert caught.value.code == "job_not_found"


async def test_slots_that_go_on_from_account_to_account_do_not_lock_each_other_up(engine, connection, make_account):
    """Each settles a job of one account and claims one of the other's: both number events of both, in one order."""
    bob = await make_account()
    for account in (engine.account, bob) * 2:
        await engine.create(account=account)
    async with engine.pool.connection() as conn:
        worker_id = await engine.register(conn)
    claims = [await engine.claim(worker_id=worker_id) for _ in range(2)]

    async def go_on(claim):
        async with engine.pool.connection() as conn:
            await settle(conn, claim, Succeeded({}), engine.backend, retry_delay=0)
            return await repository.claim(conn, Stage.PARSE, worker_id, after=claim.job.account_id)

    async def waiting(*counts):
        """Until so many wait for a lock, and so many of them for one that `one` holds."""
        query = (
            "SELECT count(*), count(*) FILTER (WHERE %s = ANY (pg_blocking_pids(pid))) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pg_blocking_pids(pid) <> '{}'"
        )
        async with asyncio.timeout(20):
            while (await (await connection.execute(query, [one.info.backend_pid])).fetchone())[: len(counts)] != counts:
                await asyncio.sleep(0.01)

    async with engine.pool.connection() as one, engine.pool.connection() as other:
        for conn, claim in zip((one, other), claims, strict=True):
            await conn.execute("SELECT FROM accounts WHERE id = %s FOR NO KEY UPDATE", [claim.job.account_id])
        later = asyncio.create_task(go_on(claims[1]))
        await waiting(1)
        sooner = asyncio.create_task(go_on(claims[0]))
        await waiting(2)
        await one.rollback()
        await waiting(2, 0)
        await other.rollback()
        following = [await sooner, await later]
    assert [claim.job.account_id for claim in following] == [bob.id, engine.account.id]
