"""The worker that a server keeps: started again when it dies, and ended with the server, whenever that stops."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import psutil
import pytest
from tests.engine.test_worker import eventually, is_alive

from varloom.db.database import Database
from varloom.services import worker_process
from varloom.services.worker_process import WorkerProcess

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""


@pytest.fixture
def keep(database_url):
    """Keeps a worker with this command line, which takes no notice of the pipe."""

    def make(command, grace=0.0):
        return WorkerProcess(command, os.environ, Database(database_url), grace)

    return make


@pytest.mark.parametrize("turns", range(4))
async def test_a_stop_while_the_worker_is_being_started_ends_it(keep, turns):
    """After so many turns of the event loop: before, in the midst of, and after the start."""
    worker = keep(SLEEP)
    running = asyncio.create_task(worker.run())
    for _ in range(turns):
        await asyncio.sleep(0)
    await worker.stop()
    await asyncio.wait_for(running, 60)
    assert worker.pid is None


async def test_a_worker_that_does_not_stop_is_killed(keep, monkeypatch, tmp_path):
    monkeypatch.setattr(worker_process, "STOP_MARGIN", 0.5)
    deaf = tmp_path / "deaf"
    worker = keep([sys.executable, "-c", DEAF, str(deaf)])
    running = asyncio.create_task(worker.run())
    await eventually(deaf.exists)
    pid = worker.pid
    began = time.monotonic()
    await worker.stop()
    await asyncio.wait_for(running, 60)
    assert time.monotonic() - began >= 0.5
    assert not is_alive(pid)


async def test_a_worker_that_dies_is_reported_and_replaced(keep, monkeypatch, connection):
    monkeypatch.setattr(worker_process, "FIRST_DELAY", 0.01)
    worker = keep(SLEEP)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: worker.pid is not None)
    first = worker.pid
    await connection.execute(
        "INSERT INTO workers (id, host, pid, version, slots) VALUES (gen_random_uuid(), %s, %s, '0', '{}')",
        [os.uname().nodename, first],
    )
    psutil.Process(first).kill()
    await eventually(lambda: worker.pid not in {None, first})
    cursor = await connection.execute("SELECT stopped_at IS NOT NULL FROM workers")
    assert await cursor.fetchone() == (True,)
    await worker.stop()
    await asyncio.wait_for(running, 60)


async def test_a_worker_that_cannot_be_started_is_tried_again(keep, monkeypatch, tmp_path):
    monkeypatch.setattr(worker_process, "FIRST_DELAY", 0.01)
    program = tmp_path / "program"
    worker = keep([str(program)])
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    await eventually(lambda: worker.pid is not None)
    await worker.stop()
    await asyncio.wait_for(running, 60)
