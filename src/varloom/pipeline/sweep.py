"""The sweep: what no row points to any more is removed from the storage.

Only what bears the name of an attempt or an upload is ever removed: the folders may also hold what someone put there,
or be the storage of another database.

Order makes it safe. The folders are listed first, then the database is asked which of them are spoken for: an attempt's
token is in the database before its folder exists, so a folder that was listed and that nobody claims afterwards never
will be claimed. The bytes of an upload are given up in the database first and removed after. Each of these questions is
one statement: two would see the database at two moments, and what was committed between them would seem unwanted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from varloom.failpoints import commit_point, failpoint
from varloom.jobs.totals import add_up
from varloom.storage.held_folder import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from psycopg import AsyncConnection, Connection
    from psycopg_pool import AsyncConnectionPool

    from varloom.storage import Storage

logger = logging.getLogger(__name__)

UPLOAD_GRACE = 24 * 3600.0
"""Seconds that bytes may lie there before the row of their upload is written: longer than any upload takes."""

_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ATTEMPTS = {
    "attempts": re.compile(f"(attempts/{_ID}/{_ID})/"),
    "processed": re.compile(f"(processed/{_ID}/{_ID})/"),
}
"""By the prefix of their keys: the folders of attempts."""
_UPLOAD = re.compile(f"(uploads/{_ID})/")
_PIN = re.compile(f"(pins/{_ID})/")
_GATHERINGS = {
    "download": ("downloads", re.compile(f"(downloads/{_ID})/")),
    "process": ("processing", re.compile(f"(processing/{_ID})/")),
    "annotate": ("annotations", re.compile(f"(annotations/{_ID})/")),
}
"""By stage: the folder in which its jobs gather what outlives an attempt, and the name of a job's own."""

_LIVE_ATTEMPTS: LiteralString = """
    SELECT attempt_token::text FROM jobs WHERE attempt_token IS NOT NULL
    UNION
    SELECT split_part(artefact.value ->> 'key', '/', 3) FROM jobs, jsonb_each(jobs.artefacts) AS artefact
    WHERE jobs.state <> 'completed' AND jobs.dismissed_at IS NULL
    UNION
    SELECT split_part(datasets.storage_key, '/', 3) FROM datasets JOIN samples ON samples.id = datasets.sample_id
    WHERE samples.deleted_at IS NULL OR samples.purge_at > now()
    UNION
    SELECT split_part(sample_files.storage_key, '/', 3)
    FROM sample_files JOIN samples ON samples.id = sample_files.sample_id
    WHERE samples.deleted_at IS NULL OR samples.purge_at > now()
    UNION
    SELECT split_part(storage_key, '/', 3) FROM uploads WHERE storage_key LIKE 'attempts/%'
"""

# What has arrived of a download, or has been annotated, is of use until it is whole, or nobody will go on with it.
_LIVE_GATHERINGS: LiteralString = """
    SELECT id::text FROM jobs
    WHERE stage = %s AND dismissed_at IS NULL
      AND (finished_at IS NULL OR finished_at > now() - interval '7 days')
"""

# Releases are pinned by who works with them, or will go on with it. See `varloom.annotation.refs.pins`.
_LIVE_PINS: LiteralString = """
    SELECT id::text FROM jobs WHERE stage IN ('process', 'annotate') AND finished_at IS NULL
"""

# The original is kept as long as a job may need it again, or a sample that was made of it exists or can
# be brought back.
_GIVE_UP_UPLOADS: LiteralString = """
    UPDATE uploads SET storage_key = NULL
    WHERE storage_key IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM jobs
        WHERE jobs.upload_id = uploads.id AND jobs.dismissed_at IS NULL AND jobs.state <> 'completed'
    ) AND NOT EXISTS (
        SELECT 1 FROM datasets JOIN samples ON samples.id = datasets.sample_id
        WHERE datasets.upload_id = uploads.id AND (samples.deleted_at IS NULL OR samples.purge_at > now())
    )
"""

# What goes with the first file of an upload.
_GIVE_UP_FURTHER: LiteralString = """
    UPDATE upload_files SET storage_key = NULL FROM uploads
    WHERE uploads.id = upload_files.upload_id AND upload_files.storage_key IS NOT NULL AND uploads.storage_key IS NULL
"""

# The secret part of a URL is of use as long as its file may have to be fetched again.
_FORGET_SECRETS: LiteralString = """
    DELETE FROM upload_secrets WHERE NOT EXISTS (
        SELECT 1 FROM jobs
        WHERE jobs.upload_id = upload_secrets.upload_id AND jobs.dismissed_at IS NULL AND jobs.state <> 'completed'
    )
"""

_FORGET_FURTHER_SECRETS: LiteralString = """
    UPDATE upload_files SET secret = NULL WHERE secret IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM jobs
        WHERE jobs.upload_id = upload_files.upload_id AND jobs.dismissed_at IS NULL AND jobs.state <> 'completed'
    )
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many folders were removed, and how many things that a killed process had left half done."""

    attempts: int
    uploads: int
    leftovers: int = 0
    gatherings: int = 0


