"""The frozen records of the engine: what a job, an event and a claim are."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self
from uuid import UUID

from varloom.jobs.lifecycle import ACTIVE, FINAL, Stage, State

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is needed to create a job for an upload."""

    account_id: UUID
    upload_id: UUID
    sample_name: str
    plan: tuple[Stage, ...]
    options: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    idempotency_key: str | None = None
    max_attempts: int = 4
    plan_version: int = 1
    renews_sample_id: UUID | None = None  # the sample of whose tables it makes a new version


class SourcePart(NamedTuple):
    """A file of an upload beside its first.

    Attributes:
        position: from 2 on; the first is the upload itself.
        name: as the user's machine called it.
        url: as it may be shown, for a file from a URL.
        bytes, sha256: None until it is here.
        key: where the bytes lie in the storage.
    """

    position: int
    name: str
    url: str | None
    bytes: int | None
    sha256: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """One row of `jobs`, with what a reader wants to know of its upload. Times are aware and in UTC."""

    id: UUID
    account_id: UUID
    upload_id: UUID
    sample_name: str
    options: dict[str, Any]
    plan: tuple[Stage, ...]
    priority: int
    state: State
    stage: Stage | None
    attempt: int  # counted from 1; while queued for a retry, the attempt to come
    max_attempts: int
    run_after: datetime
    message: str
    error: dict[str, Any] | None
    attempt_token: UUID | None
    worker_id: UUID | None
    claimed_at: datetime | None
    progress: dict[str, Any] | None  # {"done", "total", "unit", "rate", "eta_seconds"}
    cancel_requested_at: datetime | None
    artefacts: dict[str, Any]  # by stage: what it left for the next
    warnings: tuple[dict[str, Any], ...]
    records: int | None
    variants: int | None
    sample_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    dismissed_at: datetime | None
    plan_version: int = 1  # a worker that does not know it leaves the job to others
    attempts: tuple[dict[str, Any], ...] = ()  # those that ended: {"stage", "attempt", "began_at", "seconds", ...}
    suspected_at: datetime | None = None  # a worker died with its stage: it runs beside no other suspect
    idempotency_key: str | None = None
    renews_sample_id: UUID | None = None  # the sample of whose tables it makes a new version
    source_kind: str = "file"
    source_name: str = ""
    source_url: str | None = None
    source_bytes: int | None = None
    source_sha256: str | None = None
    source_key: str | None = None  # where the bytes lie in the storage
    source_files: tuple[SourcePart, ...] = ()  # those beside the first, in their order

    @property
    def source_total(self) -> int | None:
        """The bytes of all files of the upload; None while one of them is not known."""
        sizes = [self.source_bytes, *(part.bytes for part in self.source_files)]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    @property
    def is_final(self) -> bool:
        """Whether it has come to rest."""
        return self.state in FINAL

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    @property
    def retry_at(self) -> datetime | None:
        """When its next automatic attempt is due, while it waits for one."""
        return self.run_after if self.state is State.QUEUED and self.attempt > 1 else None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build from a database row, or from the JSON snapshot of an event, whose times and ids are text."""
        values = {name: row[name] for name in _JOB_FIELDS if name in row}
        for name in _UUIDS:
            if isinstance(values.get(name), str):
                values[name] = UUID(values[name])
        for name in _TIMES:
            if isinstance(values.get(name), str):
                values[name] = datetime.fromisoformat(values[name])
        values["state"] = State(values["state"])
        values["stage"] = Stage(values["stage"]) if values["stage"] else None
        values["plan"] = tuple(Stage(stage) for stage in values["plan"])
        values["warnings"] = tuple(values["warnings"])
        values["attempts"] = tuple(values.get("attempts", ()))
        values["source_files"] = tuple(SourcePart(**part) for part in values.get("source_files", ()))
        return cls(**values)


_JOB_FIELDS = tuple(item.name for item in fields(Job))
_UUIDS = ("id", "account_id", "upload_id", "attempt_token", "worker_id", "sample_id", "renews_sample_id")
_TIMES = tuple(name for name in _JOB_FIELDS if name.endswith("_at") or name == "run_after")


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One row of a job's history. `id` counts within the account, without gaps, in the order of commits."""

    id: int
    job_id: UUID
    at: datetime
    state: State
    stage: Stage | None
    attempt: int
    message: str
    job: Job  # as it was then


@dataclass(frozen=True, slots=True)
class Claim:
    """A stage that this worker holds: only the bearer of `token` may settle it."""

    job: Job
    stage: Stage
    token: UUID


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """What the processes of one attempt said."""

    stage: Stage
    attempt: int
    began_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class HeldStage:
    """A claim as the database knows it."""

    job_id: UUID
    stage: Stage
    token: UUID
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class HeldUp:
    """Why a job that waits is not in line."""

    cause: Literal["paused", "plan_unknown", "no_slots", "no_engine", "disk_low"]
    message: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a waiting job stands."""

    ahead: int | None = None  # how many jobs, of anyone, go before it; None: it is not in line, or far behind
    held_up: HeldUp | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A stage, or an account's jobs, of which nothing is claimed until it is resumed."""

    stage: Stage | None
    account_id: UUID | None
    account_name: str | None
    reason: str | None
    paused_at: datetime


@dataclass(frozen=True, slots=True)
class StageQueue:
    """How one stage stands: slots of all living workers, and jobs that wait for one."""

    stage: Stage
    slots: int
    busy: int
    waiting: int
    delayed: int  # waiting for the time of their retry


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker as the database knows it."""

    id: UUID
    host: str
    pid: int
    version: str
    slots: dict[str, int]
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker is doing."""

    id: UUID
    host: str
    pid: int
    version: str
    slots: dict[str, int]
    stages_at_once: int | None
    busy: dict[str, int]  # by stage: how many it runs
    started_at: datetime
    engines: list[dict[str, Any]]  # {"name", "version", "callers", "reason"}; reason: why it cannot run
    low_disk: str | None  # why it begins nothing
    silence: float  # seconds since its last heartbeat, by the clock of the database
