"""Which samples and datasets an account has: the only module with the SQL of the tables `samples` and `datasets`.

Every function runs in the transaction of the connection that it is given, and sees one account only: another
account's sample does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from varloom.dataset.cursors import open_cursor, seal_cursor
from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.errors import VarloomError
from varloom.failpoints import commit_point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from varloom.dataset.manifest import Manifest

_SAMPLE = """
SELECT samples.id, samples.name, samples.created_at, first.job_id, first.format, first.assembly,
       coalesce(first.records, 0) AS records, coalesce(first.variants, 0) AS variants,
       (SELECT count(*) FROM datasets WHERE datasets.sample_id = samples.id) AS datasets,
       (SELECT coalesce(sum(bytes), 0)::bigint FROM datasets WHERE datasets.sample_id = samples.id) AS bytes
FROM samples
LEFT JOIN LATERAL (
    SELECT job_id, format, assembly, records, variants FROM datasets
    WHERE datasets.sample_id = samples.id ORDER BY position, datasets.id LIMIT 1
) AS first ON true
WHERE samples.account_id = %(account)s AND samples.deleted_at IS NULL
"""
_DATASETS = """
SELECT datasets.id, datasets.sample_id, datasets.job_id, datasets.upload_id, datasets.position, datasets.name,
       datasets.storage_key, datasets.format, datasets.assembly, datasets.records, datasets.variants, datasets.bytes,
       datasets.content_hash, datasets.created_at
FROM datasets JOIN samples ON samples.id = datasets.sample_id
WHERE samples.account_id = %(account)s AND samples.deleted_at IS NULL AND samples.id = ANY (%(samples)s)
ORDER BY datasets.position, datasets.id
"""
_RENAME = """
UPDATE samples SET name = %(name)s
WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NULL
"""
_DELETE = """
UPDATE samples SET deleted_at = now()
WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NULL
"""
_INSERT_DATASET = """
INSERT INTO datasets (account_id, sample_id, job_id, upload_id, position, name, storage_key, format, assembly, records,
                      variants, bytes, content_hash)
SELECT jobs.account_id, %(sample)s, jobs.id, uploads.id, %(position)s, %(name)s, %(storage_key)s, %(format)s,
       %(assembly)s, %(records)s, %(variants)s, %(bytes)s, %(content_hash)s
