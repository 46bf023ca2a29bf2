"""The answers of the API. Written by `scripts/write_client.py` from the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedVariant:
    """What is known of one variant.

    Attributes:
        input: as it was asked for
        variant: null where the text was not understood
        error: why it was not
        annotation: values by column, as the columns of an annotated table are called
        synthetic: whether it is a variant of the demonstration, of which all that is told is made
        not_annotated: by source, why that one says nothing of the variant
    """

    input: str
    variant: VariantPlace | None
    error: JobError | None
    annotation: dict[str, Any]
    synthetic: bool
    not_annotated: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedVariants:
    """What is known of several variants, in the order in which they were asked for.

    Attributes:
        releases: the reference data that was used
    """

    assembly: str
    releases: tuple[Release, ...]
    variants: tuple[AnnotatedVariant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One ended attempt at a stage.

    Attributes:
        outcome: `returned`: its worker stopped or died; it does not count
        code: of the error that ended it
    """

    stage: Literal["download", "process", "annotate", "parse"]
    attempt: int
    began_at: datetime
    seconds: float
    outcome: Literal["succeeded", "failed", "cancelled", "returned"]
    code: str | None
    title: str | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs from the version before in the columns of annotation; those that are the same are left out.

    Attributes:
        added: columns that the version before does not have
    """

    columns: dict[str, ColumnChanges]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        kind: what its values can be compared with
        list: whether a cell holds a list
        field: the INFO or FORMAT key
        virtual: whether it is an element of a column that holds all samples
    """

    name: str
    type: str
    kind: Literal["number", "text", "flag"] | None
    list: bool
    origin: str
    description: str | None
    sample: str | None
    field: str | None
    virtual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChanges:
    """How many rows have another value in one column than in the version before.

    Attributes:
        gained: had no value before
        lost: have no value any more
    """

    changed: int
    gained: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnList:
    """The columns of a table, in order.

    Attributes:
        synthetic: whether the annotation is of the demonstration data, in which nothing is real
        rows: of the table, in this view
        can_be_split: whether the view `split` can be asked for: a row for each gene of a variant
    """

    columns: tuple[Column, ...]
    synthetic: bool
    rows: int
    can_be_split: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rows a filter selects."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One table of a sample.

    Attributes:
        name: the sample's name in the file where that was split, else the sample's own
        variants: rows of the table
    """

    id: UUID
    name: str
    format: str
    assembly: Literal["GRCh37", "GRCh38"] | None
    records: int
    variants: int
    bytes: int
    content_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demonstration data.

    Attributes:
        installed: whether all of it is
        releases: of it that are installed
        files: the names of the files to load: small variants, and structural ones
    """

    installed: bool
    releases: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """The history of a job, oldest first."""

    events: tuple[HistoryEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """A value and how many rows have it."""

    value: Any
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """The most frequent values of a column.

    Attributes:
        distinct: how many different values there are
        missing: rows without a value
    """

    column: str
    values: tuple[FacetValue, ...]
    distinct: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldUp:
    """Why a job that waits is not served.

    Attributes:
        message: one sentence for people
    """

    cause: Literal["paused", "plan_unknown", "no_slots", "no_engine", "disk_low"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One row of a job's history."""

    id: int
    at: datetime
    state: Literal["queued", "downloading", "processing", "annotating", "parsing", "completed", "failed", "cancelled"]
    stage: Literal["download", "process", "annotate", "parse"] | None
    attempt: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job, whole.

    Attributes:
        further_files: names of the other files, where there are several
        stage: the stage it is in or waits for; null when completed
        plan: the stages of this job, in order
        stages: the same stages, with what each took or will take
        attempt: the try of this stage, counted from 1
        retry_at: when the next automatic attempt is due
        queue_position: how many jobs are ahead of it; null when it is not in line, or is far behind
        held_up: why a job that waits is not served, whatever its place
        attempts: the newest fifty attempts that ended, oldest first, of all retries
        renews_sample_id: the sample of whose table it makes a new version; null: it makes a sample
        message: what happened last, in one sentence
    """

    id: UUID
    sample_name: str
    source: JobSource
    further_files: tuple[str, ...]
    options: dict[str, Any]
    state: Literal["queued", "downloading", "processing", "annotating", "parsing", "completed", "failed", "cancelled"]
    stage: Literal["download", "process", "annotate", "parse"] | None
    plan: tuple[Literal["download", "process", "annotate", "parse"], ...]
    stages: tuple[Stage, ...]
    attempt: int
    max_attempts: int
    retry_at: datetime | None
    queue_position: int | None
    held_up: HeldUp | None
    attempts: tuple[Attempt, ...]
    priority: int
    cancel_requested: bool
    progress: Progress | None
    records: int | None
    variants: int | None
    warnings: tuple[Problem, ...]
    sample_id: UUID | None
    renews_sample_id: UUID | None
    error: JobError | None
    message: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    dismissed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed, or why its last attempt did.

    Attributes:
        problems: what else the same pass found
    """

    code: str
    title: str
    message: str
    stage: Literal["download", "process", "annotate", "parse"] | None
    line: int | None
    column: int | None
    field: str | None
    excerpt: str | None
    url: str | None
    resolution: tuple[str, ...]
    retryable: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """A page of jobs, newest first.

    Attributes:
        next: the cursor of the next page; null on the last one
    """

    jobs: tuple[Job, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """Where a job's bytes come from.

    Attributes:
        name: as the user's machine called it; of several files the first
        bytes: size of all files as they were sent; null while it is not known
    """

    kind: Literal["file", "url"]
    name: str
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a project.

    Attributes:
        account: the account's name
        active: false: the account was deactivated, and cannot log in; its samples stay
        samples: how many of its samples are in the project
    """

    account: str
    role: Literal["owner", "editor", "viewer"]
    added_at: datetime
    active: bool
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingReference:
    """What full annotation of an assembly needs and is not installed. Varloom fetches none of it by itself.

    Attributes:
        gives: what it adds to a table
        url: where it is published
        bytes: about how large the published file is
    """

    name: str
    kind: str
    assembly: Literal["GRCh38", "GRCh37"]
    title: str
    gives: str
    licence: str
    url: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerRelease:
    """Reference data that is installed now, and that the newest version was not annotated with.

    Attributes:
        title: for people
        used: the release that was used; null: none of it
    """

    kind: str
    name: str
    title: str
    release: str
    used: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding in a file; unknown places are null."""

    code: str
    severity: Literal["error", "warning"]
    line: int | None
    column: int | None
    field: str | None
    message: str
    excerpt: str | None
    resolution: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the running stage is.

    Attributes:
        rate: units a second
    """

    done: float
    total: float | None
    unit: str
    rate: float | None
    eta_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project in short.

    Attributes:
        role: your own
        members: how many there are
        samples: how many there are, without deleted ones
    """

    id: UUID
    name: str
    role: Literal["owner", "editor", "viewer"]
    created_at: datetime
    members: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectDetails:
    """A project and its members: owners first. Its samples are listed by `GET /samples?project=`."""

    project: Project
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectList:
    """The projects of which the account is a member, by name."""

    projects: tuple[Project, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An installed release.

    Attributes:
        kind: genes, fasta, variants, scores, structural, dosage, mane or pgx
        bytes: of the installed files
        sha256: of the published file; of a list of checksums and names where there are several
        source: the URL or the name of the published file
        rows: variants that can be looked up; null where the release has none
        synthetic: whether it is of the demonstration: synthetic data, which serves its own files alone
        notes: what has to be known of it, such as that indels are not left-aligned
    """

    name: str
    kind: str
    assembly: Literal["GRCh38", "GRCh37"]
    release: str
    bytes: int
    sha256: str
    added_at: datetime
    licence: str | None
    source: str
    rows: int | None
    synthetic: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The library of reference data."""

    installed: tuple[Reference, ...]
    missing: tuple[MissingReference, ...]
    demo: Demo


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of reference data."""

    kind: str
    name: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """A page of rows.

    Attributes:
        rows: a row is an object by column name; `rowno` is always there
        offset: how many selected rows stand before the page
        total: how many rows the filter selects
        next: the cursor of the next page; null on the last one
    """

    rows: tuple[dict[str, Any], ...]
    offset: int
    total: int
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a completed job leaves, of the account itself or shared by another one.

    Attributes:
        shared_by: the account that the sample belongs to; null: your own
        role: `owner` of an own one, else as its projects say
        projects: those of yours that it is in, by name
        source_name: the file as the user's machine called it
        job_id: the job that made its newest version; null for one that is shared
        records: of the first dataset, as are the variants
        bytes: of all datasets of all versions
        purge_at: of a deleted sample: until then it can be brought back
        datasets: of the newest version: several when the file was split by sample, else one
        version: the number of the newest version
        versions: the newest first
        newer: with what it would be annotated otherwise now
        renewal_job_id: the job that makes a new version now; null for one that is shared
    """

    id: UUID
    name: str
    shared_by: str | None
    role: Literal["owner", "editor", "viewer"]
    projects: tuple[SampleProject, ...]
    source_name: str
    tags: tuple[str, ...]
    job_id: UUID | None
    records: int
    variants: int
    bytes: int
    created_at: datetime
    purge_at: datetime | None
    datasets: tuple[Dataset, ...]
    version: int
    versions: tuple[Version, ...]
    newer: tuple[NewerRelease, ...]
    renewal_job_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleList:
    """A page of samples, newest first.

    Attributes:
        next: the cursor of the next page; null on the last one
    """

    samples: tuple[Sample, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProject:
    """A project that a sample is in."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a job's plan.

    Attributes:
        began_at: when its last attempt began
        seconds: how long its last attempt took; null until it ended
        expected_seconds: how long it takes by the account's earlier files of that size; null while unknown
    """

    stage: Literal["download", "process", "annotate", "parse"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    began_at: datetime | None
    seconds: float | None
    expected_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What an account's things take in the storage, in bytes.

    Attributes:
        samples: how many there are, without deleted ones
        tables: bytes of all tables
        originals: bytes of the uploaded files that are kept
        results: bytes of the alignments and other files that were made of reads
        begun: bytes of uploads that are begun, as large as they will be
        quota: how much all of these may take; null: no limit
        deleted: samples that were deleted and can be brought back
    """

    samples: int
    tables: int
    originals: int
    results: int
    begun: int
    quota: int | None
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What can be told of a token later."""

    id: UUID
    label: str
    scope: Literal["read", "submit", "full"]
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenList:
    """The tokens that can be used, newest first."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSecret:
    """A token that was just made. It cannot be shown again."""

    label: str
    scope: Literal["read", "submit", "full"]
    expires_at: datetime | None
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantPlace:
    """A variant at its place, as it was understood.

    Attributes:
        position: 1-based, of the first base of `ref`
    """

    contig: str
    position: int
    ref: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a sample's tables. None is ever changed.

    Attributes:
        version: counted from 1
        job_id: the job that made it
        annotate: the kind of its annotation
        releases: of the reference data that was used, such as `variants clinvar`
        changes: null where there is nothing to compare with
        datasets: several when the file was split by sample, else one
    """

    version: int
    created_at: datetime
    job_id: UUID | None
    annotate: Literal["small", "structural"] | None
    releases: dict[str, str]
    changes: Changes | None
    datasets: tuple[Dataset, ...]
