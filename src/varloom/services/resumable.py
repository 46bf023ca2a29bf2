"""Uploads that survive a broken line: they arrive over several requests, and become jobs like all others.

The row of an upload says how many of its bytes are durable. Nothing else is ever promised, and whatever lies behind
them is cut off before more is written: so the bytes are right whenever the server dies. When all are there, the file
goes to the storage, and upload, job and the note of the job on the row are one transaction. Each step can be repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from psycopg import OperationalError
from psycopg.errors import UniqueViolation
from psycopg_pool import PoolTimeout

from varloom.errors import VarloomError, counted
from varloom.pipeline.quota import require_room
from varloom.reader.problems import FileRefused
from varloom.services import resumable_rows as rows
from varloom.services.arrival import Arrival, ArrivalWriter, in_thread
from varloom.services.disk_space import refuse_while_low
from varloom.services.names import checked_sample_name, file_name, sample_name_from
from varloom.services.options import parse_options
from varloom.services.preflights import PreflightOfArrival, refusal_again
from varloom.services.problems import (
    IDEMPOTENCY_CONFLICT,
    REQUEST_INVALID,
    UPLOAD_EMPTY,
    UPLOAD_FINISHED,
    UPLOAD_NOT_FOUND,
    UPLOAD_OFFSET_WRONG,
    UPLOADS_UNAVAILABLE,
)
from varloom.services.read_files import goes_with_reads
from varloom.services.uploads import JobRequest, ReceivedFile, checked_key, refuse_credential, source_key
from varloom.storage.incoming import too_large
from varloom.storage.problems import UPLOAD_LOCKED
from varloom.storage.spool import Spool, SpooledFile, sha256_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.arrival import Checksum
    from varloom.services.resumable_rows import ResumableUpload
    from varloom.services.uploads import Uploads
    from varloom.settings import Settings
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

SWEEP_INTERVAL = 600.0
"""Seconds between two looks for uploads that expired, or whose job was not created before the server stopped."""
TRIES = 5
"""How often a job is created anew because its options were changed at that very moment."""


@dataclass(frozen=True, slots=True)
class SetMember:
    """Which file of a set that becomes one job, such as the two FASTQ files of a lane.

    Attributes:
        set_key: the same for all files of the set, made up by the sender; None for a file that is alone.
        position: of the file in the set, from 1 on.
        files: how many the set has.
    """

    set_key: str | None
    position: int
    files: int


class _ChangedError(Exception):
    """Name or options were changed between reading them and creating the job, or another server created it."""


class ResumableUploads:
    """Takes files in over several requests. Every call is for one account; another account's upload does not exist."""

    def __init__(self, pool: AsyncConnectionPool, storage: Storage, uploads: Uploads, settings: Settings) -> None:
        self._pool = pool
        self._storage = storage
        self._uploads = uploads
        self._settings = settings
        self._lifetime = timedelta(days=settings.unfinished_upload_days)
        self._spool = Spool(storage.gathering_place() or settings.data / "arriving")
        self._arrivals: defaultdict[UUID, Arrival] = defaultdict(Arrival)
        self._ends: WeakValueDictionary[tuple[UUID, str], asyncio.Lock] = WeakValueDictionary()
        self._closed = False

    # --- beginning --------------------------------------------------------------------------------------------------

    async def create(
        self,
        account_id: UUID,
        name: str | None,
        size: int,
        request: JobRequest,
        idempotency_key: str | None = None,
        *,
        member: SetMember | None = None,
    ) -> ResumableUpload:
        """Begin an upload, or find the one that an earlier, equal request began.

        Args:
            account_id: whose it will be.
            name: as the user's machine calls the file.
            size: in bytes, exact.
            request: what is to become of it.
            idempotency_key: the same key gives the same upload, and in the end the same job.
            member: of which set of files that become one job together; None: the file is alone.

        Raises:
            VarloomError: `upload_empty`, `upload_too_large`, `storage_full`, `sample_name_invalid`,
                `idempotency_conflict`, `request_invalid`, `quota_exceeded`.
        """
        key = checked_key(idempotency_key)
        values = self._checked(name, size, request) | asdict(member or SetMember(None, 1, 1))
        if key is not None and (earlier := await self._begun_before(account_id, key, values)):
            return earlier
        if member is not None:
            await self._require_fitting(account_id, member, values)
        await refuse_while_low(self._uploads.disks)
        async with self._pool.connection() as conn:
            promised = await rows.promised(conn)
        upload_id = uuid4()
        await in_thread(self._spool.create, upload_id, size + promised, self._settings.disk_reserve_bytes)
        try:
            upload = await self._insert(upload_id, account_id, key, values)
        except BaseException:
            await in_thread(self._spool.remove, upload_id)
            raise
        if upload is None:
            await in_thread(self._spool.remove, upload_id)
            upload = await self._begun_before(account_id, key or "", values)
        if upload is None:
            raise VarloomError(IDEMPOTENCY_CONFLICT, "The Idempotency-Key was in use at the same moment.")
        return upload

    def _checked(self, name: str | None, size: int, request: JobRequest) -> dict[str, Any]:
        """What the row of a new upload holds, if it can become a job."""
        shown = file_name(name)
        refuse_credential(request.options)
        if size == 0:
            raise VarloomError(UPLOAD_EMPTY, f"{shown} has no bytes.")
        if size > self._settings.max_upload_bytes:
            raise too_large(self._settings.max_upload_bytes)
        given = request.sample_name or ""
        return {
            "name": shown,
            "bytes": size,
            "sample_name": checked_sample_name(given) if given.strip() else sample_name_from(shown),
            "options": request.options.as_dict(),
            "priority": request.priority,
        }

    async def _require_fitting(self, account_id: UUID, member: SetMember, values: dict[str, Any]) -> None:
        """See that the file can become one job with the others of its set, before any of its bytes is sent.

        Raises:
            VarloomError: `request_invalid`, `idempotency_conflict`; what refused another file of the set.
        """
        if member.files > 1:
            if not goes_with_reads(values["name"]):
                message = "file: a job takes one file, unless all are reads (FASTQ, BAM, CRAM) of one sample."
                raise VarloomError(REQUEST_INVALID, message)
            if member.position == 1 and not values["options"].get("reads"):
                raise VarloomError(REQUEST_INVALID, "file: several files make one job only as reads; choose `reads`.")
        async with self._pool.connection() as conn:
            begun = await rows.set_named(conn, account_id, member.set_key or "")
        for other in begun:
            if other.error is not None:
                raise refusal_again(other.error)
            if other.job_id is not None:
                raise VarloomError(IDEMPOTENCY_CONFLICT, f"This set has become the job {other.job_id}.")
            if other.files != member.files:
                message = f"files: this set has {counted(other.files, 'file')}, not {member.files}."
                raise VarloomError(REQUEST_INVALID, message)

    async def _insert(
        self, upload_id: UUID, account_id: UUID, key: str | None, values: dict[str, Any]
    ) -> ResumableUpload | None:
        try:
            async with self._pool.connection() as conn:
                await require_room(conn, account_id, self._settings.account_quota_bytes, values["bytes"])
                return await rows.insert(
                    conn, self._lifetime, id=upload_id, account_id=account_id, idempotency_key=key, **values
                )
        except UniqueViolation:
            message = f"File {values['position']} of this set is on its way already."
            raise VarloomError(IDEMPOTENCY_CONFLICT, message) from None

    async def _begun_before(self, account_id: UUID, key: str, values: dict[str, Any]) -> ResumableUpload | None:
        """The upload of an earlier request with this key, which must have been the same."""
        async with self._pool.connection() as conn:
            found = await rows.find_by_key(conn, account_id, key)
        if found is None:
            return None
        if any(getattr(found, name) != value for name, value in values.items()):
            raise VarloomError(
                IDEMPOTENCY_CONFLICT,
                f"The Idempotency-Key belongs to upload {found.id}, which has another file, sample name or options.",
            )
        return found

    # --- looking and changing ---------------------------------------------------------------------------------------

    async def get(self, account_id: UUID, upload_id: UUID) -> ResumableUpload:
        """The upload as it stands; a request that writes is not disturbed. Raises `upload_not_found`."""
        async with self._pool.connection() as conn:
            upload = await rows.find(conn, account_id, upload_id)
        if upload is None:
            raise VarloomError(UPLOAD_NOT_FOUND, "There is no such upload in this account.")
        return upload

    async def unfinished(self, account_id: UUID) -> list[ResumableUpload]:
        """The account's uploads that can be gone on with, newest first."""
        async with self._pool.connection() as conn:
            return await rows.unfinished(conn, account_id)

    async def resume(self, account_id: UUID, upload_id: UUID) -> ResumableUpload:
        """The upload, after a request that was writing has given way: its `durable` is where to go on.

        An upload of which everything is there becomes its job now, if the server had died before.

        Raises:
            VarloomError: `upload_not_found`; what refuses the upload; those of `receive`.
        """
        async with self._turn(account_id, upload_id) as arrival:
            upload = await self._wanted(account_id, upload_id)
            return await self._finish(arrival, upload) if upload.durable == upload.bytes else upload

    async def change(
        self,
        account_id: UUID,
        upload_id: UUID,
        *,
        sample_name: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> ResumableUpload:
        """Change the name or the options of what has not become a job; options that are not named stay.

        Of a set all files are changed: the job is made by what the first of them says.

        Raises:
            VarloomError: `upload_not_found`, `upload_finished`, `sample_name_invalid`, and those of `parse_options`.
        """
        upload = await self.get(account_id, upload_id)
        name = None if sample_name is None else checked_sample_name(sample_name)
        async with self._pool.connection() as conn:
            first = next(iter(await rows.set_of(conn, upload)), upload)
        chosen = None if options is None else parse_options({**first.options, **options})
        if chosen is not None:
            refuse_credential(chosen)
        async with self._pool.connection() as conn:
            changed = await rows.change(
                conn, account_id, upload_id, sample_name=name, options=None if chosen is None else chosen.as_dict()
            )
        if changed is None:
            raise VarloomError(UPLOAD_FINISHED, "The upload can be changed no more.")
        return changed

    async def remove(self, account_id: UUID, upload_id: UUID) -> None:
        """Cancel an upload: its bytes go, and those of its set. The job of a finished one stays.

        Raises:
            VarloomError: `upload_not_found`.
        """
        upload = await self.get(account_id, upload_id)
        async with self._pool.connection() as conn:
            whole = await rows.set_of(conn, upload)
        for one in whole:
            with contextlib.suppress(VarloomError) if one.id != upload_id else contextlib.nullcontext():
                await self._remove(account_id, one.id)

    async def _remove(self, account_id: UUID, upload_id: UUID) -> None:
        async with self._turn(account_id, upload_id):
            async with self._pool.connection() as conn:
                await rows.delete(conn, account_id, upload_id)
            await in_thread(self._spool.remove, upload_id)
        self._arrivals.pop(upload_id, None)

    # --- receiving --------------------------------------------------------------------------------------------------

    async def receive(
        self,
        account_id: UUID,
        upload_id: UUID,
        offset: int,
        chunks: AsyncIterator[bytes],
        checksum: Checksum | None = None,
    ) -> ResumableUpload:
        """Write bytes at the offset, which must be where the upload goes on; the last ones make it a job.

        Raises:
            VarloomError: `upload_not_found`, `upload_offset_wrong`, `upload_locked` when a newer request wants to go
                on, `upload_checksum_wrong`, `request_invalid` for more bytes than were announced, `storage_full`, and
                whatever ended `chunks`. What came before is durable then, but for a wrong checksum.
            FileRefused: the beginning of the file shows that it will be; then its bytes go.
        """
        async with self._turn(account_id, upload_id) as arrival:
            upload = await self._wanted(account_id, upload_id)
            _require_offset(upload, offset)
            if upload.durable < upload.bytes:
                await self._write(arrival, upload, chunks, checksum)
                upload = await self._wanted(account_id, upload_id)
            return await self._finish(arrival, upload) if upload.durable == upload.bytes else upload

    async def _write(
        self, arrival: Arrival, upload: ResumableUpload, chunks: AsyncIterator[bytes], checksum: Checksum | None
    ) -> None:
        path = self._spool.path(upload.id)
        try:
            file = await in_thread(SpooledFile, path, upload.durable, self._settings.disk_reserve_bytes)
        except FileNotFoundError:
            raise VarloomError(UPLOAD_NOT_FOUND, "This server does not have the bytes of the upload.") from None
        try:
            # the file is held now: another server may have gone on with it in between
            _require_offset(await self._wanted(upload.account_id, upload.id), upload.durable)
            await in_thread(file.cut_back, upload.durable)
            arrival.look = arrival.look or PreflightOfArrival(path, upload, self._note_preflight)
            writer = ArrivalWriter(
                file,
                arrival,
                upload.bytes,
                checksum=checksum,
                note=partial(self._note_durable, upload.id),
                look=None if upload.preflight or upload.options.get("reads") else arrival.look,
            )
            arrival.writing = asyncio.create_task(writer.take(chunks))
            if arrival.waiting:  # it came after this one had its turn, and before there was something to cancel
                arrival.writing.cancel()
            await _outcome(arrival.writing)
        except FileRefused as refused:
            await self._give_up(upload, refused)
            raise
        finally:
            arrival.writing = None
            await in_thread(file.close)

    async def _note_preflight(self, upload_id: UUID, found: dict[str, Any]) -> None:
        async with self._pool.connection() as conn:
            await rows.note_preflight(conn, upload_id, found)

    async def _note_durable(self, upload_id: UUID, durable: int) -> None:
        async with self._pool.connection() as conn:
            await rows.note_durable(conn, upload_id, durable, self._lifetime)

    @contextlib.asynccontextmanager
    async def _turn(self, account_id: UUID, upload_id: UUID) -> AsyncIterator[Arrival]:
        """Have an upload to oneself: whoever writes gives way, for its client is likely gone, and keeps what came.

        Nobody gives way to another account. Raises `upload_not_found`.
        """
        await self.get(account_id, upload_id)
        arrival = self._arrivals[upload_id]
        arrival.waiting += 1
        if arrival.writing is not None:
            arrival.writing.cancel()
        try:
            await arrival.turn.acquire()
        finally:
            arrival.waiting -= 1
        try:
            if arrival.waiting:
                raise VarloomError(UPLOAD_LOCKED, "A newer request goes on with this upload.")
            if self._closed:
                raise VarloomError(UPLOADS_UNAVAILABLE, "The server is stopping.")
            yield arrival
        finally:
            arrival.turn.release()

    async def _wanted(self, account_id: UUID, upload_id: UUID) -> ResumableUpload:
        """The upload, unless the rest of it is not wanted: then what refuses it is told again."""
        upload = await self.get(account_id, upload_id)
        if upload.error is not None:
            raise refusal_again(upload.error)
        return upload

    # --- the end ----------------------------------------------------------------------------------------------------

    async def _finish(self, arrival: Arrival, upload: ResumableUpload) -> ResumableUpload:
        """Let the file become a job, whatever of this was done before the server died.

        The files of a set become one job when the last of them is there; before, nothing happens. Two that end at the
        same moment do not both take the bytes of both away.
        """
        if upload.set_key is None:
            return await self._end(arrival, upload)
        one_at_a_time = self._ends.setdefault((upload.account_id, upload.set_key), asyncio.Lock())
        async with one_at_a_time:
            return await self._end(arrival, await self._wanted(upload.account_id, upload.id))

    async def _end(self, arrival: Arrival, upload: ResumableUpload) -> ResumableUpload:
        if upload.job_id is not None:
            return upload
        async with self._pool.connection() as conn:
            whole = await rows.set_of(conn, upload)
        if len(whole) < upload.files or any(one.durable < one.bytes or one.error for one in whole):
            return upload
        stored = [await self._stored(arrival if one.id == upload.id else Arrival(), one, whole[0].id) for one in whole]
        received, first = replace(stored[0], further=tuple(stored[1:])), whole[0]
        for _ in range(TRIES):
            try:
                await self._create_job(first, received)
                break
            except _ChangedError:
                first = await self.get(first.account_id, first.id)
                if first.job_id is not None:
                    break
        else:
            raise VarloomError(UPLOAD_LOCKED, "Name or options of the upload are being changed all the time.")
        for one in whole:
            await in_thread(self._spool.remove, one.id)
        return await self.get(upload.account_id, upload.id)

    async def _stored(self, arrival: Arrival, upload: ResumableUpload, upload_id: UUID) -> ReceivedFile:
        """The file in the storage. Its checksum is noted first, since afterwards the bytes may be far away."""
        key, path = source_key(upload_id, upload.position), self._spool.path(upload.id)
        try:
            sha256 = upload.sha256 or arrival.sha256(upload.bytes)
            if sha256 is None:
                sha256 = await in_thread(sha256_of, path)
            if upload.sha256 is None:
                async with self._pool.connection() as conn:
                    await rows.note_sha256(conn, upload.id, sha256)
            await self._storage.adopt(key, path)
        except FileNotFoundError:
            raise VarloomError(UPLOAD_NOT_FOUND, "This server does not have the bytes of the upload.") from None
        return ReceivedFile(upload_id, upload.name, upload.bytes, sha256, key)

    async def _create_job(self, upload: ResumableUpload, received: ReceivedFile) -> None:
        async def note(conn: AsyncConnection[Any], job_id: UUID) -> None:
            if not await rows.note_job(conn, upload, job_id):
                raise _ChangedError
            if upload.set_key is not None:
                await rows.note_job_of_set(conn, upload, job_id)

        request = JobRequest(parse_options(upload.options), upload.sample_name, upload.priority)
        try:
            made = await self._uploads.create_job(
                upload.account_id, upload.idempotency_key, received, request, note=note
            )
        except UniqueViolation:
            raise _ChangedError from None
        except VarloomError as error:
            if error.kind.retryable:
                raise
            await self._give_up(upload, error)
            raise
        if not made.is_new:  # an equal request had made the job of a file of its own
            async with self._pool.connection() as conn:
                await rows.note_job(conn, upload, made.job.id)
            await self._uploads.remove_unused(upload.id)

    async def _give_up(self, upload: ResumableUpload, error: VarloomError) -> None:
        """Say why the upload cannot become a job, and let its bytes go; all of its set likewise."""
        async with self._pool.connection() as conn:
            await rows.note_refusal(conn, upload, error.as_dict())
            whole = await rows.set_of(conn, upload)
        for one in whole:
            arrival = self._arrivals.get(one.id)
            if one.id != upload.id and arrival is not None and arrival.writing is not None:
                arrival.writing.cancel()  # its client asks where to go on, and is told
            await in_thread(self._spool.remove, one.id)
        await self._uploads.remove_unused(whole[0].id if whole else upload.id)

    # --- the sweep --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sweep now and then, for as long as the server runs."""
        while True:
            try:
                await self.sweep()
            except (OperationalError, PoolTimeout):
                logger.warning("The sweep of unfinished uploads waits: the database is away.")
            except Exception:
                logger.exception("The sweep of unfinished uploads failed; it is tried again in %g s.", SWEEP_INTERVAL)
            await asyncio.sleep(SWEEP_INTERVAL)

    async def sweep(self) -> None:
        """Create the jobs that are missing, and remove what has expired."""
        async with self._pool.connection() as conn:
            complete = await rows.complete(conn)
        for upload in complete:
            with contextlib.suppress(VarloomError):  # it is told to whoever asks for the upload
                await self.resume(upload.account_id, upload.id)
        held = await in_thread(self._spool.held, rows.ORPHANED.total_seconds())
        async with self._pool.connection() as conn:
            expired = await rows.delete_expired(conn, [key for key, one in self._arrivals.items() if one.turn.locked()])
            orphaned = set(held) - await rows.known(conn, held)
        for upload_id in {*expired, *orphaned}:
            logger.info("removing the unfinished upload %s, which has expired", upload_id)
            await in_thread(self._spool.remove, upload_id)
        for upload_id in [key for key, one in self._arrivals.items() if not one.turn.locked() and not one.waiting]:
            if upload_id in held or not self._spool.path(upload_id).exists():
                del self._arrivals[upload_id]  # what it had hashed is read again, should the upload go on

    async def close(self) -> None:
        """Let all that write keep what came and end; their clients go on with the next server."""
        self._closed = True
        writing = [one.writing for one in self._arrivals.values() if one.writing is not None]
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)


def _require_offset(upload: ResumableUpload, offset: int) -> None:
    if offset != upload.durable:
        message = f"The server has {counted(upload.durable, 'byte')}; the request goes on at {offset:,}."
        raise VarloomError(UPLOAD_OFFSET_WRONG, message)


async def _outcome(writing: asyncio.Task[None]) -> None:
    """Wait for a writer. Cancelled from outside it gives way to a newer request; else it ends with this task."""
    try:
        await asyncio.wait({writing})
    except asyncio.CancelledError:
        writing.cancel()
        await asyncio.wait({writing})
        raise
    if writing.cancelled():
        raise VarloomError(UPLOAD_LOCKED, "A newer request goes on with this upload, or the server is stopping.")
    writing.result()