FROM jobs JOIN uploads ON uploads.id = jobs.upload_id AND uploads.account_id = jobs.account_id
WHERE jobs.id = %(job)s AND uploads.id = %(upload)s AND jobs.account_id = %(account)s
"""


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset that a job left: its folder in the storage, and its manifest."""

    storage_key: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """A sample; records, variants, format and assembly are those of its first dataset, bytes those of all."""

    id: UUID
    name: str
    created_at: datetime
    job_id: UUID | None
    format: str | None
    assembly: str | None
    records: int
    variants: int
    datasets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SamplePage:
    """A page of samples, newest first, and the cursor of the next page."""

    samples: tuple[SampleRecord, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset as the database knows it; see `0003_samples.sql`."""

    id: UUID
    sample_id: UUID
    job_id: UUID | None
    upload_id: UUID
    position: int
    name: str
    storage_key: str
    format: str
    assembly: str | None
    records: int
    variants: int
    bytes: int
    content_hash: str
    created_at: datetime


async def publish(
    conn: AsyncConnection[Any],
    *,
    account_id: UUID,
    job_id: UUID,
    upload_id: UUID,
    sample_name: str,
    datasets: Sequence[NewDataset],
) -> UUID:
    """Make the datasets of a job visible as a new sample; the id of the sample.

    Run it in the transaction that completes the job: before that commits nothing can be seen.

    Raises:
        ValueError: there is no dataset, or job and upload are not both the account's.
    """
    if not datasets:
        raise ValueError("a sample has at least one dataset")
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "INSERT INTO samples (account_id, name) VALUES (%s, %s) RETURNING id", (account_id, sample_name)
        )
        sample_id: UUID = (await cursor.fetchall())[0]
    identity = {"account": account_id, "job": job_id, "upload": upload_id, "sample": sample_id}
    for position, dataset in enumerate(datasets):
        values = identity | {"position": position} | _columns(dataset, sample_name)
        inserted = await conn.execute(_INSERT_DATASET, values)
        if inserted.rowcount != 1:
            raise ValueError(f"job {job_id} and upload {upload_id} do not belong together in this account")
    return sample_id


async def list_samples(
    conn: AsyncConnection[Any], account_id: UUID, *, search: str = "", limit: int = 50, cursor: str | None = None
) -> SamplePage:
    """The account's samples, newest first; with `search` those whose name contains it, letters' case aside.

    Raises:
        VarloomError: `cursor_invalid`.
    """
    question = ("samples", str(account_id), search)
    query = _SAMPLE
    values: dict[str, Any] = {"account": account_id, "search": search, "limit": limit + 1}
    if search:
        query += " AND strpos(lower(samples.name), lower(%(search)s)) > 0"
    if cursor is not None:
        created_at, sample_id = open_cursor(cursor, question).decode().split("|")
        values |= {"created_at": datetime.fromisoformat(created_at), "after": UUID(sample_id)}
        query += " AND (samples.created_at, samples.id) < (%(created_at)s, %(after)s)"
    query += " ORDER BY samples.created_at DESC, samples.id DESC LIMIT %(limit)s"
    found = await _samples(conn, query, values)
    last = found[limit - 1] if len(found) > limit else None
    place = f"{last.created_at.isoformat()}|{last.id}".encode() if last else None
    return SamplePage(tuple(found[:limit]), seal_cursor(place, question) if place else None)


async def get_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> SampleRecord:
    """One sample.

    Raises:
        VarloomError: `sample_not_found`.
    """
    values = {"account": account_id, "sample": sample_id}
    found = await _samples(conn, _SAMPLE + " AND samples.id = %(sample)s", values)
    if not found:
        raise _not_found()
    return found[0]


async def datasets_of(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> tuple[DatasetRecord, ...]:
    """The datasets of a sample, in their order.

    Raises:
        VarloomError: `sample_not_found`.
    """
    found = await datasets_of_samples(conn, account_id, [sample_id])
    if sample_id not in found:
        raise _not_found()
    return found[sample_id]


async def datasets_of_samples(
    conn: AsyncConnection[Any], account_id: UUID, sample_ids: Sequence[UUID]
) -> dict[UUID, tuple[DatasetRecord, ...]]:
    """The datasets of several samples, each in their order; without those that the account does not have."""
    async with conn.cursor(row_factory=class_row(DatasetRecord)) as cursor:
        await cursor.execute(_DATASETS, {"account": account_id, "samples": list(sample_ids)})
        found = await cursor.fetchall()
    samples = dict.fromkeys(dataset.sample_id for dataset in found)
    return {sample: tuple(dataset for dataset in found if dataset.sample_id == sample) for sample in samples}


async def rename_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID, name: str) -> None:
    """Give a sample another name.

    Raises:
        VarloomError: `sample_not_found`.
    """
    await _update(conn, _RENAME, {"account": account_id, "sample": sample_id, "name": name})


async def delete_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> None:
    """Put a sample out of sight, with its datasets; the files stay until they are swept.

    Raises:
        VarloomError: `sample_not_found`.
    """
    commit_point("delete_sample", conn)
    await _update(conn, _DELETE, {"account": account_id, "sample": sample_id})


async def _samples(conn: AsyncConnection[Any], query: LiteralString, values: dict[str, Any]) -> list[SampleRecord]:
    async with conn.cursor(row_factory=class_row(SampleRecord)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def _update(conn: AsyncConnection[Any], query: LiteralString, values: dict[str, Any]) -> None:
    updated = await conn.execute(query, values)
    if updated.rowcount != 1:
        raise _not_found()


def _columns(dataset: NewDataset, sample_name: str) -> dict[str, Any]:
    manifest = dataset.manifest
    return {
        "name": manifest.split.sample if manifest.split else sample_name,
        "storage_key": dataset.storage_key,
        "format": manifest.source.format,
        "assembly": manifest.assembly,
        "records": manifest.records,
        "variants": manifest.variants,
        "bytes": manifest.bytes,
        "content_hash": manifest.content_hash,
    }


def _not_found() -> VarloomError:
    return VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this account.")
