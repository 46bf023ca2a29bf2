"""What the outside sees: the JSON shapes of jobs, events, samples and the queue, for API, CLI and pages alike."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.jobs.lifecycle import Stage
from varloom.jobs.model import Job, JobEvent, Pause, Place, StageQueue, WorkerState
from varloom.services.stage_durations import Durations

StateName = Literal["queued", "downloading", "processing", "annotating", "parsing", "completed", "failed", "cancelled"]
StageName = Literal["download", "process", "annotate", "parse"]


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


UtcTime = Annotated[datetime, AfterValidator(_in_utc)]


def holds_variants(format_name: str) -> bool:
    """Whether the rows of a table of this format are variants."""
    return format_name in VARIANT_FORMATS


class View(BaseModel):
    """A shape that is only ever written: frozen, and with every key present."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class SourceView(View):
    """Where a job's bytes come from."""

    kind: Literal["file", "url"]
    name: str = Field(description="as the user's machine called it; of several files the first")
    bytes: int | None = Field(description="size of all files as they were sent; null while it is not known")


class ProgressView(View):
    """How far the running stage is."""

    done: float
    total: float | None
    unit: str
    rate: float | None = Field(default=None, description="units a second")
    eta_seconds: float | None = None


class ProblemView(View):
    """One finding in a file; unknown places are null."""

    code: str
    severity: Literal["error", "warning"] = "error"
    line: int | None = None
    column: int | None = None
    field: str | None = None
    message: str
    excerpt: str | None = None
    resolution: list[str] = []


class ErrorView(View):
    """Why a job failed, or why its last attempt did."""

    code: str
    title: str
    message: str
    stage: StageName | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None
    excerpt: str | None = None
    url: str | None = None
    resolution: list[str] = []
    retryable: bool
    problems: list[ProblemView] = Field(default=[], description="what else the same pass found")


class StageView(View):
    """One stage of a job's plan."""

    stage: StageName
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    began_at: UtcTime | None = Field(default=None, description="when its last attempt began")
    seconds: float | None = Field(default=None, description="how long its last attempt took; null until it ended")
    expected_seconds: float | None = Field(
        default=None, description="how long it takes by the account's earlier files of that size; null while unknown"
    )


class AttemptView(View):
    """One ended attempt at a stage."""

    stage: StageName
    attempt: int
    began_at: UtcTime
    seconds: float
    outcome: Literal["succeeded", "failed", "cancelled", "returned"] = Field(
        description="`returned`: its worker stopped or died; it does not count"
    )
    code: str | None = Field(default=None, description="of the error that ended it")
    title: str | None = None
    message: str | None = None


class HeldUpView(View):
    """Why a job that waits is not served."""

    cause: Literal["paused", "plan_unknown", "no_slots", "no_engine", "disk_low"]
    message: str = Field(description="one sentence for people")


class JobView(View):
    """One job, whole."""

    id: UUID
    sample_name: str
    source: SourceView
    further_files: list[str] = Field(default=[], description="names of the other files, where there are several")
    options: dict[str, Any]
    state: StateName
    stage: StageName | None = Field(description="the stage it is in or waits for; null when completed")
    plan: list[StageName] = Field(description="the stages of this job, in order")
    stages: list[StageView] = Field(default=[], description="the same stages, with what each took or will take")
    attempt: int = Field(description="the try of this stage, counted from 1")
    max_attempts: int
    retry_at: UtcTime | None = Field(description="when the next automatic attempt is due")
    queue_position: int | None = Field(
        description="how many jobs are ahead of it; null when it is not in line, or is far behind"
    )
    held_up: HeldUpView | None = Field(
        default=None, description="why a job that waits is not served, whatever its place"
    )
    attempts: list[AttemptView] = Field(
        default=[], description="the newest fifty attempts that ended, oldest first, of all retries"
    )
    priority: int
    cancel_requested: bool
    progress: ProgressView | None
    records: int | None
    variants: int | None
    warnings: list[ProblemView]
    sample_id: UUID | None
    renews_sample_id: UUID | None = Field(
        default=None, description="the sample of whose table it makes a new version; null: it makes a sample"
    )
    error: ErrorView | None
    message: str = Field(description="what happened last, in one sentence")
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime | None
    dismissed: bool


class JobList(View):
    """A page of jobs, newest first."""

    jobs: list[JobView]
    next: str | None = Field(description="the cursor of the next page; null on the last one")


class ActionResult(View):
    """What became of one job of several that were acted on."""

    id: UUID
    code: str | None = Field(description="of the error, where it was refused; null where it was done")
    message: str | None = Field(description="why it was refused")


class ActionResults(View):
    """What became of the jobs that were acted on, in the order in which they were named."""

    results: list[ActionResult]


class ChecksumView(View):
    """A checksum of the whole file; the value in hexadecimal."""

    algorithm: str
    value: str


