"""That a storage belongs to a database: a mark in the one, its id in the other.

Without it, a worker with a wrong folder would fail every job, and a sweep would remove the files of another server.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from psycopg.rows import scalar_row

from varloom.errors import VarloomError
from varloom.storage.problems import STORAGE_MISMATCH

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

    from varloom.storage import Storage

logger = logging.getLogger(__name__)

MARK = "varloom-storage.json"

_TAKE_ID = "INSERT INTO storage (id) VALUES (%s) ON CONFLICT DO NOTHING"
_HOLD_UNMARKED = "SELECT id FROM storage WHERE marked_at IS NULL FOR UPDATE"
_MARKED = "SELECT id FROM storage WHERE marked_at IS NOT NULL"
_NOTE_MARK = "UPDATE storage SET marked_at = now() WHERE marked_at IS NULL"


async def mark_storage(pool: AsyncConnectionPool, storage: Storage) -> None:
    """Bind the storage to the database, unless that has been done; called by the server when it starts.

    Raises:
        VarloomError: `storage_mismatch` when either is bound otherwise; those of `Storage`.
    """
    async with pool.connection() as conn:
        await conn.execute(_TAKE_ID, [uuid4()])
    async with pool.connection() as conn, conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_HOLD_UNMARKED)  # another server, which may bring another storage, waits here
        new: UUID | None = await cursor.fetchone()
        if new is not None:
            await asyncio.to_thread(_write_mark, storage, new)
            await _compare(storage, new)
            await conn.execute(_NOTE_MARK)
    await storage_is_marked(pool, storage)


async def storage_is_marked(pool: AsyncConnectionPool, storage: Storage) -> bool:
    """Whether the storage is that of the database; False while no server has bound one to it.

    Raises:
        VarloomError: `storage_mismatch`, or those of `Storage`.
    """
    async with pool.connection() as conn, conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_MARKED)
        expected: UUID | None = await cursor.fetchone()
    if expected is None:
        return False
    await _compare(storage, expected)
    return True


async def _compare(storage: Storage, expected: UUID) -> None:
    """Refuse a storage with another mark than that of the database, or with none."""
    found = await asyncio.to_thread(_read_mark, storage)
    if found != expected:
        what = "holds no mark" if found is None else f"has the mark {found}"
        message = f"{storage.access.url} {what}; the storage of this database has the mark {expected}."
        raise VarloomError(STORAGE_MISMATCH, message)


def _write_mark(storage: Storage, storage_id: UUID) -> None:
    """Write the mark; one that is there already is looked at by whoever called."""
    content = {"storage": str(storage_id), "about": "Varloom knows its storage by this file. Do not remove it."}
    try:
        storage.write_bytes(MARK, json.dumps(content, indent=1).encode() + b"\n")
    except FileExistsError:
        logger.info("the storage is marked already")


def _read_mark(storage: Storage) -> UUID | None:
    """The id in the mark; None without one, or with one that says nothing."""
    try:
        return UUID(json.loads(storage.read_bytes(MARK))["storage"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
