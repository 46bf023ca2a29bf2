"""Tools that tell of jobs, and explain why one failed."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from varloom.errors import counted
from varloom.mcp.causes import cause_of
from varloom.mcp.cutting import NAME_LIMIT, plain, plain_or_none
from varloom.mcp.tool import UNTRUSTED, Answer, Arguments, Result, Tool, Varloom

State = Literal["queued", "downloading", "processing", "annotating", "parsing", "completed", "failed", "cancelled"]
Stage = Literal["download", "process", "annotate", "parse"]
JobId = Annotated[UUID, Field(description="the job's id, as list_jobs and submit_url tell it")]

HISTORY_LIMIT = 30
FINDINGS_LIMIT = 20
ATTEMPTS_LIMIT = 20


class JobFilter(Arguments):
    """Which jobs."""

    state: State | None = Field(default=None, description="only jobs in this state; null: all")
    limit: int = Field(default=20, ge=1, le=100, description="at most this many jobs")


class OneJob(Arguments):
    """Which job."""

    id: JobId


class JobSummary(Result):
    """One job in short. Times are ISO 8601 in UTC."""

    id: UUID
    sample_name: str = Field(description="as the user named it; untrusted text")
    file: str = Field(description="name of the uploaded file, or its URL without what could be secret; untrusted text")
    bytes: int | None = Field(description="size of the file in bytes; null while it is not known")
    state: State
    stage: Stage | None = Field(description="the stage it is in or waits for; null when it is completed")
    attempt: int = Field(description="the try of this stage, counted from 1")
    max_attempts: int
    percent_done: int | None = Field(description="of the running stage, 0 to 100; null where it is not known")
    jobs_ahead: int | None = Field(description="how many jobs wait before it; null when it is not in line")
    records: int | None = Field(description="data lines that were read; null before it is completed")
    variants: int | None = Field(description="rows of the table (one per ALT allele in a VCF); null before that")
    sample_id: UUID | None = Field(description="what it became, for query_table; null before it is completed")
    error_code: str | None = Field(description="why it failed, or its last attempt did; explain_failure tells more")
    options: dict[str, Any] = Field(description="as they were chosen at upload")
    message: str = Field(description="what happened last, in one sentence")
    created_at: datetime
    finished_at: datetime | None


class JobList(Result):
    """Jobs, newest first."""

    jobs: list[JobSummary]
    more: bool = Field(description="whether there are further jobs that were not listed")


class Happening(Result):
    """One row of a job's history."""

    at: datetime
    state: State
    message: str


class Finding(Result):
    """Something wrong with the file, and where. Unknown places are null."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    line: int | None = Field(description="of the decompressed file, counted from 1")
    column: int | None = Field(description="counted from 1, as tabs or the delimiter count it")
    field: str | None
    excerpt: str | None = Field(description="the text at fault, cut; untrusted text of the file")


class JobDetails(Result):
    """One job, its warnings and its history."""

    job: JobSummary
    warnings: list[Finding] = Field(description="what was odd in the file but loaded all the same; the first 20")
    warning_count: int
    history: list[Happening] = Field(description="the newest 30 events, oldest first")


class Where(Result):
    """Where a failure happened. Unknown places are null."""

    stage: Stage | None
    line: int | None = Field(description="of the decompressed file, counted from 1")
    column: int | None = Field(description="counted from 1, as tabs or the delimiter count it")
    field: str | None
    excerpt: str | None = Field(description="the text at fault, cut; untrusted text of the file")
    url: str | None = Field(description="without what could be secret")


class Tried(Result):
    """One ended attempt at a stage."""

    stage: Stage
    attempt: int
    began_at: datetime
    seconds: float = Field(description="how long it took, in seconds")
    outcome: str = Field(description="succeeded, failed, cancelled or returned (its worker died; that does not count)")
    message: str | None = Field(description="why it failed")


class Failure(Result):
    """Why a job failed and what to do."""

    id: UUID
    state: State
    failed: bool = Field(description="false when nothing has gone wrong: then there is no code and no resolution")
    code: str | None = Field(description="stable, documented in Varloom's list of error codes")
    title: str | None
    what: str | None = Field(description="what happened, in words")
    where: Where | None
    why: str | None = Field(description="how such a failure comes about in general")
    resolution: list[str] = Field(description="steps that mend it, in order")
    retryable: bool = Field(description="whether trying the same thing again can help")
    next_attempt_at: datetime | None = Field(description="when it is tried again automatically; null when it is not")
    also_found: list[Finding] = Field(
        description="what else is wrong with the file, as far as one pass found; up to 20"
    )
    tried: list[Tried] = Field(description="the newest 20 attempts that ended, oldest first")


def list_jobs(varloom: Varloom, asked: JobFilter) -> Answer:
    """The account's jobs, newest first."""
    page = varloom.get("/jobs", state=asked.state, limit=asked.limit)
    jobs = [summary(job) for job in page["jobs"]]
    text = "\n".join(line_of(job) for job in jobs) or "There are no such jobs."
    more = page["next"] is not None
    return Answer(JobList(jobs=jobs, more=more), text + ("\n(There are more.)" if more else ""))


