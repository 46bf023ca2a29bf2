"""Taking files in: the bytes go to the storage as they arrive, then a job is made of them in one transaction.

Upload, job and place in the queue are all or nothing, and whatever fails on the way leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from varloom.dataset import catalog
from varloom.errors import VarloomError
from varloom.jobs import line, repository
from varloom.jobs.model import Job, NewJob
from varloom.pipeline.plan import version_of
from varloom.pipeline.quota import check_room, quota_exceeded, quota_of, require_room
from varloom.services.disk_space import refuse_while_low
from varloom.services.names import checked_sample_name, file_name, sample_name_from
from varloom.services.options import JobOptions
from varloom.services.problems import IDEMPOTENCY_CONFLICT, REQUEST_INVALID, UPLOAD_EMPTY
from varloom.services.read_files import MOST_FILES, goes_with_reads
from varloom.services.upload_rows import insert_file, insert_further_files, is_entered
from varloom.services.views import JobView, job_view

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.settings import Settings
    from varloom.storage import Storage
    from varloom.storage.disk_watch import DiskWatch

    Chunks = AsyncIterator[bytes]
    Note = Callable[[AsyncConnection[Any], UUID], Awaitable[None]]
    """Writes what concerns a job, by its id, in the transaction that creates it."""

KEY_LIMIT = 255
"""The most characters of an Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What the user asks for, beside the file. Without a sample name, the file's name gives one."""

    options: JobOptions = field(default_factory=JobOptions)
    sample_name: str | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that has arrived whole, with those that came along with it.

    Attributes:
        storage_key: None where the same bytes lie in the storage already.
        further: of an upload of several files all but the first; their `upload_id` is that of the first.
    """

    upload_id: UUID
    name: str
    bytes: int
    sha256: str
    storage_key: str | None
    further: tuple[ReceivedFile, ...] = ()

    @property
    def checksums(self) -> tuple[str, ...]:
        """Those of all files, in their order."""
        return (self.sha256, *(file.sha256 for file in self.further))

    @property
    def total(self) -> int:
        """The bytes of all files."""
        return self.bytes + sum(file.bytes for file in self.further)


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file that has arrived and is to become a job; `key` is the Idempotency-Key, if there is one."""

    account_id: UUID
    key: str | None
    received: ReceivedFile
    sample_name: str
    request: JobRequest


@dataclass(frozen=True, slots=True)
class MadeJob:
    """The job of a file; `is_new` unless an earlier, equal request had made it."""

    job: JobView
    is_new: bool


class Intake:
    """One upload on its way in, of a file or of several. What it stored is kept only if `create_job` succeeds."""

    def __init__(self, uploads: Uploads, account_id: UUID, key: str | None, earlier: Job | None) -> None:
        self._uploads = uploads
        self._account_id = account_id
        self._key = key
        self._earlier = earlier
        self._received: list[ReceivedFile] = []
        self._kept = False

    @property
    def has_file(self) -> bool:
        """Whether a file has arrived."""
        return bool(self._received)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the files that have arrived."""
        return tuple(file.name for file in self._received)

    async def receive(self, name: str | None, chunks: AsyncIterator[bytes], *, expected: int | None = None) -> None:
        """Take the file in; one of a repeated request is only compared with the first.

        Args:
            name: as the user's machine calls it.
            chunks: the bytes.
            expected: at least so many bytes are announced of all files together, if any number is.

        Raises:
            VarloomError: `request_invalid` for a second file that is no reads; `upload_empty`; `quota_exceeded`; those
                of `Storage.write_stream`.
        """
        shown = file_name(name)
        self._refuse_further(shown)
        upload_id = self._received[0].upload_id if self._received else uuid4()
        if self._earlier is None:
            before = sum(file.bytes for file in self._received)
            async with self._uploads.arriving(self._account_id, expected or 0, before=before) as within_quota:
                received = await self._uploads.store(
                    shown,
                    within_quota(chunks),
                    self._left_of(expected, shown, before),
                    upload_id=upload_id,
                    place=len(self._received) + 1,
                )
        else:
            received = await _fingerprint(shown, chunks)
        self._received.append(received)
        if received.bytes == 0:
            raise VarloomError(UPLOAD_EMPTY, f"{received.name} has no bytes.")

    def _left_of(self, expected: int | None, name: str, before: int) -> int | None:
        """How much of what is announced this file may have; others may follow reads, and the limit is that of one."""
        if expected is None:
            return None
        left = max(0, expected - before)
        return min(left, self._uploads.settings.max_upload_bytes) if goes_with_reads(name) else left

    def _refuse_further(self, name: str) -> None:
        """Several files are one sample's reads, or not one job."""
        if not self._received:
            return
        if not all(goes_with_reads(one) for one in (*self.names, name)):
            raise VarloomError(
                REQUEST_INVALID, "file: a job takes one file, unless all are reads (FASTQ, BAM, CRAM) of one sample."
            )
        if len(self._received) >= MOST_FILES:
            raise VarloomError(REQUEST_INVALID, f"file: a job takes at most {MOST_FILES} files.")

    async def create_job(self, request: JobRequest) -> JobView:
        """Create the job of the received file, or find the one that an earlier, equal request made.

        Raises:
            VarloomError: `request_invalid` without a file; `sample_name_invalid`; `idempotency_conflict`.
        """
        if not self._received:
            raise VarloomError(REQUEST_INVALID, "file: the request has no file.")
        first, *further = self._received
        received = replace(first, further=tuple(further))
        made = await self._uploads.create_job(self._account_id, self._key, received, request, earlier=self._earlier)
        self._kept = made.is_new
        return made.job

    async def discard(self) -> None:
        """Remove what was stored, unless a job needs it."""
        if self._received and self._received[0].storage_key is not None and not self._kept:
            await self._uploads.remove_unused(self._received[0].upload_id)


