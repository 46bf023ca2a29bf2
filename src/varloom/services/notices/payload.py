"""What a webhook is told, as JSON; the schema in the documentation is made of these shapes."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from varloom.services.views import UtcTime


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class ToldError(_Told):
    """Why a job failed; details, which could repeat the file, stand on the job's page alone."""

    code: str = Field(description="one of the list of error codes")
    title: str
    stage: str | None = Field(description="`download`, `process`, `annotate` or `parse`")


class ToldJob(_Told):
    """A job as it was when it ended."""

    job_id: UUID
    state: Literal["completed", "failed"]
    sample_id: UUID | None = Field(description="the table that it made; null for a failed job")
    sample_name: str | None = Field(description="null unless the server tells names (setting `notice_names`)")
    records: int | None
    variants: int | None
    error: ToldError | None = Field(description="null for a completed job")
    created_at: UtcTime
    finished_at: UtcTime
    url: str | None = Field(description="the job's page; null unless the server knows its own address (`public_url`)")


class ToldTest(_Told):
    """What a test tells."""

    message: str


class JobNotice(_Told):
    """A job has ended."""

    type: Literal["job.completed", "job.failed"]
    timestamp: UtcTime = Field(description="when it ended")
    data: ToldJob


class TestNotice(_Told):
    """Somebody has pressed *Send a test*."""

    __test__ = False  # it is no test of ours

    type: Literal["test"]
    timestamp: UtcTime
    data: ToldTest


def told_job(event: dict[str, Any], *, names: bool, public_url: str | None) -> ToldJob:
    """The job of a notice as others are told of it.

    Args:
        event: as the database noted it.
        names: whether sample names are told.
        public_url: where people reach the server.
    """
    failed = event["state"] == "failed"
    error = ToldError(code=event["code"] or "", title=event["title"] or "", stage=event["stage"]) if failed else None
    return ToldJob(
        job_id=event["job_id"],
        state=event["state"],
        sample_id=event["sample_id"],
        sample_name=event["sample_name"] if names else None,
        records=event["records"],
        variants=event["variants"],
        error=error,
        created_at=event["created_at"],
        finished_at=event["finished_at"],
        url=f"{public_url}/jobs/{event['job_id']}" if public_url else None,
    )


def body_of(job: ToldJob) -> bytes:
    """The body of a call, the same at each attempt."""
    kind: Literal["job.completed", "job.failed"] = "job.failed" if job.state == "failed" else "job.completed"
    return JobNotice(type=kind, timestamp=job.finished_at, data=job).model_dump_json().encode()


def test_body(at: datetime) -> bytes:
    """The body of a test."""
    data = ToldTest(message="This is a test. No job has ended.")
    return TestNotice(type="test", timestamp=at, data=data).model_dump_json().encode()


test_body.__test__ = False  # type: ignore[attr-defined]
