"""Where a retry begins, and which artefacts it goes on with: what earlier stages left, as far as it still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError
from varloom.jobs.problems import STAGE_NOT_RESUMABLE

if TYPE_CHECKING:
    from collections.abc import Collection

    from varloom.jobs.lifecycle import Stage
    from varloom.jobs.model import Job


def resume(
    job: Job, plan: tuple[Stage, ...], from_stage: Stage | None, stale: Collection[Stage]
) -> tuple[Stage, dict[str, Any]]:
    """The stage that a retry begins with, and the artefacts of the stages before it.

    Args:
        job: the job as it ended.
        plan: the stages that it is to have.
        from_stage: where to begin; unset: with the first stage that has left nothing that still holds.
        stale: stages that would leave something else by the options that the job is to have.

    Raises:
        VarloomError: `stage_not_resumable`.
    """
    finished = _finished(job, plan, stale)
    stage = from_stage or plan[min(len(finished), len(plan) - 1)]
    if stage not in plan:
        raise VarloomError(STAGE_NOT_RESUMABLE, f"This job has no {stage.value} stage.")
    before = plan[: plan.index(stage)]
    if len(before) > len(finished):
        lacking = before[len(finished)].value
        why = "has to be done anew with these options" if lacking in job.artefacts else "was not finished"
        raise VarloomError(
            STAGE_NOT_RESUMABLE,
            f"The {stage.value} stage needs what the {lacking} stage leaves, which {why}.",
        )
    return stage, {item.value: job.artefacts[item] for item in before}


def _finished(job: Job, plan: tuple[Stage, ...], stale: Collection[Stage]) -> tuple[Stage, ...]:
    """The stages at the beginning of the plan that need not be run again.

    An artefact holds only as long as everything before it does: what a stage was given, it had from those.
    """
    finished: list[Stage] = []
    for planned, ran in zip(plan, job.plan, strict=False):
        if planned is not ran or planned in stale or planned not in job.artefacts:
            break
        finished.append(planned)
    return tuple(finished)