@dataclass(frozen=True, slots=True)
class Uploads:
    """Takes files in."""

    pool: AsyncConnectionPool
    storage: Storage
    settings: Settings
    disks: DiskWatch | None = None  # those that uploads need space on
    _arriving: Counter[UUID] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def arriving(
        self, account_id: UUID, expected: int, *, before: int = 0
    ) -> AsyncIterator[Callable[[Chunks], Chunks]]:
        """Count a file towards the account's quota while it arrives; what its chunks are to be passed through.

        Args:
            account_id: whose it will be.
            expected: at least so many bytes are announced.
            before: the bytes of the files that came before it in the same upload, which no row counts yet.

        Raises:
            VarloomError: `quota_exceeded`, at once or in the midst of the chunks.
        """
        async with self.pool.connection() as conn:
            quota = await quota_of(conn, account_id, self.settings.account_quota_bytes)
            use = None if quota is None else await catalog.storage_of(conn, account_id)
        if quota is None or use is None:
            yield lambda chunks: chunks
            return
        others = self._arriving[account_id]
        counted = max(expected, before)  # what is announced is the whole upload
        check_room(use, quota, counted or None, arriving=others)
        room = quota - use.used - others
        self._arriving[account_id] += counted

        async def within_quota(chunks: Chunks) -> Chunks:
            nonlocal counted
            position = before
            async for chunk in chunks:
                position += len(chunk)
                if position > room:
                    raise quota_exceeded(use, quota, position, arriving=others)
                if position > counted:
                    self._arriving[account_id] += position - counted
                    counted = position
                yield chunk

        try:
            yield within_quota
        finally:
            self._arriving[account_id] -= counted

    @contextlib.asynccontextmanager
    async def intake(self, account_id: UUID, idempotency_key: str | None = None) -> AsyncIterator[Intake]:
        """Begin an upload; what it stored is removed at the end unless it became a job.

        Raises:
            VarloomError: `request_invalid` for a key that cannot be one.
        """
        key = checked_key(idempotency_key)
        earlier = None
        if key is not None:
            async with self.pool.connection() as conn:
                earlier = await repository.find_by_idempotency_key(conn, account_id, key)
        intake = Intake(self, account_id, key, earlier)
        try:
            yield intake
        finally:
            await intake.discard()

    async def create_job(
        self,
        account_id: UUID,
        key: str | None,
        received: ReceivedFile,
        request: JobRequest,
        *,
        earlier: Job | None = None,
        note: Note | None = None,
    ) -> MadeJob:
        """Create the job of a file that has arrived, or find the one that an earlier, equal request made.

        Args:
            account_id: whose it is.
            key: the Idempotency-Key, if there is one.
            received: the file.
            request: what to do with it.
            earlier: the job that was made under the key, if it is known already.
            note: what else is written in the transaction that creates the job.

        Raises:
            VarloomError: `request_invalid`; `sample_name_invalid`; `idempotency_conflict`; `quota_exceeded`.
        """
        refuse_credential(request.options)
        if received.further and not request.options.reads:
            raise VarloomError(REQUEST_INVALID, "file: several files make one job only as reads; choose `reads`.")
        name = request.sample_name or ""
        sample = checked_sample_name(name) if name.strip() else sample_name_from(received.name)
        async with self.pool.connection() as conn:
            inserted = (
                None
                if earlier
                else await self._insert(conn, NewUpload(account_id, key, received, sample, request), note)
            )
            job = earlier or inserted
            if job is None:  # an equal request was faster
                job = await repository.find_by_idempotency_key(conn, account_id, key or "")
            if job is None:
                raise VarloomError(IDEMPOTENCY_CONFLICT, "The Idempotency-Key was in use at the same moment.")
            _refuse_other(job, received, sample, request.options)
            places = await line.places_of(conn, account_id, [job])
        return MadeJob(job_view(job, places.get(job.id)), is_new=inserted is not None)

    async def _insert(
        self,
        conn: AsyncConnection[Any],
        new: NewUpload,
        note: Note | None,
    ) -> Job | None:
        """Upload, job and ticket, all or nothing; None when the key was used meanwhile."""
        received = new.received
        if received.storage_key is None:
            return None
        try:
            async with conn.transaction():
                if note is None:  # what arrives over several requests has its room since it was begun
                    await require_room(conn, new.account_id, self.settings.account_quota_bytes, received.total)
                await insert_file(
                    conn,
                    upload_id=received.upload_id,
                    account_id=new.account_id,
                    name=received.name,
                    size=received.bytes,
                    sha256=received.sha256,
                    storage_key=received.storage_key,
                )
                await insert_further_files(conn, received.upload_id, received.further)
                job = await repository.create_job(
                    conn,
                    NewJob(
                        account_id=new.account_id,
                        upload_id=received.upload_id,
                        sample_name=new.sample_name,
                        plan=new.request.options.plan(),
                        plan_version=version_of(new.request.options.plan()),
                        options=new.request.options.as_dict(),
                        priority=new.request.priority,
                        idempotency_key=new.key,
                        max_attempts=self.settings.max_attempts,
                    ),
                )
                if note is not None:
                    await note(conn, job.id)
        except UniqueViolation:
            if new.key is None:
                raise
            return None
        return job

    async def store(
        self,
        name: str,
        chunks: AsyncIterator[bytes],
        expected: int | None,
        *,
        upload_id: UUID | None = None,
        place: int = 1,
    ) -> ReceivedFile:
        """Write the bytes under a key of their own, of which the file's name is no part.

        Args:
            name: of the file.
            chunks: its bytes.
            expected: at least so many bytes are announced.
            upload_id: to which the file belongs; None: to one of its own.
            place: of the file in the upload.
        """
        await refuse_while_low(self.disks)
        upload_id = upload_id or uuid4()
        key = source_key(upload_id, place)
        stored = await self.storage.write_stream(
            key,
            chunks,
            limit=self.settings.max_upload_bytes,
            reserve=self.settings.disk_reserve_bytes,
            expected=expected,
        )
        return ReceivedFile(upload_id, name, stored.bytes, stored.sha256, key)

    async def remove_unused(self, upload_id: UUID) -> None:
        """Remove the bytes of an upload, unless its row was committed after all."""
        async with self.pool.connection() as conn:
            used = await is_entered(conn, upload_id)
        if not used:
            await asyncio.to_thread(self.storage.delete_tree, f"uploads/{upload_id}")


