"""The lifecycle is one table; the code's and the database's must be the same, and the database must enforce it."""

from __future__ import annotations

import itertools

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varloom.jobs.lifecycle import FINAL, LAST_STAGE, STATE_OF_STAGE, TRANSITIONS, Stage, State, next_stage
from varloom.settings import STAGES


async def test_the_database_holds_the_same_transitions(connection):
    cursor = await connection.execute("SELECT from_state, to_state FROM job_transitions")
    assert {(State(before), State(after)) for before, after in await cursor.fetchall()} == TRANSITIONS


async def test_the_database_refuses_every_other_transition(engine, connection):
    """Each pair is tried on a real row, with all other columns made to fit, so that only the guard decides."""
    job = await engine.create()
    worker_id = await engine.register(connection)
    await connection.execute("INSERT INTO samples (account_id, name) VALUES (%s, 'x')", [engine.account.id])
    running = [state.value for state in STATE_OF_STAGE.values()]
    final = [state.value for state in FINAL]
    to_state = """
        UPDATE jobs SET state = %(state)s, stage = CASE WHEN %(state)s = 'completed' THEN NULL ELSE 'parse' END,
            attempt_token = CASE WHEN %(state)s = ANY (%(running)s) THEN gen_random_uuid() END,
            worker_id = CASE WHEN %(state)s = ANY (%(running)s) THEN %(worker)s::uuid END,
            finished_at = CASE WHEN %(state)s = ANY (%(final)s) THEN now() END,
            error = CASE WHEN %(state)s = 'failed' THEN '{}'::jsonb END,
            sample_id = CASE WHEN %(state)s = 'completed' THEN (SELECT id FROM samples LIMIT 1) END
        WHERE id = %(job)s"""
    values = {"running": running, "final": final, "worker": worker_id, "job": job.id}
    for before, after in itertools.permutations(State, 2):
        await connection.execute("ALTER TABLE jobs DISABLE TRIGGER jobs_guard")
        await connection.execute(to_state, values | {"state": before.value})
        await connection.execute("ALTER TABLE jobs ENABLE TRIGGER jobs_guard")
        if (before, after) in TRANSITIONS:
            await connection.execute(to_state, values | {"state": after.value})
        else:
            with pytest.raises(psycopg.errors.CheckViolation, match="cannot go from"):
                await connection.execute(to_state, values | {"state": after.value})


def test_nothing_follows_completed():
    assert not [pair for pair in TRANSITIONS if pair[0] is State.COMPLETED]


def test_the_settings_know_the_same_stages():
    assert tuple(stage.value for stage in Stage) == STAGES


@given(st.sets(st.sampled_from(list(Stage)[:-1])))
def test_a_plan_is_walked_from_its_first_stage_to_its_last(chosen):
    plan = (*[stage for stage in Stage if stage in chosen], LAST_STAGE)
    walked = [plan[0]]
    while (following := next_stage(plan, walked[-1])) is not None:
        walked.append(following)
    assert tuple(walked) == plan
