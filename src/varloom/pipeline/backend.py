"""The stages as the engine sees them: what a child is asked, how a result is published, what is thrown away."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

from varloom.dataset import catalog
from varloom.dataset.stored import load_manifest
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.jobs.settle import Published
from varloom.pipeline.plan import PLAN_VERSION
from varloom.pipeline.problems import UPLOAD_GONE
from varloom.pipeline.request import Scratch, SourceFile, StageRequest

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from varloom.jobs.model import Claim, Job
    from varloom.pipeline.scratch import WorkerScratch
    from varloom.storage import Storage


def attempt_key(claim: Claim) -> str:
    """The storage folder that belongs to this attempt alone."""
    return f"attempts/{claim.job.id}/{claim.token}"


class PipelineBackend:
    """Runs Varloom's stages for a worker; see `varloom.jobs.worker.Backend`.

    Args of the constructor:
        storage: where uploads and datasets are.
        scratch: where children keep files meanwhile; needed by a worker whose storage is not on its machine.
    """

    child_module = "varloom.pipeline.child"
    plan_version = PLAN_VERSION

    def __init__(self, storage: Storage, scratch: WorkerScratch | None = None) -> None:
        self._storage = storage
        self._scratch = scratch

    def request(self, claim: Claim) -> dict[str, Any]:
        """What the child needs to run the stage.

        Raises:
            VarloomError: `upload_gone`.
        """
        job = claim.job
        if job.source_key is None:
            raise VarloomError(UPLOAD_GONE, "The uploaded file is no longer in the storage.")
        return StageRequest(
            stage=claim.stage.value,
            source=SourceFile(job.source_key, job.source_name, job.source_bytes, job.source_sha256),
            output_key=attempt_key(claim),
            options=job.options,
            storage=self._storage.access,
            scratch=self._scratch_of(claim),
        ).as_json()

    def _scratch_of(self, claim: Claim) -> Scratch | None:
        scratch = self._scratch
        if scratch is None:
            return None
        return Scratch(scratch.attempts / str(claim.token), scratch.sources, scratch.sources_limit)

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

    def clear(self, claim: Claim) -> None:
        """Remove what a child that was killed left on this machine."""
        scratch = self._scratch_of(claim)
        if scratch is not None:
            shutil.rmtree(scratch.attempt, ignore_errors=True)

    def discard(self, claim: Claim) -> None:
        """Remove what an attempt left in the storage; it will never be adopted."""
        self._storage.delete_tree(attempt_key(claim))

    def _load(self, keys: list[str]) -> list[catalog.NewDataset]:
        """The manifests of datasets as they lie in the storage."""
        return [catalog.NewDataset(key, load_manifest(self._storage, key)) for key in keys]
