"""The connection breaks while an upload is committed: nobody knows, and the bytes must not be removed too early."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from varloom.services.upload_rows import insert_file
from varloom.services.uploads import Uploads
from varloom.settings import Settings
from varloom.storage import LocalStorage


async def content():
    yield b"##fileformat=VCFv4.2\n"


@pytest.mark.parametrize("committed", [True, False])
async def test_bytes_are_kept_until_it_is_certain_that_no_upload_needs_them(
    pool, database_url, account, tmp_path, committed
):
    storage = LocalStorage(tmp_path)
    uploads = Uploads(pool, storage, Settings(data=tmp_path, disk_reserve_bytes=0))
    received = await uploads.store("a.vcf", content(), None)
    async with await psycopg.AsyncConnection.connect(database_url) as in_doubt:
        await insert_file(
            in_doubt,
            upload_id=received.upload_id,
            account_id=account.id,
            name="a.vcf",
            size=received.bytes,
            sha256=received.sha256,
            storage_key=received.storage_key,
        )
        removing = asyncio.create_task(uploads.remove_unused(received.upload_id))
        await waiting_for_a_lock(pool)
        assert storage.exists(received.storage_key)
        await (in_doubt.commit() if committed else in_doubt.rollback())
        await removing
    assert storage.exists(received.storage_key) is committed


async def waiting_for_a_lock(pool):
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    async with asyncio.timeout(30):
        async with pool.connection() as conn:
            await conn.set_autocommit(True)
            while (await (await conn.execute(query)).fetchone()) != (1,):
                await asyncio.sleep(0.01)
            await conn.set_autocommit(False)


async def test_bytes_of_an_upload_that_was_never_entered_go(pool, tmp_path):
    storage = LocalStorage(tmp_path)
    uploads = Uploads(pool, storage, Settings(data=tmp_path, disk_reserve_bytes=0))
    received = await uploads.store("a.vcf", content(), None)
    await uploads.remove_unused(received.upload_id)
    assert not storage.exists(received.storage_key)
