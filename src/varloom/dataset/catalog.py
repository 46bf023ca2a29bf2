"""Which samples and datasets an account has: the only module with the SQL of the tables `samples` and `datasets`.

Every function runs in the transaction of the connection that it is given, and sees one account only: another
account's sample does not exist. The exceptions are `large_datasets`, which the server asks for itself, and
`list_samples` and `tags_of`, which show what others share with the account as well: see `projects`.
"""
# ruff: noqa: S608 -- the statements are made of conditions that stand here

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID

from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from varloom.dataset.cursors import open_cursor, seal_cursor
from varloom.dataset.problems import SAMPLE_DELETED, SAMPLE_NOT_FOUND
from varloom.errors import VarloomError
from varloom.failpoints import commit_point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection, Connection

    from varloom.dataset.manifest import Manifest

_SAMPLE = """
SELECT samples.id, samples.account_id, accounts.name AS account_name, samples.name, samples.tags, samples.created_at,
       samples.purge_at, first.job_id, first.format, first.assembly,
       coalesce(first.records, 0) AS records, coalesce(first.variants, 0) AS variants,
       (SELECT count(*) FROM datasets
        WHERE datasets.sample_id = samples.id AND datasets.version = first.version) AS datasets,
       (SELECT coalesce(sum(bytes), 0)::bigint FROM datasets WHERE datasets.sample_id = samples.id) AS bytes
FROM samples JOIN accounts ON accounts.id = samples.account_id
LEFT JOIN LATERAL (
    SELECT version, job_id, format, assembly, records, variants FROM datasets
    WHERE datasets.sample_id = samples.id ORDER BY version DESC, position LIMIT 1
) AS first ON true
"""
_ONE = " WHERE samples.account_id = %(account)s AND samples.id = %(sample)s"
_OWN = "samples.account_id = %(account)s"
# Which of them are others' is known without the samples themselves.
_SHARED = """
samples.id IN (
    SELECT project_samples.sample_id FROM project_members JOIN project_samples USING (project_id)
    WHERE project_members.account_id = %(account)s AND project_samples.account_id <> %(account)s)
"""
_IN_PROJECT = """
samples.id IN (
    SELECT project_samples.sample_id FROM project_members JOIN project_samples USING (project_id)
    WHERE project_members.account_id = %(account)s AND project_members.project_id = %(project)s)
"""
_VISIBLE = " AND samples.deleted_at IS NULL"
# Whatever else is asked for, a deleted sample is shown to its own account alone.
_DELETED = " AND samples.account_id = %(account)s AND samples.deleted_at IS NOT NULL AND samples.purge_at > now()"
_OUTSIDE = """
 AND NOT EXISTS (SELECT 1 FROM project_samples WHERE sample_id = samples.id AND project_id = %(outside)s)
"""
_DATASETS = """
SELECT datasets.id, datasets.account_id, datasets.sample_id, datasets.job_id, datasets.upload_id, datasets.position,
       datasets.name,
       datasets.storage_key, datasets.format, datasets.assembly, datasets.records, datasets.variants, datasets.bytes,
       datasets.content_hash, datasets.created_at, datasets.version, datasets.annotation, datasets.changes
FROM datasets JOIN samples ON samples.id = datasets.sample_id
WHERE samples.account_id = ANY (%(accounts)s) AND samples.id = ANY (%(samples)s)
  AND (samples.deleted_at IS NULL OR %(deleted)s AND samples.purge_at > now())
ORDER BY datasets.version DESC, datasets.position
"""
# Whoever makes a version has the sample for himself, and it cannot be deleted until the version is there.
_LOCK_SAMPLE = """
SELECT id FROM samples WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NULL FOR UPDATE
"""
_NEWEST_VERSION = "SELECT coalesce(max(version), 0) FROM datasets WHERE sample_id = %(sample)s"
_NEWEST_KEYS = """
SELECT storage_key FROM datasets WHERE sample_id = %(sample)s
  AND version = (SELECT max(version) FROM datasets WHERE sample_id = %(sample)s)
ORDER BY position
"""
_CHANGE = """
UPDATE samples SET name = coalesce(%(name)s, name), tags = coalesce(%(tags)s, tags)
WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NULL
"""
_DELETE = """
UPDATE samples SET deleted_at = now(), purge_at = now() + %(undo)s
WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NULL
"""
_PURGE = """
UPDATE samples SET purge_at = now()
WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NOT NULL AND purge_at > now()
"""
_RESTORE = """
UPDATE samples SET deleted_at = NULL, purge_at = NULL
WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NOT NULL AND purge_at > now()
"""
# Whatever lies in the storage counts, also that of samples which can still be brought back.
_STORAGE = """
SELECT (SELECT count(*) FROM samples WHERE account_id = %(account)s AND deleted_at IS NULL) AS samples,
       (SELECT coalesce(sum(datasets.bytes), 0)::bigint FROM datasets JOIN samples ON samples.id = datasets.sample_id
        WHERE samples.account_id = %(account)s AND (samples.deleted_at IS NULL OR samples.purge_at > now())) AS tables,
       (SELECT coalesce(sum(bytes), 0)::bigint FROM uploads
        WHERE account_id = %(account)s AND storage_key IS NOT NULL)
       + (SELECT coalesce(sum(upload_files.bytes), 0)::bigint
          FROM upload_files JOIN uploads ON uploads.id = upload_files.upload_id
          WHERE uploads.account_id = %(account)s AND upload_files.storage_key IS NOT NULL) AS originals,
       (SELECT coalesce(sum(sample_files.bytes), 0)::bigint
        FROM sample_files JOIN samples ON samples.id = sample_files.sample_id
        WHERE samples.account_id = %(account)s AND (samples.deleted_at IS NULL OR samples.purge_at > now())) AS results,
       (SELECT coalesce(sum(bytes), 0)::bigint FROM resumable_uploads
        WHERE account_id = %(account)s AND job_id IS NULL AND error IS NULL AND expires_at > now()) AS begun,
       (SELECT count(*) FROM samples
        WHERE account_id = %(account)s AND deleted_at IS NOT NULL AND purge_at > now()) AS deleted
"""
_LARGE_DATASETS = """
SELECT datasets.id, datasets.storage_key, datasets.created_at
FROM datasets JOIN samples ON samples.id = datasets.sample_id
WHERE datasets.variants >= %(rows)s AND datasets.created_at > %(since)s AND samples.deleted_at IS NULL
ORDER BY datasets.created_at DESC, datasets.id LIMIT %(limit)s
"""
_INSERT_DATASET = """
INSERT INTO datasets (account_id, sample_id, job_id, upload_id, position, name, storage_key, format, assembly, records,
                      variants, bytes, content_hash, version, annotation, changes)
SELECT jobs.account_id, %(sample)s, jobs.id, uploads.id, %(position)s, %(name)s, %(storage_key)s, %(format)s,
       %(assembly)s, %(records)s, %(variants)s, %(bytes)s, %(content_hash)s, %(version)s, %(annotation)s, %(changes)s
FROM jobs JOIN uploads ON uploads.id = jobs.upload_id AND uploads.account_id = jobs.account_id
WHERE jobs.id = %(job)s AND uploads.id = %(upload)s AND jobs.account_id = %(account)s
"""


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset that a job left.

    Attributes:
        storage_key: its folder in the storage.
        manifest: what is in it.
        annotation: the kind of its annotation and the releases that were used; None where it has none.
        changes: what differs from the version before, by the shape of `DatasetChanges`; None where that is not known.
    """

    storage_key: str
    manifest: Manifest
    annotation: dict[str, Any] | None = None
    changes: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """A sample; records, variants, format and assembly are those of its first dataset, bytes those of all versions.

    `purge_at` is set for a deleted one: until then it can be brought back.
    """

    id: UUID
    account_id: UUID
    account_name: str
    name: str
    tags: list[str]
    created_at: datetime
    purge_at: datetime | None
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
class StorageUse:
    """What an account's things take in the storage, in bytes.

    These are tables, the files that they were made of, what was made of reads beside them, and begun uploads.

    `deleted` counts the samples that can still be brought back; `samples` does not.
    """

    samples: int
    tables: int
    originals: int
    results: int
    begun: int
    deleted: int

    @property
    def used(self) -> int:
        """What counts towards a quota."""
        return self.tables + self.originals + self.results + self.begun


@dataclass(frozen=True, slots=True)
class SampleSearch:
    """Which samples: part of a name, letters' case aside, a tag, a project, and whether deleted ones are meant.

    Deleted ones, and those `outside` a project, are the account's own; all others are those shared with it, too.
    """

    name: str = ""
    tag: str | None = None
    deleted: bool = False
    project: UUID | None = None
    outside: UUID | None = None

    @property
    def sets(self) -> tuple[LiteralString, ...]:
        """Conditions, each for a set of samples that has none in common with the others."""
        if self.project is not None:
            return (_IN_PROJECT,)
        return (_OWN,) if self.deleted or self.outside is not None else (_OWN, _SHARED)

    @property
    def condition(self) -> LiteralString:
        """What holds in each of the sets; its parameters are those of `values`."""
        named: LiteralString = " AND strpos(lower(samples.name), lower(%(search)s)) > 0" if self.name else ""
        tagged: LiteralString = " AND %(tag)s = ANY (samples.tags)" if self.tag is not None else ""
        outside: LiteralString = _OUTSIDE if self.outside is not None else ""
        return (_DELETED if self.deleted else _VISIBLE) + named + tagged + outside

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of the condition."""
        return {"search": self.name, "tag": self.tag, "project": self.project, "outside": self.outside}


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """Where in the storage a dataset lies, whosever it is."""

    id: UUID
    storage_key: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset as the database knows it; see `0003_samples.sql`."""

    id: UUID
    account_id: UUID
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
    version: int
    annotation: dict[str, Any] | None
    changes: dict[str, Any] | None


async def publish(
    conn: AsyncConnection[Any],
    *,
    account_id: UUID,
    job_id: UUID,
    upload_id: UUID,
    sample_name: str,
    datasets: Sequence[NewDataset],
    renewed: UUID | None = None,
) -> UUID:
    """Make the datasets of a job visible, as a new sample or as a new version of one; the id of the sample.

    Run it in the transaction that completes the job: before that commits nothing can be seen.

    Raises:
        ValueError: there is no dataset, or job and upload are not both the account's.
        VarloomError: `sample_deleted`: the sample that was to be renewed is not there any more.
    """
    if not datasets:
        raise ValueError("a sample has at least one dataset")
    if renewed is None:
        sample_id, version = await _new_sample(conn, account_id, sample_name), 1
    else:
        sample_id, version = renewed, await _next_version(conn, account_id, renewed)
    identity = {"account": account_id, "job": job_id, "upload": upload_id, "sample": sample_id, "version": version}
    for position, dataset in enumerate(datasets):
        values = identity | {"position": position} | _columns(dataset, sample_name)
        inserted = await conn.execute(_INSERT_DATASET, values)
        if inserted.rowcount != 1:
            raise ValueError(f"job {job_id} and upload {upload_id} do not belong together in this account")
    return sample_id


async def _new_sample(conn: AsyncConnection[Any], account_id: UUID, name: str) -> UUID:
    query = "INSERT INTO samples (account_id, name) VALUES (%s, %s) RETURNING id"
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, (account_id, name))
        made: UUID = (await cursor.fetchall())[0]
        return made


async def _next_version(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> int:
    """The number of the version that is about to be made."""
    values = {"account": account_id, "sample": sample_id}
    if not await lock_sample(conn, account_id, sample_id):
        message = "The sample was deleted while a new version of its table was made."
        raise VarloomError(SAMPLE_DELETED, message)
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_NEWEST_VERSION, values)
        return int((await cursor.fetchall())[0]) + 1


async def lock_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> bool:
    """Keep a sample from being deleted or renewed until the transaction ends; False if there is none."""
    found = await conn.execute(_LOCK_SAMPLE, {"account": account_id, "sample": sample_id})
    return await found.fetchone() is not None


def newest_keys_now(conn: Connection[Any], sample_id: UUID) -> list[str]:
    """Where the datasets of a sample's newest version lie, in their order; for whoever blocks."""
    return [row[0] for row in conn.execute(_NEWEST_KEYS, {"sample": sample_id}).fetchall()]


