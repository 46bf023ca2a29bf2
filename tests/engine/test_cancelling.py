"""Tasks whose cancellation is lost end nevertheless, and so does the worker that they belong to."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from varloom import cancelling
from varloom.cancelling import cancel_all
from varloom.db.database import Database
from varloom.services import work
from varloom.settings import Settings


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.setattr(cancelling, "CANCEL_PATIENCE", 0.05)


async def stubborn(*_):
    """It loses the first cancellation, as `asyncio.wait_for` may."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(600)
    await asyncio.sleep(600)


async def test_a_task_that_goes_on_is_cancelled_again():
    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.sleep(0)
    await asyncio.wait_for(cancel_all(tasks), 20)
    assert tasks[0].cancelled()
    await cancel_all([])


async def test_a_worker_ends_although_its_sweep_loses_the_cancellation(database_url, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_sweep_for_ever", stubborn)
    stop = asyncio.Event()
    running = asyncio.create_task(work.run_worker(Settings(data=tmp_path), Database(database_url), stop=stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 30)
