"""The SQL of the table `resumable_uploads`."""
# ruff: noqa: S608 -- the statements are made of the names of columns

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID  # noqa: TC003 - psycopg reads the annotations

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import AsyncConnection

ACTIVE = timedelta(hours=1)
"""An upload that has not moved for so long is not reckoned with when the disk's space is shared out."""
ORPHANED = timedelta(hours=1)
FINISHED = timedelta(days=1)
"""How long an upload that became a job says so."""

_COLUMNS: LiteralString = """id, account_id, name, bytes, durable, sample_name, options, priority, idempotency_key,
    sha256, preflight, error, job_id, created_at, expires_at, set_key, position, files"""
_INSERT: LiteralString = f"""
INSERT INTO resumable_uploads (id, account_id, name, bytes, sample_name, options, priority, idempotency_key, expires_at,
    set_key, position, files)
VALUES (%(id)s, %(account_id)s, %(name)s, %(bytes)s, %(sample_name)s, %(options)s, %(priority)s, %(idempotency_key)s,
        now() + %(lifetime)s, %(set_key)s, %(position)s, %(files)s)
ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING {_COLUMNS}
"""
_GIVE_KEY_UP = """
UPDATE resumable_uploads SET idempotency_key = NULL
WHERE account_id = %(account_id)s AND idempotency_key = %(idempotency_key)s AND expires_at <= now()
"""
_FIND: LiteralString = f"""
SELECT {_COLUMNS} FROM resumable_uploads WHERE account_id = %s AND id = %s AND expires_at > now()
"""
_FIND_BY_KEY: LiteralString = f"""
SELECT {_COLUMNS} FROM resumable_uploads WHERE account_id = %s AND idempotency_key = %s AND expires_at > now()
"""
_UNFINISHED: LiteralString = f"""
SELECT {_COLUMNS} FROM resumable_uploads
WHERE account_id = %s AND job_id IS NULL AND error IS NULL AND expires_at > now()
ORDER BY created_at DESC, id LIMIT 100
"""
_COMPLETE: LiteralString = f"""
SELECT {_COLUMNS} FROM resumable_uploads WHERE durable = bytes AND job_id IS NULL AND error IS NULL
"""
_PROMISED = """
SELECT coalesce(sum(bytes - durable), 0) FROM resumable_uploads
WHERE job_id IS NULL AND error IS NULL AND changed_at > now() - %s
"""
_NOTE_DURABLE = """
UPDATE resumable_uploads SET durable = %(durable)s, changed_at = now(), expires_at = now() + %(lifetime)s
WHERE id = %(id)s
"""
_NOTE_SHA256 = "UPDATE resumable_uploads SET sha256 = %s WHERE id = %s"
_NOTE_PREFLIGHT = "UPDATE resumable_uploads SET preflight = %s WHERE id = %s"
_NOTE_JOB = """
UPDATE resumable_uploads SET job_id = %(job_id)s, expires_at = now() + %(lifetime)s
WHERE id = %(id)s AND sample_name = %(sample_name)s AND options = %(options)s
"""
# What concerns one file of a set concerns them all: they become one job, or none.
_NOTE_REFUSAL = """
UPDATE resumable_uploads SET error = %(error)s, expires_at = now() + %(lifetime)s
WHERE job_id IS NULL AND (id = %(id)s OR account_id = %(account_id)s AND set_key = %(set_key)s)
"""
_CHANGE: LiteralString = f"""
WITH asked AS (SELECT set_key FROM resumable_uploads WHERE account_id = %(account_id)s AND id = %(id)s),
changed AS (
    UPDATE resumable_uploads SET sample_name = coalesce(%(sample_name)s, sample_name),
        options = coalesce(%(options)s, options), changed_at = now()
    WHERE account_id = %(account_id)s AND (id = %(id)s OR set_key = (SELECT set_key FROM asked))
      AND job_id IS NULL AND error IS NULL AND expires_at > now()
    RETURNING {_COLUMNS}
)
SELECT {_COLUMNS} FROM changed WHERE id = %(id)s
"""
_DELETE = "DELETE FROM resumable_uploads WHERE account_id = %s AND id = %s"
# A file of a set lives as long as any other of the set does.
_DELETE_EXPIRED = """
DELETE FROM resumable_uploads AS old WHERE expires_at <= now() AND NOT id = ANY (%s) AND NOT EXISTS (
    SELECT 1 FROM resumable_uploads AS other
    WHERE other.account_id = old.account_id AND other.set_key = old.set_key AND other.expires_at > now()
) RETURNING id
"""
_SET: LiteralString = f"""
SELECT {_COLUMNS} FROM resumable_uploads WHERE account_id = %s AND set_key = %s ORDER BY position
"""
_NOTE_JOB_OF_SET = """
UPDATE resumable_uploads SET job_id = %(job_id)s, expires_at = now() + %(lifetime)s
WHERE account_id = %(account_id)s AND set_key = %(set_key)s
"""
_KNOWN = "SELECT id FROM resumable_uploads WHERE id = ANY (%s)"


