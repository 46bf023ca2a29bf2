"""Which states a job can be in, and which may follow which: the only place in the code that says so.

The same table stands in the database (`job_transitions`, held by a trigger); a test proves that they agree.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """One step of a job's plan."""

    DOWNLOAD = "download"
    PROCESS = "process"
    ANNOTATE = "annotate"
    PARSE = "parse"


class State(StrEnum):
    """The one state that a job shows."""

    QUEUED = "queued"
    """Created, and waiting for a slot: for its first stage, for the next one, or for a retry."""
    DOWNLOADING = "downloading"
    """The file is being fetched."""
    PROCESSING = "processing"
    """Secondary analysis or PGx calling is running."""
    ANNOTATING = "annotating"
    """Variants are being annotated."""
    PARSING = "parsing"
    """The file is being read and loaded into the sample's table."""
    COMPLETED = "completed"
    """Done: the sample can be opened."""
    FAILED = "failed"
    """An error ended it; the job's error says which, where and what to do."""
    CANCELLED = "cancelled"
    """The user stopped it."""


STATE_OF_STAGE: dict[Stage, State] = {
    Stage.DOWNLOAD: State.DOWNLOADING,
    Stage.PROCESS: State.PROCESSING,
    Stage.ANNOTATE: State.ANNOTATING,
    Stage.PARSE: State.PARSING,
}
RUNNING = frozenset(STATE_OF_STAGE.values())
FINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
ACTIVE = frozenset(State) - FINAL

LAST_STAGE = Stage.PARSE
"""Every plan ends with it: only a parsed file can complete."""

TRANSITIONS: frozenset[tuple[State, State]] = frozenset(
    {(State.QUEUED, running) for running in RUNNING}  # claimed
    | {(running, State.QUEUED) for running in RUNNING}  # next stage, retry, or returned by a stopping worker
    | {(state, State.FAILED) for state in ACTIVE}
    | {(state, State.CANCELLED) for state in ACTIVE}
    | {(STATE_OF_STAGE[LAST_STAGE], State.COMPLETED)}
    | {(State.FAILED, State.QUEUED), (State.CANCELLED, State.QUEUED)}  # retried by hand
)


def may_follow(before: State, after: State) -> bool:
    """Whether a job in `before` may go to `after`; staying is always allowed."""
    return before == after or (before, after) in TRANSITIONS


def next_stage(plan: tuple[Stage, ...], stage: Stage) -> Stage | None:
    """The stage of the plan that comes after this one; None after the last."""
    following = plan[plan.index(stage) + 1 :]
    return following[0] if following else None
