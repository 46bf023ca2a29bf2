"""The stages as the engine sees them: what a child is asked, how a result is published, what is thrown away."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

from varloom.dataset import catalog, sample_files
from varloom.dataset.sample_files import SampleFile
from varloom.dataset.stored import load_manifest
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.jobs.lifecycle import Stage
from varloom.jobs.settle import Published
from varloom.pipeline.engine_offer import EngineOffer
from varloom.pipeline.plan import PLAN_VERSION
from varloom.pipeline.problems import UPLOAD_GONE
from varloom.pipeline.quota import CONNECT_TIMEOUT, require_room, room_for_download
from varloom.pipeline.request import Processing, Scratch, SourceFile, SourceLocation, StageRequest
from varloom.processing.parabricks.container import end_container
from varloom.transfer.source_url import parse_source_url

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from varloom.jobs.model import Claim, Job
    from varloom.jobs.needs import Offer
    from varloom.pipeline.scratch import WorkerScratch
    from varloom.pipeline.source_secrets import SourceSecrets
    from varloom.storage import Storage
    from varloom.transfer.model import TransferOptions


_KEEP_ORIGINAL: LiteralString = """
UPDATE uploads SET storage_key = %(key)s, bytes = %(bytes)s, sha256 = %(sha256)s
WHERE id = %(upload_id)s
"""
_KEEP_FURTHER: LiteralString = """
UPDATE upload_files SET storage_key = %(key)s, bytes = %(bytes)s, sha256 = %(sha256)s
WHERE upload_id = %(upload_id)s AND position = %(position)s
"""


@dataclass(frozen=True, slots=True)
class Downloads:
    """What a worker needs to fetch files from URLs: what they are, and what it is allowed."""

    secrets: SourceSecrets
    transfer: TransferOptions
    account_quota: int | None = None


def attempt_key(claim: Claim) -> str:
    """The storage folder that belongs to this attempt alone.

    What the process stage leaves is kept with the sample, in a folder which a sweep of older workers does not know.
    """
    folder = "processed" if claim.stage is Stage.PROCESS else "attempts"
    return f"{folder}/{claim.job.id}/{claim.token}"


class PipelineBackend:
    """Runs Varloom's stages for a worker; see `varloom.jobs.worker.Backend`.

    Args of the constructor:
        storage: where uploads and datasets are.
        scratch: where children keep files meanwhile; needed by a worker whose storage is not on its machine.
        downloads: needed by a worker that fetches files from URLs.
        processing: what the worker has for secondary analysis.
        conninfo: of the database; needed by a worker that makes new versions of tables.
    """

    child_module = "varloom.pipeline.child"
    plan_version = PLAN_VERSION

    def __init__(
        self,
        storage: Storage,
        scratch: WorkerScratch | None = None,
        downloads: Downloads | None = None,
        processing: Processing | None = None,
        conninfo: str | None = None,
    ) -> None:
        self._storage = storage
        self._scratch = scratch
        self._downloads = downloads
        self._processing = processing or Processing()
        self._conninfo = conninfo
        self._engines = EngineOffer(self._processing)

    def offer(self) -> Offer:
        """The engines of this machine, and the needs of jobs that it meets with them."""
        return self._engines.look()

    def request(self, claim: Claim) -> dict[str, Any]:
        """What the child needs to run the stage.

        Raises:
            VarloomError: `upload_gone`; `source_url_gone` or `source_secret_unreadable`.
        """
        fetches = claim.stage is Stage.DOWNLOAD
        first, *further = [None] if fetches else self._sources_of(claim)
        location, *further_locations = self._locations_of(claim.job) if fetches else [None]
        return StageRequest(
            stage=claim.stage.value,
            source=first,
            output_key=attempt_key(claim),
            options=_options_of(claim),
            storage=self._storage.access,
            scratch=self._scratch_of(claim),
            location=location,
            job=str(claim.job.id),
            annotation=claim.job.artefacts.get(Stage.ANNOTATE, {}).get("key"),
            further=tuple(file for file in further if file is not None),
            further_locations=tuple(one for one in further_locations if one is not None),
            processing=self._processing if claim.stage is Stage.PROCESS else None,
            sample=claim.job.sample_name,
            keeps_choice=not _is_asked_anew(claim),
            previous=self._previous(claim),
        ).as_json()

    def _sources_of(self, claim: Claim) -> list[SourceFile | None]:
        """The files that a stage reads; of a sample that was made of reads a new version is made of its VCF."""
        renewed = claim.job.renews_sample_id
        if renewed is not None and self._conninfo is not None:
            with psycopg.connect(self._conninfo, connect_timeout=CONNECT_TIMEOUT) as conn:
                made = sample_files.variants_now(conn, renewed)
            if made is not None:
                return [SourceFile(made.storage_key, made.name, made.bytes, made.sha256)]
        return _sources_of(claim)

    def _previous(self, claim: Claim) -> tuple[str, ...]:
        """The datasets of which the stage makes a new version."""
        renewed = claim.job.renews_sample_id
        if renewed is None or claim.stage is not Stage.PARSE or self._conninfo is None:
            return ()
        with psycopg.connect(self._conninfo, connect_timeout=CONNECT_TIMEOUT) as conn:
            return tuple(catalog.newest_keys_now(conn, renewed))

    def _locations_of(self, job: Job) -> list[SourceLocation | None]:
        if self._downloads is None:
            raise AssertionError("this worker was not made to fetch files")
        secrets, transfer = self._downloads.secrets, self._downloads.transfer
        room = room_for_download(secrets.conninfo, job, self._downloads.account_quota)
        locations: list[SourceLocation | None] = []
        for place, url in enumerate(secrets.urls_of(job), 1):
            credential = secrets.credential_of(job, parse_source_url(url, transfer.cloud_endpoints))
            folder = str(job.id) if place == 1 else f"{job.id}/{place}"
            locations.append(SourceLocation(folder, url, replace(transfer, room=room), credential))
        return locations

    def _scratch_of(self, claim: Claim) -> Scratch | None:
        scratch = self._scratch
        if scratch is None:
            return None
        return Scratch(scratch.attempts / str(claim.token), scratch.sources, scratch.sources_limit, scratch.downloads)

    async def adopt(self, conn: AsyncConnection[Any], claim: Claim, result: dict[str, Any]) -> None:
        """Make the file that was fetched the job's original, as if it had been uploaded.

        Raises:
            VarloomError: `quota_exceeded` when other files of the account came meanwhile.
        """
        if claim.stage is Stage.DOWNLOAD:
            quota = self._downloads.account_quota if self._downloads else None
            files = [result, *result.get("further", ())]
            await require_room(conn, claim.job.account_id, quota, sum(file["bytes"] for file in files))
            for position, file in enumerate(files, 1):
                values = {name: file[name] for name in ("key", "bytes", "sha256")}
                query = _KEEP_ORIGINAL if position == 1 else _KEEP_FURTHER
                await conn.execute(query, {**values, "upload_id": claim.job.upload_id, "position": position})

    async def publish(self, conn: AsyncConnection[Any], job: Job, result: dict[str, Any]) -> Published:
        """Make the datasets of a parsed file visible, in the transaction that completes the job."""
        datasets = await asyncio.to_thread(self._load, job, result)
        failpoint("publish.before_rows", conn)
        sample_id = await catalog.publish(
            conn,
            account_id=job.account_id,
            job_id=job.id,
            upload_id=job.upload_id,
            sample_name=job.sample_name,
            datasets=datasets,
            renewed=job.renews_sample_id,
        )
        await sample_files.keep_files(conn, sample_id, _files_of(job))
        failpoint("publish.after_rows", conn)
        first = datasets[0].manifest
        variants = first.variants if first.source.format in VARIANT_FORMATS else None
        return Published(sample_id, first.records, variants)

    def clear(self, claim: Claim) -> None:
        """Remove what a child that was killed left on this machine: files, and a container that still runs."""
        if claim.stage is Stage.PROCESS:
            end_container(self._processing.parabricks, str(claim.job.id))
        scratch = self._scratch_of(claim)
        if scratch is not None:
            for path in scratch.attempt.parent.glob(f"{scratch.attempt.name}*"):
                shutil.rmtree(path, ignore_errors=True)

    def discard(self, claim: Claim) -> None:
        """Remove what an attempt left in the storage; it will never be adopted."""
        self._storage.delete_tree(attempt_key(claim))

    def _load(self, job: Job, result: dict[str, Any]) -> list[catalog.NewDataset]:
        """The datasets as they lie in the storage, with what the job knows of them."""
        keys: list[str] = result["folders"]
        changes = result.get("changes") or [None] * len(keys)
        annotation = _annotation_of(job)
        return [
            catalog.NewDataset(key, load_manifest(self._storage, key), annotation, changed)
            for key, changed in zip(keys, changes, strict=True)
        ]


def _is_asked_anew(claim: Claim) -> bool:
    """Whether somebody retried the stage by hand: its attempts are counted from 1 again, behind one that failed."""
    last = next((tried for tried in reversed(claim.job.attempts) if tried["stage"] == claim.stage), None)
    return claim.job.attempt == 1 and last is not None and last["outcome"] in {"failed", "cancelled"}


def _annotation_of(job: Job) -> dict[str, Any] | None:
    """The kind of a job's annotation, and its releases by what a manifest calls them; None where it has none."""
    left = job.artefacts.get(Stage.ANNOTATE)
    if left is None:
        return None
    releases = {f"{kind} {name}": release for kind, name, _, release in left["releases"]}
    return {"kind": job.options.get("annotate"), "releases": releases}