@dataclass(frozen=True, slots=True)
class ResumableUpload:
    """A file that arrives over several requests, as its row says.

    Attributes:
        durable: how many of its `bytes` cannot be lost any more; the next request goes on behind them.
        sha256: of the whole, once that is known.
        preflight: what the beginning of the file told, once it did.
        error: why the rest is not wanted, as a JOB's error.
        job_id: of the job that it became.
        set_key: the same for all files that become one job together; None for one that is alone.
        position: in the set, from 1 on.
        files: how many the set has.
    """

    id: UUID
    account_id: UUID
    name: str
    bytes: int
    durable: int
    sample_name: str
    options: dict[str, Any]
    priority: int
    idempotency_key: str | None
    sha256: str | None
    preflight: dict[str, Any] | None
    error: dict[str, Any] | None
    job_id: UUID | None
    created_at: datetime
    expires_at: datetime
    set_key: str | None = None
    position: int = 1
    files: int = 1


async def insert(conn: AsyncConnection[Any], lifetime: timedelta, **values: Any) -> ResumableUpload | None:
    """Enter an upload of which nothing has come yet; None if the account has one with this Idempotency-Key."""
    values["options"] = Jsonb(values["options"])
    await conn.execute(_GIVE_KEY_UP, values)  # of one that has expired, and is only not swept yet
    return await _one(conn, _INSERT, {**values, "lifetime": lifetime})


async def find(conn: AsyncConnection[Any], account_id: UUID, upload_id: UUID) -> ResumableUpload | None:
    """An upload of this account that has not expired."""
    return await _one(conn, _FIND, [account_id, upload_id])


async def find_by_key(conn: AsyncConnection[Any], account_id: UUID, key: str) -> ResumableUpload | None:
    """The upload that was begun under this Idempotency-Key."""
    return await _one(conn, _FIND_BY_KEY, [account_id, key])


async def unfinished(conn: AsyncConnection[Any], account_id: UUID) -> list[ResumableUpload]:
    """Those of the account that can be gone on with, newest first."""
    return await _all(conn, _UNFINISHED, [account_id])


async def complete(conn: AsyncConnection[Any]) -> list[ResumableUpload]:
    """Those of everyone whose bytes are all there, and whose job is missing."""
    return await _all(conn, _COMPLETE, [])


async def promised(conn: AsyncConnection[Any]) -> int:
    """How many bytes are still to come of all uploads that are under way."""
    row = await (await conn.execute(_PROMISED, [ACTIVE])).fetchone()
    return int(row[0]) if row else 0


async def note_durable(conn: AsyncConnection[Any], upload_id: UUID, durable: int, lifetime: timedelta) -> None:
    """Promise that so many bytes are there, and give the upload its whole lifetime anew."""
    await conn.execute(_NOTE_DURABLE, {"id": upload_id, "durable": durable, "lifetime": lifetime})