async def list_samples(
    conn: AsyncConnection[Any],
    account_id: UUID,
    *,
    wanted: SampleSearch = SampleSearch(),
    limit: int = 50,
    cursor: str | None = None,
) -> SamplePage:
    """The account's samples and those that are shared with it, newest first.

    Raises:
        VarloomError: `cursor_invalid`.
    """
    question = ("samples", str(account_id), repr(wanted))
    condition = wanted.condition
    values: dict[str, Any] = {"account": account_id, "limit": limit + 1, **wanted.values}
    if cursor is not None:
        created_at, sample_id = open_cursor(cursor, question).decode().split("|")
        values |= {"created_at": datetime.fromisoformat(created_at), "after": UUID(sample_id)}
        condition += " AND (samples.created_at, samples.id) < (%(created_at)s, %(after)s)"
    found = await _samples(conn, _page_of(wanted.sets, condition), values)
    last = found[limit - 1] if len(found) > limit else None
    place = f"{last.created_at.isoformat()}|{last.id}".encode() if last else None
    return SamplePage(tuple(found[:limit]), seal_cursor(place, question) if place else None)


def _page_of(sets: Sequence[LiteralString], condition: LiteralString) -> LiteralString:
    """The statement that finds a page: the newest of each set by its own index, then the newest of these."""
    newest: LiteralString = " ORDER BY samples.created_at DESC, samples.id DESC LIMIT %(limit)s"
    pages = [
        "(SELECT samples.id, samples.created_at FROM samples WHERE " + one + condition + newest + ")" for one in sets
    ]
    found: LiteralString = " UNION ALL ".join(pages)
    chosen: LiteralString = f"SELECT id FROM ({found}) AS samples{newest}"
    return f"{_SAMPLE} WHERE samples.id IN ({chosen}) ORDER BY samples.created_at DESC, samples.id DESC"