class DownloadProvenance(View):
    """How the file came from its URL."""

    url: str = Field(description="without what could be secret")
    etag: str | None = Field(description="of the version that was fetched")
    generation: str | None = Field(description="the same, of an object of Google")
    modified: str | None = Field(description="when it was last changed, as the source tells")
    verified: list[ChecksumView] = Field(description="what the source told and what arrived agrees with; maybe nothing")
    resumed: int = Field(description="bytes that an earlier attempt had brought already")


class FurtherSource(View):
    """Another file of the job's reads."""

    name: str
    bytes: int | None
    url: str | None
    sha256: str | None


class SourceProvenance(View):
    """The file that a job read."""

    kind: Literal["file", "url"]
    name: str
    bytes: int | None
    url: str | None = Field(default=None, description="as it may be shown, for a file from a URL")
    sha256: str | None = Field(description="of the file as it was stored")
    download: DownloadProvenance | None = Field(default=None, description="for a file from a URL, once it is here")
    further: list[FurtherSource] = Field(default=[], description="the other files, where several were sent together")


class ToolView(View):
    """A program that took part."""

    name: str
    version: str


class ProcessingProvenance(View):
    """What analysed the reads."""

    engine: str
    caller: str
    reference: str = Field(description="the genome and its release")
    assembly: str
    tools: list[ToolView] = Field(description="in the order of their use")


class PartProvenance(View):
    """One Parquet file of a table."""

    name: str
    rows: int
    bytes: int
    sha256: str


class DatasetProvenance(View):
    """What made one table."""

    id: UUID
    name: str
    format: str
    compression: str
    assembly: str | None
    records: int
    variants: int = Field(description="rows of the table")
    columns: int
    format_version: int = Field(description="of the dataset's own format")
    content_hash: str
    versions: dict[str, str] = Field(description="of the programs and libraries that wrote it")
    synthetic: bool = Field(
        description="whether it was annotated with the demonstration data, in which nothing is real"
    )
    parts: list[PartProvenance]


class ProvenanceView(View):
    """Where a job's tables come from."""

    source: SourceProvenance
    options: dict[str, Any]
    plan: list[StageName]
    processing: ProcessingProvenance | None = Field(default=None, description="for reads, once they are analysed")
    datasets: list[DatasetProvenance] = Field(description="none until the job is completed, or when they were deleted")


class EventView(View):
    """One row of a job's history."""

    id: int
    at: UtcTime
    state: StateName
    stage: StageName | None
    attempt: int
    message: str


class EventList(View):
    """The history of a job, oldest first."""

    events: list[EventView]


class StageQueueView(View):
    """How one stage stands."""

    stage: StageName
    busy: int = Field(description="slots that run a stage now")
    total: int = Field(description="slots of all living workers")
    waiting: int = Field(description="jobs that wait for a slot")
    delayed: int = Field(description="jobs that wait for the time of their retry")


class PauseView(View):
    """A stage, or an account's jobs, of which nothing is claimed until it is resumed."""

    stage: StageName | None
    account: str | None = Field(description="the account's name")
    reason: str | None
    paused_at: UtcTime


class WorkerEngineView(View):
    """An engine of secondary analysis on the machine of a worker."""

    name: str
    version: str | None = Field(description="as far as it is known")
    callers: list[str]
    reason: str | None = Field(description="why it cannot run there; null if it can")


class WorkerView(View):
    """What a worker is doing."""

    id: UUID
    host: str
    pid: int
    version: str
    slots: dict[StageName, int]
    stages_at_once: int | None = Field(description="over all kinds; null: as many as there are slots")
    busy: dict[StageName, int] = Field(description="by stage: how many it runs")
    engines: list[WorkerEngineView] = Field(description="of secondary analysis; none where it has no slots for that")
    low_disk: str | None = Field(description="which of its disks has too little space, so that it begins nothing")
    started_at: UtcTime
    heartbeat_age: float = Field(description="seconds since it was last heard of")


class QueueView(View):
    """Slots by stage, where the account's own jobs stand, and what is paused."""

    stages: list[StageQueueView]
    positions: dict[UUID, int] = Field(description="for each of the account's waiting jobs: how many are ahead of it")
    pauses: list[PauseView] = Field(description="of stages, and of the own account; for owners of all accounts")
    workers: list[WorkerView] | None = Field(description="for owners only; null for everyone else")


class AttemptLogView(View):
    """What the processes of one ended attempt said on standard error."""

    stage: StageName
    attempt: int
    began_at: UtcTime
    text: str = Field(description="lines with their times in UTC; of a long log its beginning and its end")


class JobLog(View):
    """The logs of a job's newest attempts, oldest first; attempts that said nothing have none."""

    logs: list[AttemptLogView]