def _options_of(claim: Claim) -> dict[str, Any]:
    """The job's options; what was made of reads is of the assembly to which they were aligned."""
    processed = claim.job.artefacts.get(Stage.PROCESS, {})
    if claim.stage is Stage.PROCESS or "assembly" not in processed:
        return claim.job.options
    return {**claim.job.options, "assembly": processed["assembly"]}


def _sources_of(claim: Claim) -> list[SourceFile | None]:
    """The files that a stage reads: what was uploaded, or the VCF that the process stage made of it.

    Raises:
        VarloomError: `upload_gone`.
    """
    job, processed = claim.job, claim.job.artefacts.get(Stage.PROCESS, {})
    if claim.stage is not Stage.PROCESS and "variants" in processed:
        [made] = [file for file in processed["files"] if file["role"] == "variants"]
        return [SourceFile(f"{processed['key']}/{made['name']}", made["name"], made["bytes"], made["sha256"])]
    parts = [(job.source_key, job.source_name, job.source_bytes, job.source_sha256)]
    parts += [(part.key, part.name, part.bytes, part.sha256) for part in job.source_files]
    found: list[SourceFile | None] = []
    for key, name, size, sha256 in parts:
        if key is None:
            raise VarloomError(UPLOAD_GONE, "The uploaded file is no longer in the storage.")
        found.append(SourceFile(key, name, size, sha256))
    return found


def _files_of(job: Job) -> list[SampleFile]:
    """What the process stage left for the sample."""
    processed = job.artefacts.get(Stage.PROCESS, {})
    return [
        SampleFile(file["name"], file["role"], f"{processed['key']}/{file['name']}", file["bytes"], file["sha256"])
        for file in processed.get("files", ())
    ]
