"""Children that break the protocol, cling to their pipes or will not die: every job ends, and so does the worker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.engine.test_worker import DONE, eventually, is_alive

from varloom.jobs.child import Child, ChildPool, storable
from varloom.jobs.lifecycle import State

MODULE = "tests.engine.scripted_child"


@pytest.fixture
def left_behind(tmp_path):
    """A file for the id of a process that the test leaves behind on purpose; it is killed in the end."""
    path = tmp_path / "left-behind"
    yield path
    if path.exists():
        os.kill(int(path.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([["raw", "no JSON\n"], ["sleep", 60]], "internal_error"),
        ([["raw", "[1]\n"], ["sleep", 60]], "internal_error"),
        ([["raw", '{"progress": 5}\n'], ["sleep", 60]], "internal_error"),
        ([["raw", '{"progress": {"done": "x", "total": 1, "unit": "y"}}\n'], ["sleep", 60]], "internal_error"),
        ([["raw", '{"failed": {}}\n']], "internal_error"),
        ([["raw", '{"done": {"result": 1, "warnings": []}}\n']], "internal_error"),
        ([["flood", 70_000_000, 0], ["sleep", 60]], "internal_error"),
        ([["raw", '{"done": {"resu'], ["die", signal.SIGKILL]], "stage_crashed"),
        ([["close"], ["sleep", 60]], "stage_crashed"),
    ],
)
async def test_a_child_that_breaks_the_protocol_fails_its_job_at_once(engine, script, code):
    job = await engine.create(parse=[script], max_attempts=1)
    later = await engine.create(parse=[[DONE]])
    async with engine.worker():
        failed = await engine.at_rest(job.id)
        assert (await engine.at_rest(later.id)).state is State.COMPLETED
    assert (failed.state, failed.error["code"]) == (State.FAILED, code)


async def test_text_that_the_database_cannot_keep_is_kept_without_what_it_cannot(engine):
    said = {"message": "nul \0, half \ud800", "code": "vcf_header", "retryable": False, "excerpt": float("nan")}
    job = await engine.create(parse=[[["raw", json.dumps({"failed": said}) + "\n"]]])
    async with engine.worker():
        failed = await engine.at_rest(job.id)
    assert failed.error["message"] == "nul \ufffd, half ?"
    assert failed.error["excerpt"] is None
    assert storable({"a": [1, 2.5, True, None, "\u00e9"]}) == {"a": [1, 2.5, True, None, "\u00e9"]}


async def test_a_crash_is_noticed_although_a_stray_process_holds_the_pipes(engine, left_behind):
    job = await engine.create(parse=[[["daemon", str(left_behind)], ["die", signal.SIGSEGV]]], max_attempts=1)
    async with engine.worker():
        failed = await engine.at_rest(job.id, seconds=15)
        stopping_at = time.monotonic()
    assert failed.error["code"] == "stage_crashed"
    assert time.monotonic() - stopping_at < 15


async def test_what_a_crashed_child_has_started_ends_with_it(engine, tmp_path):
    pid_file = tmp_path / "pid"
    job = await engine.create(parse=[[["spawn", str(pid_file)], ["die", signal.SIGKILL]]], max_attempts=1)
    async with engine.worker():
        await engine.at_rest(job.id)
        await eventually(lambda: not is_alive(int(pid_file.read_text())))


async def test_an_idle_child_that_was_killed_is_replaced_and_what_it_left_is_ended(tmp_path):
    pid_file = tmp_path / "pid"
    children = ChildPool(MODULE)
    try:
        first = await _play(children, ["spawn", str(pid_file)])
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: not is_alive(int(pid_file.read_text())))
        assert await _play(children) != first
    finally:
        await children.close()


async def test_a_child_without_line_ends_does_not_fill_the_worker_and_goes_on():
    child = await Child.start(MODULE)
    try:
        script = [["flood", 0, 5_000_000], ["done", {}]]
        messages = [message async for message in child.run({"script": script})]
        assert list(messages[-1]) == ["done"]
    finally:
        await child.kill()


async def test_a_child_that_is_deaf_to_sigterm_is_killed():
    child = await Child.start(MODULE)
    messages = child.run({"script": [["deafen"], ["progress", 1, 2], ["sleep", 60]]})
    assert "progress" in await anext(messages)
    await messages.aclose()
    began = time.monotonic()
    await child.kill()
    assert time.monotonic() - began < 30, "long before it ends by itself"
    assert not is_alive(child.pid)


async def test_a_child_does_not_learn_where_the_database_is(tmp_path, monkeypatch):
    monkeypatch.setenv("VARLOOM_DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    children = ChildPool(MODULE)
    try:
        await _play(children, ["environment", str(tmp_path / "environment")])
    finally:
        await children.close()
    environment = json.loads(Path(tmp_path / "environment").read_text())
    assert "secret" not in str(environment)
    assert environment["TMPDIR"] == str(tmp_path)


async def _play(children, *moves):
    """Play moves in a child; its process id."""
    async with asyncio.timeout(30), children.child() as child:
        messages = [message async for message in child.run({"script": [*moves, ["done", {}]]})]
        assert messages == [{"done": {"result": {}, "warnings": []}}]
        return child.pid
