"""Where a table comes from: the file and its checksum, what was chosen, and the versions of everything that made it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varloom.dataset import catalog
from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.dataset.stored import load_manifest
from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.services.annotation_offer import is_synthetic
from varloom.services.origins import first_job
from varloom.services.views import (
    DatasetProvenance,
    DownloadProvenance,
    PartProvenance,
    ProcessingProvenance,
    ProvenanceView,
)

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.catalog import DatasetRecord
    from varloom.dataset.manifest import Manifest
    from varloom.jobs.model import Job
    from varloom.storage import Storage


@dataclass(frozen=True, slots=True)
class Provenance:
    """Tells where the account's tables come from."""

    pool: AsyncConnectionPool
    storage: Storage

    async def of_job(self, account_id: UUID, job_id: UUID) -> ProvenanceView:
        """The provenance of what a job made.

        Raises:
            VarloomError: `job_not_found`, or those of `Storage`.
        """
        async with self.pool.connection() as conn:
            job = await repository.get_job(conn, account_id, job_id)
            records = await _datasets(conn, job)
            origin = await _origin(conn, job)
        datasets = await asyncio.to_thread(self._datasets, records)
        return ProvenanceView.model_validate(
            {
                "source": {
                    "kind": job.source_kind,
                    "name": job.source_name,
                    "bytes": job.source_bytes,
                    "url": job.source_url,
                    "sha256": job.source_sha256,
                    "download": download_of(job) or download_of(origin),
                    "further": [
                        {"name": part.name, "bytes": part.bytes, "url": part.url, "sha256": part.sha256}
                        for part in job.source_files
                    ],
                },
                "options": job.options,
                "plan": [stage.value for stage in job.plan],
                "processing": processing_of(job) or processing_of(origin),
                "datasets": datasets,
            }
        )

    async def processing_of(self, account_id: UUID, sample_id: UUID) -> ProcessingProvenance | None:
        """What analysed the reads of a sample, without the rest of its job; None for one that was not made of reads.

        Raises:
            VarloomError: `sample_not_found`.
        """
        async with self.pool.connection() as conn:
            job = await first_job(conn, account_id, sample_id)
        return None if job is None else processing_of(job)

    def _datasets(self, records: tuple[DatasetRecord, ...]) -> list[DatasetProvenance]:
        return [_view(record, load_manifest(self.storage, record.storage_key)) for record in records]


def download_of(job: Job) -> DownloadProvenance | None:
    """How the file of a job came from its URL."""
    left = job.artefacts.get("download")
    if left is None:
        return None
    version = {name: left["version"].get(name) for name in ("etag", "generation", "modified")}
    kept = {name: left[name] for name in ("url", "verified", "resumed")}
    return DownloadProvenance.model_validate({**kept, **version})


def processing_of(job: Job) -> ProcessingProvenance | None:
    """What analysed the reads of a job."""
    left = job.artefacts.get("process")
    if left is None or "engine" not in left:
        return None
    tools = [{"name": name, "version": version} for name, version in left["tools"]]
    kept = {name: left[name] for name in ("engine", "caller", "reference", "assembly")}
    return ProcessingProvenance.model_validate({**kept, "tools": tools})


async def _origin(conn: AsyncConnection[Any], job: Job) -> Job:
    """The job that made the sample of which this one made a new version; itself for all others."""
    if job.renews_sample_id is None:
        return job
    try:
        return await first_job(conn, job.account_id, job.renews_sample_id) or job
    except VarloomError as error:
        if error.kind is not SAMPLE_NOT_FOUND:
            raise
        return job  # it was deleted


async def _datasets(conn: AsyncConnection[Any], job: Job) -> tuple[DatasetRecord, ...]:
    """The tables that the job made, as far as they are there."""
    if job.sample_id is None:
        return ()
    try:
        found = await catalog.datasets_of(conn, job.account_id, job.sample_id)
    except VarloomError as error:
        if error.kind is not SAMPLE_NOT_FOUND:
            raise
        return ()  # it was deleted
    return tuple(record for record in found if record.job_id == job.id)


def _view(record: DatasetRecord, manifest: Manifest) -> DatasetProvenance:
    return DatasetProvenance(
        id=record.id,
        name=record.name,
        format=manifest.source.format,
        compression=manifest.source.compression,
        assembly=manifest.assembly,
        records=manifest.records,
        variants=manifest.variants,
        columns=len(manifest.columns),
        format_version=manifest.format_version,
        content_hash=manifest.content_hash,
        versions=manifest.versions,
        synthetic=is_synthetic(manifest.versions),
        parts=[
            PartProvenance(name=part.name, rows=part.rows, bytes=part.bytes, sha256=part.sha256)
            for part in manifest.parts
        ],
    )
