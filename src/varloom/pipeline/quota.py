"""The quota of an account: what it may store, with what it has begun to upload.

It is what an owner has given the account, else what the server's setting says, else there is none.

Whoever adds to what an account stores asks in the transaction that adds it, under a lock of the account: of two that
would pass the quota together, the second is refused. Tables are not asked for: what was taken in is also loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

from varloom.dataset import catalog
from varloom.errors import VarloomError
from varloom.storage.problems import QUOTA_EXCEEDED

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.dataset.catalog import StorageUse
    from varloom.jobs.model import Job

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s::text, 7203441004))"
# What other downloads of the account will have brought is as good as there.
_ARRIVING: LiteralString = """
SELECT coalesce(sum((progress ->> 'total')::numeric), 0)::bigint FROM jobs
WHERE account_id = %(account)s AND state = 'downloading' AND id <> %(job)s
"""

_QUOTA: LiteralString = "SELECT CASE WHEN own_quota THEN quota_bytes ELSE %s::bigint END FROM accounts WHERE id = %s"

CONNECT_TIMEOUT = 10


async def quota_of(conn: AsyncConnection[Any], account_id: UUID, default: int | None) -> int | None:
    """How many bytes an account may store; None: no limit. `default` is the server's setting."""
    row = await (await conn.execute(_QUOTA, [default, account_id])).fetchone()
    return row[0] if row else default


async def require_room(
    conn: AsyncConnection[Any],
    account_id: UUID,
    default: int | None,
    wanted: int | None,
    *,
    what: str = "This file has",
) -> None:
    """See that an account may store more, until the end of the transaction in which it does.

    Args:
        conn: a connection, within that transaction.
        account_id: whose.
        default: the server's setting, in bytes, for accounts that have no quota of their own; None: no limit.
        wanted: bytes; None where nobody knows yet, and any room is enough.
        what: the beginning of a sentence that ends with their number.

    Raises:
        VarloomError: `quota_exceeded`.
    """
    quota = await quota_of(conn, account_id, default)
    if quota is None:
        return
    await conn.execute(_LOCK, [account_id])
    check_room(await catalog.storage_of(conn, account_id), quota, wanted, what=what)


def check_room(
    use: StorageUse, quota: int, wanted: int | None, *, arriving: int = 0, what: str = "This file has"
) -> None:
    """Refuse what does not fit beside what an account uses, and beside the bytes that are arriving elsewhere.

    Raises:
        VarloomError: `quota_exceeded`.
    """
    if use.used + arriving + (wanted or 1) > quota:
        raise quota_exceeded(use, quota, wanted, arriving=arriving, what=what)


def quota_exceeded(
    use: StorageUse, quota: int, wanted: int | None, *, arriving: int = 0, what: str = "This file has"
) -> VarloomError:
    """What is said to a file that does not fit."""
    told = f"The account uses {use.used + arriving:,} of the {quota:,} bytes that it may: {use.tables:,} in tables"
    if use.results:
        told += f", {use.results:,} in files made of reads"
    told += f", {use.originals:,} in original files, {use.begun + arriving:,} in uploads that are begun."
    return VarloomError(QUOTA_EXCEEDED, told if wanted is None else f"{told} {what} {wanted:,}.")


def room_for_download(conninfo: str, job: Job, default: int | None) -> int | None:
    """How many bytes the file of a job may have; None: any number. It blocks. `default` is the server's setting."""
    values = {"account": job.account_id, "job": job.id}
    with psycopg.connect(conninfo, connect_timeout=CONNECT_TIMEOUT) as conn:
        found = conn.execute(_QUOTA, [default, job.account_id]).fetchone()
        quota = found[0] if found else default
        if quota is None:
            return None
        used = catalog.storage_now(conn, job.account_id).used
        row = conn.execute(_ARRIVING, values).fetchone()
    return max(0, quota - used - (int(row[0]) if row else 0))