class PlacesView(View):
    """Where the account's waiting jobs stand."""

    positions: dict[UUID, int]
    held_up: dict[UUID, HeldUpView] = {}


class DatasetView(View):
    """One table of a sample."""

    id: UUID
    name: str = Field(description="the sample's name in the file where that was split, else the sample's own")
    format: str
    assembly: Literal["GRCh37", "GRCh38"] | None
    records: int
    variants: int = Field(description="rows of the table")
    bytes: int
    content_hash: str
    created_at: UtcTime


class ColumnChangesView(View):
    """How many rows have another value in one column than in the version before."""

    changed: int
    gained: int = Field(description="had no value before")
    lost: int = Field(description="have no value any more")


class ChangesView(View):
    """What differs from the version before in the columns of annotation; those that are the same are left out."""

    columns: dict[str, ColumnChangesView]
    added: list[str] = Field(description="columns that the version before does not have")
    removed: list[str]


class VersionView(View):
    """One version of a sample's tables. None is ever changed."""

    version: int = Field(description="counted from 1")
    created_at: UtcTime
    job_id: UUID | None = Field(description="the job that made it")
    annotate: Literal["small", "structural"] | None = Field(description="the kind of its annotation")
    releases: dict[str, str] = Field(description="of the reference data that was used, such as `variants clinvar`")
    changes: ChangesView | None = Field(description="null where there is nothing to compare with")
    datasets: list[DatasetView] = Field(description="several when the file was split by sample, else one")


class NewerReleaseView(View):
    """Reference data that is installed now, and that the newest version was not annotated with."""

    kind: str
    name: str
    title: str = Field(description="for people")
    release: str
    used: str | None = Field(description="the release that was used; null: none of it")


class SampleProjectView(View):
    """A project that a sample is in."""

    id: UUID
    name: str


class SampleView(View):
    """What a completed job leaves, of the account itself or shared by another one."""

    id: UUID
    name: str
    shared_by: str | None = Field(description="the account that the sample belongs to; null: your own")
    role: Literal["owner", "editor", "viewer"] = Field(description="`owner` of an own one, else as its projects say")
    projects: list[SampleProjectView] = Field(description="those of yours that it is in, by name")
    source_name: str = Field(description="the file as the user's machine called it")
    tags: list[str]
    job_id: UUID | None = Field(description="the job that made its newest version; null for one that is shared")
    records: int = Field(description="of the first dataset, as are the variants")
    variants: int
    bytes: int = Field(description="of all datasets of all versions")
    created_at: UtcTime
    purge_at: UtcTime | None = Field(description="of a deleted sample: until then it can be brought back")
    datasets: list[DatasetView] = Field(
        description="of the newest version: several when the file was split by sample, else one"
    )
    version: int = Field(description="the number of the newest version")
    versions: list[VersionView] = Field(description="the newest first")
    newer: list[NewerReleaseView] = Field(description="with what it would be annotated otherwise now")
    renewal_job_id: UUID | None = Field(description="the job that makes a new version now; null for one that is shared")


class SampleList(View):
    """A page of samples, newest first."""

    samples: list[SampleView]
    next: str | None = Field(description="the cursor of the next page; null on the last one")


class StorageView(View):
    """What an account's things take in the storage, in bytes."""

    samples: int = Field(description="how many there are, without deleted ones")
    tables: int = Field(description="bytes of all tables")
    originals: int = Field(description="bytes of the uploaded files that are kept")
    results: int = Field(description="bytes of the alignments and other files that were made of reads")
    begun: int = Field(description="bytes of uploads that are begun, as large as they will be")
    quota: int | None = Field(description="how much all of these may take; null: no limit")
    deleted: int = Field(description="samples that were deleted and can be brought back")


class SampleFileView(View):
    """A file that was made for a sample beside its tables."""

    name: str = Field(description="in the address of the file")
    download_name: str = Field(description="what a browser calls it")
    role: str = Field(
        description="alignment, alignment_index, variants, variants_index, genotyped, genotyped_index, quality or pgx"
    )
    bytes: int
    sha256: str | None = Field(description="where it was taken")


class SampleFileList(View):
    """The files of a sample."""

    files: list[SampleFileView]


class TableView(View):
    """A view of tables that was kept by name."""

    id: UUID
    name: str
    query: str = Field(description="filters, sort order and columns as they stand in the address of a table")
    created_at: UtcTime
    changed_at: UtcTime


class TableViewList(View):
    """The account's views, by name."""

    views: list[TableView]


class CredentialView(View):
    """A stored credential, without its secret: that is never told again."""

    id: UUID
    name: str
    kind: Literal["s3", "gcs", "azure_key", "azure_sas", "bearer"]
    scope: str = Field(
        description="where alone it is sent: `s3://BUCKET`, `az://ACCOUNT/CONTAINER`, `https://HOST:PORT`"
    )
    created_at: UtcTime
    changed_at: UtcTime = Field(description="when its secret was last stored")


