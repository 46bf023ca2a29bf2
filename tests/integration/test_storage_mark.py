"""One storage for one database: whoever brings another is told so, before a job or a file comes to harm."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from varloom.errors import VarloomError
from varloom.services.storage_mark import MARK, mark_storage, storage_is_marked
from varloom.storage import LocalStorage


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "storage")


@pytest.fixture
def other(tmp_path):
    return LocalStorage(tmp_path / "other")


async def test_the_server_marks_and_workers_find_the_mark(pool, storage):
    assert not await storage_is_marked(pool, storage), "a worker that comes first waits"
    await mark_storage(pool, storage)
    await mark_storage(pool, storage)
    assert await storage_is_marked(pool, storage)


async def test_an_empty_storage_and_that_of_another_database_are_refused(pool, storage, other):
    await mark_storage(pool, storage)
    for refusing in (mark_storage, storage_is_marked):
        with pytest.raises(VarloomError, match="holds no mark") as caught:
            await refusing(pool, other)
        assert caught.value.code == "storage_mismatch"
    other.write_bytes(MARK, json.dumps({"storage": str(uuid.uuid4())}).encode())
    for refusing in (mark_storage, storage_is_marked):
        with pytest.raises(VarloomError, match="has the mark"):
            await refusing(pool, other)
    assert await storage_is_marked(pool, storage)


async def test_a_new_database_does_not_take_a_storage_that_has_an_owner(pool, storage, other):
    storage.write_bytes(MARK, json.dumps({"storage": str(uuid.uuid4())}).encode())
    for _ in range(2):
        with pytest.raises(VarloomError, match="has the mark"):
            await mark_storage(pool, storage)
    await mark_storage(pool, other)
    assert await storage_is_marked(pool, other), "and another one can be given"


async def test_of_two_servers_that_start_at_once_one_brings_the_storage(pool, storage, other):
    """As on two machines, each with a folder of its own: else both would bear the same mark."""
    both = (mark_storage(pool, storage), mark_storage(pool, other))
    brought = await asyncio.gather(*both, return_exceptions=True)
    assert [getattr(one, "code", None) for one in brought].count("storage_mismatch") == 1
    assert storage.exists(MARK) != other.exists(MARK)


async def test_a_server_that_was_killed_between_the_two_goes_on(pool, connection, storage):
    await mark_storage(pool, storage)
    await connection.execute("UPDATE storage SET marked_at = NULL")
    assert not await storage_is_marked(pool, storage)
    await mark_storage(pool, storage)
    assert await storage_is_marked(pool, storage)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"storage": "x"}', b"[]", b"\xff"])
async def test_a_mark_that_says_nothing_is_none(pool, storage, other, content):
    await mark_storage(pool, storage)
    other.write_bytes(MARK, content)
    with pytest.raises(VarloomError, match="holds no mark"):
        await storage_is_marked(pool, other)
