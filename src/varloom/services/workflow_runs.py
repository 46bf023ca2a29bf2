"""Jobs as runs, and their attempts as tasks, of GA4GH's Workflow Execution Service 1.1: the shapes of its answers."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from varloom.jobs.lifecycle import State
from varloom.services.run_states import run_state

if TYPE_CHECKING:
    from datetime import datetime

    from varloom.services.views import AttemptView, JobView

WORKFLOW_TYPE = "VARLOOM"
WORKFLOW_TYPE_VERSION = "1"
"""Of what a run's `request` holds; another meaning gets another version."""

_FAILED_EXIT = 1


def state_of(job: JobView) -> str:
    """The state of a run."""
    may_succeed = job.error is not None and job.error.retryable
    return run_state(State(job.state), is_stopping=job.cancel_requested, may_succeed=may_succeed).value


def run_status(job: JobView) -> dict[str, Any]:
    """A RunStatus."""
    return {"run_id": str(job.id), "state": state_of(job)}


def run_summary(job: JobView) -> dict[str, Any]:
    """A RunSummary."""
    return {**run_status(job), **_times(job.started_at, job.finished_at), "tags": _tags(job)}


def run_log(job: JobView, address: str) -> dict[str, Any]:
    """A RunLog.

    Args:
        job: the job.
        address: that of the server, with which addresses begin.
    """
    return {
        **run_status(job),
        "request": {
            "workflow_type": WORKFLOW_TYPE,
            "workflow_type_version": WORKFLOW_TYPE_VERSION,
            "workflow_url": f"urn:varloom:plan:{':'.join(job.plan)}",
            "workflow_params": {"source": job.source.model_dump(mode="json"), "options": job.options},
            "tags": _tags(job),
        },
        "run_log": {
            "name": job.sample_name,
            **_times(job.started_at, job.finished_at),
            **({"exit_code": 0 if job.state == "completed" else _FAILED_EXIT} if job.finished_at else {}),
            "stderr": f"{address}/api/v1/jobs/{job.id}/report",
            "system_logs": _system_logs(job),
        },
        "task_logs_url": f"{address}/ga4gh/wes/v1/runs/{job.id}/tasks",
        "task_logs": None,
        "outputs": _outputs(job, address),
    }


def task_logs(job: JobView) -> list[dict[str, Any]]:
    """The TaskLogs of a run: each attempt at a stage that has ended, oldest first, and the one that runs."""
    running = [
        {"id": _task_id(stage.stage, stage.began_at), "name": stage.stage, **_times(stage.began_at)}
        for stage in job.stages
        if stage.state == "running" and stage.began_at is not None
    ]
    return [*(_task_log(one) for one in job.attempts), *running]


def _task_log(attempt: AttemptView) -> dict[str, Any]:
    ended_at = attempt.began_at + timedelta(seconds=attempt.seconds)
    told = [f"{attempt.code}: {attempt.message}"] if attempt.code else []
    return {
        "id": _task_id(attempt.stage, attempt.began_at),
        "name": attempt.stage,
        **_times(attempt.began_at, ended_at),
        "exit_code": 0 if attempt.outcome == "succeeded" else _FAILED_EXIT,
        "system_logs": [f"attempt {attempt.attempt}: {attempt.outcome}", *told],
    }


def _task_id(stage: str, began_at: datetime) -> str:
    """What names an attempt for good: no two attempts at a stage of a job begin in the same microsecond."""
    return f"{stage}-{int(began_at.timestamp() * 1_000_000)}"


def _tags(job: JobView) -> dict[str, str]:
    return {"sample_name": job.sample_name, "source_name": job.source.name, "state": job.state}


def _outputs(job: JobView, address: str) -> dict[str, Any]:
    if job.sample_id is None:
        return {}
    return {
        "sample_id": str(job.sample_id),
        "records": job.records,
        "variants": job.variants,
        "table": f"{address}/api/v1/samples/{job.sample_id}/export?format=parquet",
        "files": f"{address}/api/v1/samples/{job.sample_id}/files",
    }


def _system_logs(job: JobView) -> list[str]:
    """What happened last; of a failure its code, its place and what to do."""
    error = job.error
    if error is None:
        return [job.message]
    place = f"line {error.line}: " if error.line is not None else ""
    return [f"{error.code}: {error.title}", f"{place}{error.message}", *error.resolution]


def _times(start: datetime | None, end: datetime | None = None) -> dict[str, str]:
    """Times as WES writes them; those that are not known are left out."""
    told = {"start_time": start, "end_time": end}
    return {name: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in told.items() if at is not None}
