"""The stages of a job as segments of one bar: how far each is, what it took and what it will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from varloom.web.pages.formatting import about, clock

if TYPE_CHECKING:
    from datetime import datetime

    from varloom.services.views import JobView, StageName, StageView

STAGE_NAMES: dict[StageName, tuple[str, str]] = {
    "download": ("Download", "a Downloading slot"),
    "process": ("Process", "a Processing slot"),
    "annotate": ("Annotate", "an Annotating slot"),
    "parse": ("Parse", "a Parsing slot"),
}
"""Each stage's name, and what a job waits for before it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One stage of the plan. `value` of `top` of it is done; without a value, how much is not known.

    Attributes:
        elapsed: seconds since a running stage began, from which the browser counts on; None for the others.
        time: what it took, or what has passed.
        expected: what it takes by earlier jobs; empty where that is not known.
    """

    name: str
    state: Literal["done", "running", "waiting", "failed", "stopped"]
    note: str
    icon: str
    value: float | None
    top: float = 1.0
    elapsed: float | None = None
    time: str = ""
    expected: str = ""


def segments_of(job: JobView, now: datetime) -> tuple[Segment, ...]:
    """The segments of all stages of the plan, in order."""
    told = {stage.stage: stage for stage in job.stages}
    return tuple(_segment(job, stage, told.get(stage), now) for stage in job.plan)


def took(seconds: float) -> str:
    """What something took: to the second, and short times as such."""
    return clock(seconds) if seconds >= 1 else "under 1 s"


def _segment(job: JobView, stage: StageName, told: StageView | None, now: datetime) -> Segment:
    name = STAGE_NAMES[stage][0]
    here = job.plan.index(stage)
    reached = len(job.plan) if job.stage is None else job.plan.index(job.stage)
    time = took(told.seconds) if told and told.seconds is not None else ""
    expected = about(told.expected_seconds) if told and told.expected_seconds is not None else ""
    if here < reached:
        return Segment(name, "done", "done", "check", 1.0, time=time)
    if here > reached or job.state == "queued":
        return Segment(name, "waiting", "waiting", "clock", 0.0, expected=expected)
    if job.state == "failed":
        return Segment(name, "failed", "failed", "cross", 1.0, time=time)
    if job.state == "cancelled":
        return Segment(name, "stopped", "cancelled", "stop", 0.0, time=time)
    began = told.began_at if told and told.began_at else job.started_at or job.created_at
    elapsed = max(0.0, (now - began).total_seconds())
    note, value, top = _share(job)
    return Segment(name, "running", note, "turning", value, top, elapsed, clock(elapsed), expected)


def _share(job: JobView) -> tuple[str, float | None, float]:
    """How much of the running stage is done: as a text, and as a value of a whole; None while that is not known."""
    progress = job.progress
    if progress is None or not progress.total:
        return "running", None, 1.0
    return f"{min(1.0, progress.done / progress.total):.0%}", progress.done, progress.total