async def get_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> SampleRecord:
    """One sample.

    Raises:
        VarloomError: `sample_not_found`.
    """
    values = {"account": account_id, "sample": sample_id}
    found = await _samples(conn, _SAMPLE + _ONE + _VISIBLE, values)
    if not found:
        raise _not_found()
    return found[0]


async def datasets_of(
    conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID, *, deleted: bool = False
) -> tuple[DatasetRecord, ...]:
    """The datasets of a sample, the newest version first; with `deleted` also of one that can be brought back.

    Raises:
        VarloomError: `sample_not_found`.
    """
    found = await datasets_of_samples(conn, [account_id], [sample_id], deleted=deleted)
    if sample_id not in found:
        raise _not_found()
    return found[sample_id]


async def datasets_of_samples(
    conn: AsyncConnection[Any], account_ids: Sequence[UUID], sample_ids: Sequence[UUID], *, deleted: bool = False
) -> dict[UUID, tuple[DatasetRecord, ...]]:
    """The datasets of several samples, of each the newest version first; without those that are not the accounts'."""
    async with conn.cursor(row_factory=class_row(DatasetRecord)) as cursor:
        values = {"accounts": list(account_ids), "samples": list(sample_ids), "deleted": deleted}
        found = await (await cursor.execute(_DATASETS, values)).fetchall()
    samples: dict[UUID, list[DatasetRecord]] = {}
    for dataset in found:
        samples.setdefault(dataset.sample_id, []).append(dataset)
    return {sample: tuple(datasets) for sample, datasets in samples.items()}