async def sweep(pool: AsyncConnectionPool, storage: Storage, now: Callable[[], float] | None = None) -> Swept:
    """Remove the folders of lost attempts, deleted samples and uploads that nothing needs. Safe at any time.

    What is young is told by the database's clock unless `now` (seconds since 1970) is given: that of a worker may be
    days off, and uploads that are under way are not its to remove.
    """
    async with pool.connection() as conn:
        commit_point("give_up_uploads", conn)
        await conn.execute(_GIVE_UP_UPLOADS)
        await conn.execute(_GIVE_UP_FURTHER)
        await conn.execute(_FORGET_SECRETS)
        await conn.execute(_FORGET_FURTHER_SECRETS)
        await add_up(conn)
    attempts = [
        key for prefix, named in _ATTEMPTS.items() for key in await asyncio.to_thread(_folders, storage, prefix, named)
    ]
    async with pool.connection() as conn:
        live = await _column(conn, _LIVE_ATTEMPTS)
    failpoint("sweep.after_listing")
    dead = [key for key in attempts if key.split("/")[2] not in live]
    await asyncio.to_thread(_remove, storage, dead)
    gathered = await _sweep_gatherings(pool, storage)
    await _sweep_pins(pool, storage)
    stored = await asyncio.to_thread(_folders, storage, "uploads", _UPLOAD)
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT id::text, storage_key IS NOT NULL FROM uploads")
        kept: dict[str, bool] = dict(await cursor.fetchall())
    young = (now() if now else await _database_time(pool)) - UPLOAD_GRACE
    unwanted = await asyncio.to_thread(_unwanted, storage, stored, kept, young)
    await asyncio.to_thread(_remove, storage, unwanted)
    leftovers = await asyncio.to_thread(storage.remove_leftovers, young)
    return Swept(len(dead), len(unwanted), leftovers, gathered)


def unclaimed_attempts(conn: Connection[Any], storage: Storage) -> list[str]:
    """The folders of attempts of which no job and no sample speaks; the young ones may be those of failed attempts."""
    folders = [key for prefix, named in _ATTEMPTS.items() for key in _folders(storage, prefix, named)]
    live = {str(row[0]) for row in conn.execute(_LIVE_ATTEMPTS)}
    return [key for key in folders if key.split("/")[2] not in live]


def size_of_garbage(conn: Connection[Any], storage: Storage) -> tuple[int, int]:
    """How many folders of attempts and uploads the next sweep removes, and their bytes. Nothing is changed.

    What it would give up first, such as uploads of samples that can no longer be brought back, is not among them.
    """
    dead = unclaimed_attempts(conn, storage)
    rows = conn.execute("SELECT id::text, storage_key IS NOT NULL FROM uploads").fetchall()
    kept: dict[str, bool] = dict(rows)
    now = conn.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    young = (float(now[0]) if now else 0.0) - UPLOAD_GRACE
    dead += _unwanted(storage, _folders(storage, "uploads", _UPLOAD), kept, young)
    return len(dead), sum(_size(storage, key) for key in dead)


def _size(storage: Storage, key: str) -> int:
    """The bytes of a folder; none if it has gone meanwhile."""
    try:
        return storage.size(key)
    except FileNotFoundError:
        return 0


async def _sweep_gatherings(pool: AsyncConnectionPool, storage: Storage) -> int:
    """Remove what jobs have gathered with which nobody goes on; how many folders that were."""
    removed = 0
    for stage, (prefix, named) in _GATHERINGS.items():
        folders = await asyncio.to_thread(_folders, storage, prefix, named)
        async with pool.connection() as conn:
            live = await _column(conn, _LIVE_GATHERINGS, stage)
        dead = [key for key in folders if key.split("/")[1] not in live]
        removed += await asyncio.to_thread(_remove_gathered, storage, dead)
    return removed


async def _sweep_pins(pool: AsyncConnectionPool, storage: Storage) -> None:
    """Let go of what jobs have pinned that do not work with it any more."""
    folders = await asyncio.to_thread(_folders, storage, "pins", _PIN)
    async with pool.connection() as conn:
        live = await _column(conn, _LIVE_PINS)
    await asyncio.to_thread(_remove, storage, [key for key in folders if key.split("/")[1] not in live])


def _remove_gathered(storage: Storage, keys: Iterable[str]) -> int:
    """Remove folders in which nobody works: a job may have been retried since we asked; how many."""
    removed = 0
    for key in keys:
        folder = storage.local_path(key)
        with contextlib.nullcontext(enter_result=True) if folder is None else unused(folder) as is_unused:
            if is_unused:
                _remove(storage, [key])
                removed += 1
    return removed


async def _database_time(pool: AsyncConnectionPool) -> float:
    """Seconds since 1970 by the clock that all share."""
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT extract(epoch FROM clock_timestamp())")
        row = await cursor.fetchone()
    return float(row[0]) if row else 0.0


def _folders(storage: Storage, prefix: str, named: re.Pattern[str]) -> list[str]:
    """The folders below the prefix that are named so and hold anything."""
    keys = storage.list_prefix(prefix)
    return sorted({found[1] for key in keys if (found := named.match(key))})


def _unwanted(storage: Storage, keys: Iterable[str], kept: Mapping[str, bool], young: float) -> list[str]:
    """The folders of uploads that were given up, and those without a row that are too old to get one yet."""
    named = [(key, key.split("/")[1]) for key in keys]
    return [key for key, name in named if (not kept[name] if name in kept else _changed_at(storage, key) < young)]


def _changed_at(storage: Storage, key: str) -> float:
    """When the folder last changed, in seconds since 1970; never, if it has gone."""
    try:
        return storage.changed_at(key)
    except FileNotFoundError:
        return math.inf


def _remove(storage: Storage, keys: Iterable[str]) -> None:
    """Remove folders."""
    for key in keys:
        logger.info("removing %s, which nothing needs any more", key)
        failpoint("sweep.before_delete")
        storage.delete_tree(key)
        failpoint("sweep.after_delete")


async def _column(conn: AsyncConnection[Any], query: LiteralString, *values: str) -> frozenset[str]:
    """The one column of a query as a set."""
    cursor = await conn.execute(query, values or None)
    return frozenset(row[0] for row in await cursor.fetchall())
