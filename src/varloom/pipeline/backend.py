"""The stages as the engine sees them: what a child is asked, how a result is published, what is thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.dataset import catalog
from varloom.errors import VarloomError
from varloom.jobs.settle import Published
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
            options=job.options,
        ).as_json()
