"""The SQL of the table `uploads`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003 - a dataclass has it in its annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from varloom.services.uploads import ReceivedFile

# The lock ends with the transaction: whoever gets it afterwards sees whether the upload was committed.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(id)s::text, 7203441003))"

_INSERT = """
INSERT INTO uploads (id, account_id, kind, name, bytes, sha256, storage_key)
VALUES (%(id)s, %(account_id)s, 'file', %(name)s, %(bytes)s, %(sha256)s, %(storage_key)s)
"""


async def insert_file(
    conn: AsyncConnection[Any],
    *,
    upload_id: UUID,
    account_id: UUID,
    name: str,
    size: int,
    sha256: str,
    storage_key: str,
) -> None:
    """Enter a file whose bytes lie in the storage already. `size` is in bytes."""
    values = {
        "id": upload_id,
        "account_id": account_id,
        "name": name,
        "bytes": size,
        "sha256": sha256,
        "storage_key": storage_key,
    }
    await conn.execute(_LOCK, {"id": upload_id})
    await conn.execute(_INSERT, values)


_INSERT_FURTHER = """
INSERT INTO upload_files (upload_id, position, name, bytes, sha256, storage_key)
VALUES (%(upload_id)s, %(position)s, %(name)s, %(bytes)s, %(sha256)s, %(storage_key)s)
"""
_INSERT_FURTHER_URL = """
INSERT INTO upload_files (upload_id, position, name, url, secret)
VALUES (%(upload_id)s, %(position)s, %(name)s, %(url)s, %(secret)s)
"""


async def insert_further_files(conn: AsyncConnection[Any], upload_id: UUID, files: Sequence[ReceivedFile]) -> None:
    """Enter the files of an upload beside its first, in their order."""
    for position, file in enumerate(files, 2):
        values = {name: getattr(file, name) for name in ("name", "bytes", "sha256", "storage_key")}
        await conn.execute(_INSERT_FURTHER, {"upload_id": upload_id, "position": position, **values})


async def insert_further_urls(conn: AsyncConnection[Any], further: Sequence[NewUrl]) -> None:
    """Enter the files from URLs beside the first of their upload; those of one upload follow each other."""
    positions: Counter[UUID] = Counter()
    for one in further:
        positions[one.upload_id] += 1
        values = {"name": one.name, "url": one.url, "secret": one.secret}
        position = positions[one.upload_id] + 1
        await conn.execute(_INSERT_FURTHER_URL, {"upload_id": one.upload_id, "position": position, **values})


_INSERT_URL = """
INSERT INTO uploads (id, account_id, kind, name, url) VALUES (%(id)s, %(account_id)s, 'url', %(name)s, %(url)s)
"""
_KEPT_URLS = """
SELECT (SELECT secret FROM upload_secrets WHERE upload_id = %(id)s) AS secret, 1 AS position
UNION ALL SELECT secret, position FROM upload_files WHERE upload_id = %(id)s ORDER BY position
"""
_KEEP_URL = "INSERT INTO upload_secrets (upload_id, secret) VALUES (%(id)s, %(secret)s)"


async def insert_url(
    conn: AsyncConnection[Any], *, upload_id: UUID, account_id: UUID, name: str, url: str, secret: bytes | None
) -> None:
    """Enter a file that is still to be fetched.

    Args:
        conn: a connection.
        upload_id: its id.
        account_id: whose it is.
        name: what it is called.
        url: as it may be shown.
        secret: the whole URL, encrypted, where it is more than that.
    """
    values = {"id": upload_id, "account_id": account_id, "name": name, "url": url}
    await conn.execute(_INSERT_URL, values)
    if secret is not None:
        await conn.execute(_KEEP_URL, {"id": upload_id, "secret": secret})


URLS_AT_ONCE = 500
"""Rows of one statement, lest whatever else the process does has to wait while their texts are written."""
_INSERT_URLS = """
INSERT INTO uploads (id, account_id, kind, name, url)
SELECT id, %(account_id)s, 'url', name, url FROM unnest(%(ids)s::uuid[], %(names)s::text[], %(urls)s::text[])
    AS new(id, name, url)
"""
_KEEP_URLS = """
INSERT INTO upload_secrets (upload_id, secret) SELECT * FROM unnest(%(ids)s::uuid[], %(secrets)s::bytea[])
"""


@dataclass(frozen=True, slots=True)
class NewUrl:
    """A file that is still to be fetched; for its fields see `insert_url`."""

    upload_id: UUID
    name: str
    url: str
    secret: bytes | None


async def insert_urls(conn: AsyncConnection[Any], account_id: UUID, new: Sequence[NewUrl]) -> None:
    """Enter many files that are still to be fetched."""
    for start in range(0, len(new), URLS_AT_ONCE):
        await _insert_some(conn, account_id, new[start : start + URLS_AT_ONCE])


async def _insert_some(conn: AsyncConnection[Any], account_id: UUID, some: Sequence[NewUrl]) -> None:
    values = {
        "account_id": account_id,
        "ids": [one.upload_id for one in some],
        "names": [one.name for one in some],
        "urls": [one.url for one in some],
    }
    await conn.execute(_INSERT_URLS, values)
    if kept := [one for one in some if one.secret is not None]:
        secrets = {"ids": [one.upload_id for one in kept], "secrets": [one.secret for one in kept]}
        await conn.execute(_KEEP_URLS, secrets)


async def names_of(conn: AsyncConnection[Any], account_ids: list[UUID], upload_ids: list[UUID]) -> dict[UUID, str]:
    """The names of the accounts' files, as the users' machines called them."""
    query = "SELECT id, name FROM uploads WHERE account_id = ANY (%s) AND id = ANY (%s)"
    return dict(await (await conn.execute(query, [account_ids, upload_ids])).fetchall())


async def storage_key_of(conn: AsyncConnection[Any], upload_id: UUID) -> str | None:
    """Where the bytes of an upload lie; None when they were given up, or never came."""
    row = await (await conn.execute("SELECT storage_key FROM uploads WHERE id = %s", [upload_id])).fetchone()
    return None if row is None else row[0]


async def is_entered(conn: AsyncConnection[Any], upload_id: UUID) -> bool:
    """Whether an upload has been entered, for good.

    When the answer to a commit was lost, the server may still be at it: its end is waited for.
    """
    await conn.execute(_LOCK, {"id": upload_id})
    cursor = await conn.execute("SELECT 1 FROM uploads WHERE id = %s", [upload_id])
    return await cursor.fetchone() is not None


async def secrets_of(conn: AsyncConnection[Any], upload_id: UUID) -> list[bytes | None]:
    """The URL of each file of an upload as it was given, encrypted; None where it shows all of itself."""
    rows = await (await conn.execute(_KEPT_URLS, {"id": upload_id})).fetchall()
    return [None if row[0] is None else bytes(row[0]) for row in rows]
