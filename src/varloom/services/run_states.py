"""A job's state in the words of GA4GH's services for runs (WES 1.1) and tasks (TES 1.1), which are the same."""

from __future__ import annotations

from enum import StrEnum

from varloom.jobs.lifecycle import State


class RunState(StrEnum):
    """The states of WES 1.1 and TES 1.1 that a job can be in; `UNKNOWN`, `PAUSED` and `PREEMPTED` it never is."""

    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    EXECUTOR_ERROR = "EXECUTOR_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    CANCELED = "CANCELED"
    CANCELING = "CANCELING"


RUN_STATES: dict[State, RunState] = {
    State.QUEUED: RunState.QUEUED,
    State.DOWNLOADING: RunState.INITIALIZING,
    State.PROCESSING: RunState.RUNNING,
    State.ANNOTATING: RunState.RUNNING,
    State.PARSING: RunState.RUNNING,
    State.COMPLETED: RunState.COMPLETE,
    State.FAILED: RunState.EXECUTOR_ERROR,
    State.CANCELLED: RunState.CANCELED,
}
"""Where nothing else counts. A failure that the same again could mend is none of the file's, but the system's."""


def run_state(state: State, *, is_stopping: bool, may_succeed: bool) -> RunState:
    """The state of a run.

    Args:
        state: the job's.
        is_stopping: whether it was asked to stop.
        may_succeed: of a failed one, whether the same again can help.
    """
    found = RUN_STATES[state]
    if found is RunState.EXECUTOR_ERROR and may_succeed:
        return RunState.SYSTEM_ERROR
    if is_stopping and found in {RunState.QUEUED, RunState.INITIALIZING, RunState.RUNNING}:
        return RunState.CANCELING
    return found