async def large_datasets(
    conn: AsyncConnection[Any], *, rows: int, since: datetime, limit: int
) -> tuple[DatasetFolder, ...]:
    """Where the datasets of all accounts lie that have so many rows and are newer than `since`; the newest first."""
    async with conn.cursor(row_factory=class_row(DatasetFolder)) as cursor:
        await cursor.execute(_LARGE_DATASETS, {"rows": rows, "since": since, "limit": limit})
        return tuple(await cursor.fetchall())


async def change_sample(
    conn: AsyncConnection[Any],
    account_id: UUID,
    sample_id: UUID,
    *,
    name: str | None = None,
    tags: Sequence[str] | None = None,
) -> None:
    """Give a sample another name or other tags; what is None stays.

    Raises:
        VarloomError: `sample_not_found`.
    """
    values = {"name": name, "tags": None if tags is None else list(tags)}
    await _update(conn, _CHANGE, {"account": account_id, "sample": sample_id, **values})


async def delete_sample(
    conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID, undo: timedelta = timedelta(0)
) -> None:
    """Put a sample out of sight, with its datasets; for the time of `undo` it can be brought back.

    The files stay until they are swept, which happens no earlier than that.

    Raises:
        VarloomError: `sample_not_found`.
    """
    commit_point("delete_sample", conn)
    await _update(conn, _DELETE, {"account": account_id, "sample": sample_id, "undo": undo})


