"""The stages as the engine sees them: what a child is asked, how a result is published, what is thrown away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from varloom.dataset import Manifest, catalog
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.jobs.settle import Published
from varloom.pipeline.plan import PLAN_VERSION
from varloom.pipeline.problems import UPLOAD_GONE
from varloom.pipeline.request import StageRequest

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from varloom.jobs.model import Claim, Job
    from varloom.storage import Storage


def attempt_key(claim: Claim) -> str:
    """The storage folder that belongs to this attempt alone."""
    return f"attempts/{claim.job.id}/{claim.token}"


class PipelineBackend:
    """Runs Varloom's stages for a worker; see `varloom.jobs.worker.Backend`."""

    child_module = "varloom.pipeline.child"
    plan_version = PLAN_VERSION

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def request(self, claim: Claim) -> dict[str, Any]:
        """What the child needs to run the stage.

        Raises:
            VarloomError: `upload_gone`.
        """
        job = claim.job
        if job.source_key is None or not self._storage.exists(job.source_key):
            raise VarloomError(UPLOAD_GONE, "The uploaded file is no longer in the storage.")
        return StageRequest(
            stage=claim.stage.value,
            source=self._storage.path(job.source_key),
            source_name=job.source_name,
            output=self._storage.path(attempt_key(claim)),
            output_key=attempt_key(claim),
            options=job.options,
        ).as_json()

    async def publish(self, conn: AsyncConnection[Any], job: Job, result: dict[str, Any]) -> Published:
        """Make the datasets of a parsed file visible, in the transaction that completes the job."""
        datasets = await asyncio.to_thread(self._load, result["folders"])
        failpoint("publish.before_rows", conn)
        sample_id = await catalog.publish(
            conn,
            account_id=job.account_id,
            job_id=job.id,
            upload_id=job.upload_id,
            sample_name=job.sample_name,
            datasets=datasets,
        )
        failpoint("publish.after_rows", conn)
        first = datasets[0].manifest
        variants = first.variants if first.source.format in VARIANT_FORMATS else None
        return Published(sample_id, first.records, variants)

    def discard(self, claim: Claim) -> None:
        """Remove what an attempt left; it will never be adopted."""
        self._storage.delete_tree(attempt_key(claim))

    def _load(self, keys: list[str]) -> list[catalog.NewDataset]:
        """The manifests of datasets as they lie in the storage: a folder without one was never finished."""
        return [catalog.NewDataset(key, Manifest.load(self._storage.path(key))) for key in keys]