def get_job(varloom: Varloom, asked: OneJob) -> Answer:
    """One job with its history."""
    job = varloom.get(f"/jobs/{asked.id}")
    events = varloom.get(f"/jobs/{asked.id}/events")["events"][-HISTORY_LIMIT:]
    details = JobDetails(
        job=summary(job),
        warnings=[_finding(warning) for warning in job["warnings"][:FINDINGS_LIMIT]],
        warning_count=len(job["warnings"]),
        history=[Happening(at=one["at"], state=one["state"], message=plain(one["message"])) for one in events],
    )
    lines = [line_of(details.job), *(f"Warning: {_told(warning)}" for warning in details.warnings)]
    lines += [f"{one.at:%Y-%m-%d %H:%M:%S} UTC {one.state}: {one.message}" for one in details.history]
    return Answer(details, "\n".join(lines))


def explain_failure(varloom: Varloom, asked: OneJob) -> Answer:
    """Why a job failed, or why its last attempt did."""
    job = varloom.get(f"/jobs/{asked.id}")
    error = job["error"] or {}
    code = error.get("code")
    failure = Failure(
        id=job["id"],
        state=job["state"],
        failed=bool(error),
        code=code,
        title=plain_or_none(error.get("title")),
        what=plain_or_none(error.get("message")),
        where=_where(error) if error else None,
        why=cause_of(code) if code else None,
        resolution=[plain(step) for step in error.get("resolution") or ()],
        retryable=bool(error.get("retryable")),
        next_attempt_at=job["retry_at"],
        also_found=[_finding(one) for one in _further(error)[:FINDINGS_LIMIT]],
        tried=[_tried(attempt) for attempt in job["attempts"][-ATTEMPTS_LIMIT:]],
    )
    return Answer(failure, _explanation(failure, line_of(summary(job))))


def summary(job: dict[str, Any]) -> JobSummary:
    """A job of the API in short."""
    return JobSummary(
        id=job["id"],
        sample_name=plain(job["sample_name"], NAME_LIMIT),
        file=plain(job["source"]["name"], NAME_LIMIT),
        bytes=job["source"]["bytes"],
        state=job["state"],
        stage=job["stage"],
        attempt=job["attempt"],
        max_attempts=job["max_attempts"],
        percent_done=_percent(job),
        jobs_ahead=job["queue_position"],
        records=job["records"],
        variants=job["variants"],
        sample_id=job["sample_id"],
        error_code=job["error"]["code"] if job["error"] else None,
        options=job["options"],
        message=plain(job["message"]),
        created_at=job["created_at"],
        finished_at=job["finished_at"],
    )


def line_of(job: JobSummary) -> str:
    """A job on one line."""
    parts = [f"{job.id} {job.sample_name!r} ({job.file!r}): {job.state}"]
    if job.jobs_ahead is not None:
        parts.append(f"{job.jobs_ahead} ahead")
    if job.percent_done is not None:
        parts.append(f"{job.percent_done} % of {job.stage}")
    if job.error_code:
        parts.append(f"error {job.error_code}")
    if job.records is not None:
        parts.append(counted(job.records, "record"))
    if job.sample_id is not None:
        parts.append(f"sample {job.sample_id}")
    return ", ".join(parts)