async def purge_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> None:
    """Give up a deleted sample for good: the next sweep removes its files.

    Raises:
        VarloomError: `sample_not_found`, also for one that is not deleted.
    """
    await _update(conn, _PURGE, {"account": account_id, "sample": sample_id})


async def restore_sample(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> None:
    """Bring a deleted sample back.

    Raises:
        VarloomError: `sample_not_found` when it is not deleted, or not to be had any more.
    """
    await _update(conn, _RESTORE, {"account": account_id, "sample": sample_id})


async def tags_of(conn: AsyncConnection[Any], account_id: UUID, project: UUID | None = None) -> dict[str, int]:
    """The tags of the samples that the account sees, of a project's alone if one is named, with their numbers."""
    wanted = SampleSearch(project=project)
    tagged: LiteralString = " UNION ALL ".join(
        "(SELECT tags FROM samples WHERE " + one + wanted.condition + ")" for one in wanted.sets
    )
    query: LiteralString = (
        f"SELECT tag, count(*) FROM ({tagged}) AS samples CROSS JOIN unnest(tags) AS tag"
        " GROUP BY tag ORDER BY lower(tag), tag"
    )
    return dict(await (await conn.execute(query, {"account": account_id, **wanted.values})).fetchall())


def storage_now(conn: Connection[Any], account_id: UUID) -> StorageUse:
    """The same as `storage_of`, for whoever blocks."""
    with conn.cursor(row_factory=class_row(StorageUse)) as cursor:
        return cursor.execute(_STORAGE, {"account": account_id}).fetchall()[0]


async def storage_of(conn: AsyncConnection[Any], account_id: UUID) -> StorageUse:
    """What the account's things take in the storage."""
    async with conn.cursor(row_factory=class_row(StorageUse)) as cursor:
        await cursor.execute(_STORAGE, {"account": account_id})
        return (await cursor.fetchall())[0]


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
        "annotation": None if dataset.annotation is None else Jsonb(dataset.annotation),
        "changes": None if dataset.changes is None else Jsonb(dataset.changes),
    }


def _not_found() -> VarloomError:
    return VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this account.")