def source_key(upload_id: UUID, place: int) -> str:
    """Where a file of an upload lies in the storage; the first has place 1."""
    return f"uploads/{upload_id}/source" + (f"-{place}" if place > 1 else "")


def refuse_credential(options: JobOptions) -> None:
    """A file that is sent needs no credential: `request_invalid` rather than one that is never used."""
    if options.credential is not None:
        raise VarloomError(REQUEST_INVALID, "credential: it is for files from a URL; this one was sent.")


def _refuse_other(job: Job, received: ReceivedFile, sample: str, options: JobOptions) -> None:
    """A key stands for one request: the same files, sample name and options."""
    checksums = (job.source_sha256, *(part.sha256 for part in job.source_files))
    same = checksums == received.checksums and job.sample_name == sample and job.options == options.as_dict()
    if not same:
        raise VarloomError(
            IDEMPOTENCY_CONFLICT,
            f"The Idempotency-Key belongs to job {job.id}, which has another file, sample name or options.",
        )


async def _fingerprint(name: str, chunks: AsyncIterator[bytes]) -> ReceivedFile:
    """What a repeated file is, without storing it a second time."""
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return ReceivedFile(uuid4(), name, size, digest.hexdigest(), None)


def checked_key(key: str | None, name: str = "Idempotency-Key") -> str | None:
    """The Idempotency-Key of a request, or another key that its sender made up; `name` is what it is called.

    Raises:
        VarloomError: `request_invalid`.
    """
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise VarloomError(REQUEST_INVALID, f"{name}: expected 1 to {KEY_LIMIT} printable ASCII characters.")
    return key