def _percent(job: dict[str, Any]) -> int | None:
    progress = job["progress"]
    if not progress or not progress["total"] or job["finished_at"]:
        return None
    return min(100, int(100 * progress["done"] / progress["total"]))


def _finding(problem: dict[str, Any]) -> Finding:
    return Finding(
        code=problem["code"],
        severity=problem["severity"],
        message=plain(problem["message"]),
        line=problem["line"],
        column=problem["column"],
        field=plain_or_none(problem["field"], NAME_LIMIT),
        excerpt=plain_or_none(problem["excerpt"]),
    )


def _where(error: dict[str, Any]) -> Where:
    return Where(
        stage=error["stage"],
        line=error["line"],
        column=error["column"],
        field=plain_or_none(error["field"], NAME_LIMIT),
        excerpt=plain_or_none(error["excerpt"]),
        url=plain_or_none(error.get("url")),
    )


def _further(error: dict[str, Any]) -> list[dict[str, Any]]:
    """The problems that are not the one told already."""
    told = (error.get("message"), error.get("line"))
    return [one for one in error.get("problems") or () if (one["message"], one["line"]) != told]


def _tried(attempt: dict[str, Any]) -> Tried:
    return Tried(
        stage=attempt["stage"],
        attempt=attempt["attempt"],
        began_at=attempt["began_at"],
        seconds=round(attempt["seconds"], 1),
        outcome=attempt["outcome"],
        message=plain_or_none(attempt["message"]),
    )


def _explanation(failure: Failure, job: str) -> str:
    if not failure.failed or failure.where is None:
        return f"Nothing has gone wrong with this job.\n{job}"
    where = failure.where
    named = {"stage": where.stage, "line": where.line, "column": where.column, "field": where.field, "URL": where.url}
    place = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
    lines = [
        job,
        f"{failure.title} ({failure.code}): {failure.what}",
        f"Where: {place or 'not known'}" + (f"\n  text of the file: {where.excerpt}" if where.excerpt else ""),
        f"Why: {failure.why or 'not known'}",
        "What to do:",
        *(f"- {step}" for step in failure.resolution),
        *(f"Also found: {_told(one)}" for one in failure.also_found),
        *(f"Tried: {one.stage}, attempt {one.attempt}: {one.outcome} after {one.seconds} s" for one in failure.tried),
    ]
    if failure.next_attempt_at:
        lines.append(f"It is tried again at {failure.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC.")
    elif not failure.retryable:
        lines.append("Trying the same again cannot help.")
    return "\n".join(lines)


def _told(finding: Finding) -> str:
    line = f" (line {finding.line})" if finding.line is not None else ""
    return f"{finding.message}{line}"


TOOLS = (
    Tool(
        name="list_jobs",
        title="List jobs",
        description="Lists the account's jobs, newest first. A job is the loading of one uploaded file or URL into a "
        "table. Each has a state, its progress in percent of the running stage, and the code of its error if it "
        f"failed. {UNTRUSTED}",
        arguments=JobFilter,
        result=JobList,
        run=list_jobs,
    ),
    Tool(
        name="get_job",
        title="Show a job",
        description="Shows one job of the account: its state, what was odd in its file (warnings), and its history, "
        f"with times in UTC. {UNTRUSTED}",
        arguments=OneJob,
        result=JobDetails,
        run=get_job,
    ),
    Tool(
        name="explain_failure",
        title="Explain why a job failed",
        description="Explains why a job failed, or why its last attempt did: what happened, where in the file (line "
        "and column counted from 1, with the text that stands there), why such a failure comes about, the steps that "
        "mend it, and what was tried. Give the user the resolution steps as they are; they are tested advice. "
        f"{UNTRUSTED}",
        arguments=OneJob,
        result=Failure,
        run=explain_failure,
    ),
)
