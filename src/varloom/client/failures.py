"""Jobs that ended otherwise than they should, as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.client.problems import JOB_CANCELLED
from varloom.errors import ErrorKind, Place, Problem, Severity, VarloomError

if TYPE_CHECKING:
    from varloom.client.models import Job, JobError
    from varloom.client.models import Problem as ToldProblem


class JobFailed(VarloomError):  # noqa: N818 - it says what happened
    """A job ended as Failed. `code`, `title`, `message`, `place` and `resolution` say why, and `job` is all of it."""

    job: Job

    def __init__(self, job: Job, error: JobError) -> None:
        kind = ErrorKind(error.code, error.title, "", error.resolution, error.retryable)
        place = Place(error.line, error.column, error.field, error.excerpt, error.url)
        problems = tuple(_problem(told) for told in error.problems)
        super().__init__(kind, error.message, place, error.resolution, problems)
        self.job = job

    @property
    def stage(self) -> str | None:
        """The stage that failed."""
        return self.job.error.stage if self.job.error is not None else None


class JobCancelled(VarloomError):  # noqa: N818 - as above
    """A job that was waited for was cancelled; `job` is all of it."""

    job: Job

    def __init__(self, job: Job) -> None:
        super().__init__(JOB_CANCELLED, f"{job.sample_name}: the job was cancelled.")
        self.job = job


def completed(job: Job) -> Job:
    """A job that ended, if it is completed.

    Raises:
        JobFailed: it failed.
        JobCancelled: it was cancelled.
    """
    if job.state == "failed" and job.error is not None:
        raise JobFailed(job, job.error)
    if job.state == "cancelled":
        raise JobCancelled(job)
    return job


def _problem(told: ToldProblem) -> Problem:
    kind = ErrorKind(told.code, "", "", told.resolution)
    severity = Severity.WARNING if told.severity == "warning" else Severity.ERROR
    return Problem(kind, told.message, severity, Place(told.line, told.column, told.field, told.excerpt))
