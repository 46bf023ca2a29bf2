"""The SQL of the tables `manifests` and `manifest_lines`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003 - psycopg reads the annotations

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import AsyncConnection

_INSERT = """
INSERT INTO manifests (id, account_id, idempotency_key, fingerprint)
VALUES (%(id)s, %(account_id)s, %(key)s, %(fingerprint)s)
ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
"""
_INSERT_LINES = """
INSERT INTO manifest_lines (manifest_id, line, job_id)
SELECT %(id)s, * FROM unnest(%(lines)s::integer[], %(jobs)s::uuid[])
"""
_FIND = "SELECT id, fingerprint FROM manifests WHERE account_id = %s AND idempotency_key = %s"
_LINES = """
SELECT manifest_lines.line, jobs.id AS job_id, jobs.sample_name, upload_secrets.secret
FROM manifest_lines
JOIN jobs ON jobs.id = manifest_lines.job_id
LEFT JOIN upload_secrets ON upload_secrets.upload_id = jobs.upload_id
WHERE manifest_lines.manifest_id = %s ORDER BY manifest_lines.line
"""


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest that became jobs."""

    id: UUID
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line that became a job; `secret` is its URL, encrypted, where it does not show all of itself and is kept."""

    line: int
    job_id: UUID
    sample_name: str
    secret: bytes | None


async def insert(
    conn: AsyncConnection[Any], manifest_id: UUID, account_id: UUID, key: str | None, fingerprint: str
) -> bool:
    """Enter a manifest; False if the account has one with this Idempotency-Key. One under way is waited for."""
    values = {"id": manifest_id, "account_id": account_id, "key": key, "fingerprint": fingerprint}
    return (await conn.execute(_INSERT, values)).rowcount == 1


async def insert_lines(conn: AsyncConnection[Any], manifest_id: UUID, jobs: Mapping[int, UUID]) -> None:
    """Enter which line became which job."""
    values = {"id": manifest_id, "lines": list(jobs), "jobs": list(jobs.values())}
    await conn.execute(_INSERT_LINES, values)


async def find(conn: AsyncConnection[Any], account_id: UUID, key: str) -> StoredManifest | None:
    """The account's manifest with this Idempotency-Key."""
    async with conn.cursor(row_factory=class_row(StoredManifest)) as cursor:
        return await (await cursor.execute(_FIND, [account_id, key])).fetchone()


async def lines_of(conn: AsyncConnection[Any], manifest_id: UUID) -> list[StoredLine]:
    """What became of its lines, in their order."""
    async with conn.cursor(row_factory=class_row(StoredLine)) as cursor:
        return await (await cursor.execute(_LINES, [manifest_id])).fetchall()
