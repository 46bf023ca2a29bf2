"""Annotating a sample again: a job that makes a new version of its table from the file that is stored already."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.errors import UniqueViolation

from varloom.annotation.problems import ANNOTATION_NEEDS_VARIANTS
from varloom.dataset import catalog
from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.errors import VarloomError
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.jobs import line, repository
from varloom.jobs.model import NewJob
from varloom.pipeline.plan import VERSION_OF_RENEWAL, plan_of_renewal
from varloom.pipeline.problems import UPLOAD_GONE
from varloom.pipeline.quota import require_room
from varloom.services.options import JobOptions
from varloom.services.problems import IDEMPOTENCY_CONFLICT, REQUEST_INVALID, SAMPLE_BEING_ANNOTATED
from varloom.services.upload_rows import storage_key_of
from varloom.services.uploads import checked_key
from varloom.services.views import JobView, job_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.catalog import DatasetRecord, SampleRecord
    from varloom.jobs.model import Job
    from varloom.services.annotation_offer import AnnotationOffer
    from varloom.services.options import Annotate, Assembly
    from varloom.settings import Settings
    from varloom.storage import Storage

RENEWAL_INDEX = "jobs_renewal_idx"
"""Of the database, by which one job at a time makes a new version of a sample's table."""


@dataclass(frozen=True, slots=True)
class WantedAnnotation:
    """How a sample is to be annotated; what is None stays as it was."""

    annotate: Annotate | None = None
    assembly: Assembly | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Renewals:
    """Makes the jobs that annotate samples again, or for the first time."""

    pool: AsyncConnectionPool
    storage: Storage
    settings: Settings
    offer: AnnotationOffer

    async def annotate(
        self, account_id: UUID, sample_id: UUID, wanted: WantedAnnotation, idempotency_key: str | None = None
    ) -> JobView:
        """Create the job, or find the one that an earlier, equal request made.

        Raises:
            VarloomError: `sample_not_found`; `annotation_needs_variants`; `request_invalid` for a sample without
                annotation and no choice of its kind; `reference_data_missing`; `upload_gone`; `quota_exceeded`;
                `sample_being_annotated`; `idempotency_conflict`.
        """
        key = checked_key(idempotency_key)
        async with self.pool.connection() as conn:
            earlier = None if key is None else await repository.find_by_idempotency_key(conn, account_id, key)
            sample = await catalog.get_sample(conn, account_id, sample_id)
            newest = _newest(await catalog.datasets_of(conn, account_id, sample_id))
            options = _options(wanted, newest, split=await self._was_split(conn, account_id, newest))
            original = await storage_key_of(conn, newest[0].upload_id)
        if earlier is None:
            await self.offer.require(options)
            await self._require_original(original)
        async with self.pool.connection() as conn:
            job = earlier or await self._create(conn, self._new_job(sample, newest, options, wanted, key))
            _refuse_other(job, sample_id, options)
            places = await line.places_of(conn, account_id, [job])
        return job_view(job, places.get(job.id))

    async def _was_split(self, conn: AsyncConnection[Any], account_id: UUID, newest: Sequence[DatasetRecord]) -> bool:
        """Whether each of the file's samples has a table, even if it is only one."""
        job_id = newest[0].job_id
        job = None if job_id is None else await repository.find_job(conn, account_id, job_id)
        return len(newest) > 1 or (job is not None and bool(job.options.get("split_by_sample")))

    async def _require_original(self, key: str | None) -> None:
        if key is None or not await asyncio.to_thread(self.storage.exists, key):
            raise VarloomError(
                UPLOAD_GONE,
                "The file that this sample was made of is no longer in the storage, so it cannot be annotated again.",
                resolution=("Upload the file again, with annotation: it becomes a sample of its own.",),
            )

    def _new_job(
        self,
        sample: SampleRecord,
        newest: Sequence[DatasetRecord],
        options: JobOptions,
        wanted: WantedAnnotation,
        key: str | None,
    ) -> _NewRenewal:
        first = newest[0]
        job = NewJob(
            account_id=first.account_id,
            upload_id=first.upload_id,
            sample_name=sample.name,
            plan=plan_of_renewal(),
            plan_version=VERSION_OF_RENEWAL,
            options=options.as_dict(),
            priority=wanted.priority,
            idempotency_key=key,
            max_attempts=self.settings.max_attempts,
            renews_sample_id=sample.id,
        )
        return _NewRenewal(job, sample.id, sum(dataset.bytes for dataset in newest))

    async def _create(self, conn: AsyncConnection[Any], new: _NewRenewal) -> Job:
        """The job and its ticket, all or nothing; the job of an equal request that was faster."""
        account_id, sample_id = new.job.account_id, new.sample_id
        try:
            async with conn.transaction():
                quota = self.settings.account_quota_bytes
                await require_room(conn, account_id, quota, new.bytes, what="A new version of the table takes about")
                job = await repository.create_job(conn, new.job)
                # The sample comes after the job, as for a worker that settles one: else each could wait for the other.
                if not await catalog.lock_sample(conn, account_id, sample_id):
                    raise VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this account.")
                return job
        except UniqueViolation as error:
            if error.diag.constraint_name == RENEWAL_INDEX:
                raise await being_annotated(conn, account_id, sample_id) from None
            job_or_none = await repository.find_by_idempotency_key(conn, account_id, new.job.idempotency_key or "")
            if job_or_none is None:
                raise
            return job_or_none


@dataclass(frozen=True, slots=True)
class _NewRenewal:
    """A job that is to be made, and about how many bytes its tables will have."""

    job: NewJob
    sample_id: UUID
    bytes: int


async def being_annotated(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> VarloomError:
    """What is said to a second job that would make a new version of the same table."""
    running = (await repository.renewals_of(conn, account_id, [sample_id])).get(sample_id)
    by = f" by the job {running}" if running is not None else ""
    return VarloomError(SAMPLE_BEING_ANNOTATED, f"A new version of this sample's table is being made{by}.")


def _newest(datasets: Sequence[DatasetRecord]) -> tuple[DatasetRecord, ...]:
    """The tables of the newest version."""
    return tuple(dataset for dataset in datasets if dataset.version == datasets[0].version)


def _options(wanted: WantedAnnotation, newest: Sequence[DatasetRecord], *, split: bool) -> JobOptions:
    """The options of the job.

    Raises:
        VarloomError: `annotation_needs_variants`, `request_invalid`.
    """
    first = newest[0]
    if first.format not in VARIANT_FORMATS:
        raise VarloomError(
            ANNOTATION_NEEDS_VARIANTS,
            f"The sample was made of a {first.format.upper()} file, which holds no variants.",
            resolution=("Only samples of VCF and BCF files can be annotated.",),
        )
    kind = wanted.annotate or (first.annotation or {}).get("kind")
    if kind is None:
        message = "annotate: the sample was loaded without annotation; choose small or structural."
        raise VarloomError(REQUEST_INVALID, message)
    return JobOptions(wanted.assembly or _assembly(first), split, None, kind)


def _assembly(dataset: DatasetRecord) -> Assembly | None:
    match dataset.assembly:
        case "GRCh37":
            return "GRCh37"
        case "GRCh38":
            return "GRCh38"
    return None


def _refuse_other(job: Job, sample_id: UUID, options: JobOptions) -> None:
    """A key stands for one request: the same sample and options."""
    if job.renews_sample_id != sample_id or job.options != options.as_dict():
        raise VarloomError(
            IDEMPOTENCY_CONFLICT, f"The Idempotency-Key belongs to job {job.id}, which is another request."
        )