async def note_sha256(conn: AsyncConnection[Any], upload_id: UUID, sha256: str) -> None:
    """Note the checksum of the whole, before the bytes are moved."""
    await conn.execute(_NOTE_SHA256, [sha256, upload_id])


async def note_preflight(conn: AsyncConnection[Any], upload_id: UUID, found: Mapping[str, Any]) -> None:
    """Note what the beginning of the file told."""
    await conn.execute(_NOTE_PREFLIGHT, [Jsonb(dict(found)), upload_id])


async def note_job(conn: AsyncConnection[Any], upload: ResumableUpload, job_id: UUID) -> bool:
    """Note the job that the upload became; False if its name or options were changed since they were read."""
    values = {
        "id": upload.id,
        "job_id": job_id,
        "sample_name": upload.sample_name,
        "options": Jsonb(upload.options),
        "lifetime": FINISHED,
    }
    return (await conn.execute(_NOTE_JOB, values)).rowcount == 1


async def set_of(conn: AsyncConnection[Any], upload: ResumableUpload) -> list[ResumableUpload]:
    """All files of an upload's set that were begun, in their order."""
    return [upload] if upload.set_key is None else await set_named(conn, upload.account_id, upload.set_key)


async def set_named(conn: AsyncConnection[Any], account_id: UUID, set_key: str) -> list[ResumableUpload]:
    """The files of one of the account's sets that were begun, in their order."""
    return await _all(conn, _SET, [account_id, set_key])


async def note_job_of_set(conn: AsyncConnection[Any], upload: ResumableUpload, job_id: UUID) -> None:
    """Note the job on all files of the set."""
    values = {"account_id": upload.account_id, "set_key": upload.set_key, "job_id": job_id, "lifetime": FINISHED}
    await conn.execute(_NOTE_JOB_OF_SET, values)


async def note_refusal(conn: AsyncConnection[Any], upload: ResumableUpload, error: Mapping[str, Any]) -> None:
    """Note why no more bytes are wanted of the upload, and of all files of its set."""
    values = {
        "id": upload.id,
        "account_id": upload.account_id,
        "set_key": upload.set_key,
        "error": Jsonb(dict(error)),
        "lifetime": FINISHED,
    }
    await conn.execute(_NOTE_REFUSAL, values)


async def change(
    conn: AsyncConnection[Any],
    account_id: UUID,
    upload_id: UUID,
    *,
    sample_name: str | None,
    options: Mapping[str, Any] | None,
) -> ResumableUpload | None:
    """Change what is None not, of all files of a set; None if it has become a job, was refused, or is not there."""
    values = {
        "account_id": account_id,
        "id": upload_id,
        "sample_name": sample_name,
        "options": None if options is None else Jsonb(dict(options)),
    }
    return await _one(conn, _CHANGE, values)


async def delete(conn: AsyncConnection[Any], account_id: UUID, upload_id: UUID) -> None:
    """Forget an upload."""
    await conn.execute(_DELETE, [account_id, upload_id])


async def delete_expired(conn: AsyncConnection[Any], busy: list[UUID]) -> list[UUID]:
    """Forget those whose time is over, but for some that are being written."""
    return [row[0] for row in await (await conn.execute(_DELETE_EXPIRED, [busy])).fetchall()]


async def known(conn: AsyncConnection[Any], upload_ids: list[UUID]) -> set[UUID]:
    """Those of the given that have a row."""
    return {row[0] for row in await (await conn.execute(_KNOWN, [upload_ids])).fetchall()}


async def _one(conn: AsyncConnection[Any], query: LiteralString, values: Any) -> ResumableUpload | None:
    async with conn.cursor(row_factory=class_row(ResumableUpload)) as cursor:
        return await (await cursor.execute(query, values)).fetchone()


async def _all(conn: AsyncConnection[Any], query: LiteralString, values: Any) -> list[ResumableUpload]:
    async with conn.cursor(row_factory=class_row(ResumableUpload)) as cursor:
        return await (await cursor.execute(query, values)).fetchall()