class CredentialList(View):
    """The account's credentials, by name."""

    credentials: list[CredentialView]


class AccessTestView(View):
    """Whether a source lets us have a file."""

    ok: bool
    url: str = Field(description="without what could be secret")
    bytes: int | None = Field(description="the size of the file, where the source tells it")
    error: ErrorView | None = Field(description="why it does not")


def job_view(job: Job, place: Place | None = None, durations: Durations | None = None) -> JobView:
    """The JOB of the contract.

    Args:
        job: its row.
        place: where it stands; None for one that does not wait.
        durations: what stages took before; None: no time is foretold.
    """
    place = place if place is not None and job.state.value == "queued" else Place()
    return JobView.model_validate(
        {
            "id": job.id,
            "sample_name": job.sample_name,
            "source": {"kind": job.source_kind, "name": job.source_name, "bytes": job.source_total},
            "further_files": [part.name for part in job.source_files],
            "options": job.options,
            "state": job.state.value,
            "stage": job.stage.value if job.stage else None,
            "plan": [stage.value for stage in job.plan],
            "stages": [_stage_view(job, stage, durations or Durations()) for stage in job.plan],
            "attempts": list(job.attempts),
            "attempt": job.attempt,
            "max_attempts": job.max_attempts,
            "retry_at": job.retry_at,
            "queue_position": place.ahead,
            "held_up": _held_up_view(place),
            "priority": job.priority,
            "cancel_requested": job.cancel_requested_at is not None and job.is_active,
            "progress": job.progress,
            "records": job.records,
            "variants": job.variants,
            "warnings": list(job.warnings),
            "sample_id": job.sample_id,
            "renews_sample_id": job.renews_sample_id,
            "error": job.error,
            "message": job.message,
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "dismissed": job.dismissed_at is not None,
        }
    )


def _stage_view(job: Job, stage: Stage, durations: Durations) -> StageView:
    state = _stage_state(job, stage)
    last = next((tried for tried in reversed(job.attempts) if tried["stage"] == stage), None)
    if state == "running":
        times = {"began_at": job.claimed_at}
    elif last is not None and state != "waiting":
        times = {"began_at": last["began_at"], "seconds": last["seconds"]}
    else:
        times = {}
    open_ = state in {"running", "waiting"}
    expected = durations.expected(stage, job) if open_ and job.is_active else None
    return StageView.model_validate({"stage": stage.value, "state": state, **times, "expected_seconds": expected})


def _stage_state(job: Job, stage: Stage) -> str:
    here = job.plan.index(stage)
    reached = len(job.plan) if job.stage is None else job.plan.index(job.stage)
    if here != reached:
        return "done" if here < reached else "waiting"
    if job.attempt_token is not None:
        return "running"
    return job.state.value if job.is_final else "waiting"


def event_view(event: JobEvent) -> EventView:
    """One row of a job's history."""
    return EventView(
        id=event.id,
        at=event.at,
        state=event.state.value,
        stage=event.stage.value if event.stage else None,
        attempt=event.attempt,
        message=event.message,
    )


def _held_up_view(place: Place) -> HeldUpView | None:
    why = place.held_up
    return None if why is None else HeldUpView(cause=why.cause, message=why.message)


def place_view(places: Mapping[UUID, Place]) -> PlacesView:
    """The places of the account's waiting jobs."""
    held_up = {job_id: view for job_id, place in places.items() if (view := _held_up_view(place)) is not None}
    positions = {job_id: place.ahead for job_id, place in places.items() if place.ahead is not None}
    return PlacesView(positions=positions, held_up=held_up)


def stage_queue_views(stages: Iterable[StageQueue]) -> list[StageQueueView]:
    """Only stages that have slots or work are of interest to anyone."""
    return [
        StageQueueView(stage=one.stage.value, busy=one.busy, total=one.slots, waiting=one.waiting, delayed=one.delayed)
        for one in stages
        if one.slots or one.busy or one.waiting or one.delayed
    ]


def pause_view(pause: Pause) -> PauseView:
    """What is paused, and why."""
    return PauseView(
        stage=pause.stage.value if pause.stage else None,
        account=pause.account_name,
        reason=pause.reason,
        paused_at=pause.paused_at,
    )


def worker_view(worker: WorkerState) -> WorkerView:
    """What a worker is doing."""
    return WorkerView.model_validate(
        {
            "id": worker.id,
            "host": worker.host,
            "pid": worker.pid,
            "version": worker.version,
            "slots": worker.slots,
            "stages_at_once": worker.stages_at_once,
            "busy": worker.busy,
            "engines": worker.engines,
            "low_disk": worker.low_disk,
            "started_at": worker.started_at,
            "heartbeat_age": round(max(0.0, worker.silence), 1),
        }
    )
