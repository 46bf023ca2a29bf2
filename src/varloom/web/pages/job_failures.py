"""Why a job failed, as the Job Manager shows it: what, where, how it is mended, and what was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import counted
from varloom.web.pages.formatting import count, moment
from varloom.web.pages.job_segments import STAGE_NAMES, took

if TYPE_CHECKING:
    from varloom.services.views import AttemptView, ErrorView, JobView, ProblemView

OUTCOMES = {
    "succeeded": ("check", "Succeeded"),
    "failed": ("cross", "Failed"),
    "cancelled": ("stop", "Cancelled"),
    "returned": ("retry", "Returned to the queue; does not count"),
}
"""Each outcome of an attempt as icon and text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a file: where, what, and the text that stands there."""

    place: str
    message: str
    excerpt: str | None


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that ended."""

    name: str
    icon: str
    outcome: str
    began_iso: str
    began: str
    time: str
    why: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed, and how it is mended."""

    code: str
    title: str
    message: str
    stage: str | None
    places: tuple[tuple[str, str], ...]
    excerpt: str | None
    further: tuple[Finding, ...]
    steps: tuple[str, ...]
    verdict: str
    tried: tuple[Tried, ...]


def failure_of(job: JobView) -> Failure | None:
    """Why the job failed; None for one that did not."""
    error = job.error
    if error is None or job.state != "failed":
        return None
    first = (error.line, error.message)
    tried = tuple(tried_of(one) for one in job.attempts if one.outcome != "succeeded")
    return Failure(
        code=error.code,
        title=error.title,
        message=error.message,
        stage=STAGE_NAMES[error.stage][0] if error.stage else None,
        places=tuple(_places(error)),
        excerpt=error.excerpt,
        further=tuple(finding_of(item) for item in error.problems if (item.line, item.message) != first),
        steps=tuple(error.resolution),
        verdict=_verdict(job, error),
        tried=tried if len(tried) > 1 else (),
    )


def finding_of(problem: ProblemView) -> Finding:
    """A problem of a file with its place in words."""
    place = ", ".join(f"{name.lower()} {value}" for name, value in _places(problem))
    return Finding(place[:1].upper() + place[1:], problem.message, problem.excerpt)


def tried_of(one: AttemptView) -> Tried:
    """An attempt as people read it."""
    icon, outcome = OUTCOMES[one.outcome]
    return Tried(
        name=f"{STAGE_NAMES[one.stage][0]}, attempt {one.attempt}",
        icon=icon,
        outcome=outcome,
        began_iso=one.began_at.isoformat(),
        began=moment(one.began_at),
        time=took(one.seconds),
        why=f"{one.title}: {one.message}" if one.title else "",
    )


_NOT_THE_FILE = frozenset(
    {
        "assembly_needed",
        "reference_data_missing",
        "reference_genome_missing",
        "reference_genome_unchosen",
        "engine_unavailable",
        "caller_unavailable",
        "parabricks_input",
    }
)


def is_of_the_file(code: str) -> bool:
    """Whether another file could help, rather than other options or a mended worker."""
    return code not in _NOT_THE_FILE and not code.startswith("parabricks_")


def _verdict(job: JobView, error: ErrorView) -> str:
    """Whether trying again can help, and how often it was tried."""
    if not error.retryable:
        if error.stage == "download":
            return "Not tried again: the source would answer the same."
        if not is_of_the_file(error.code):
            return "Not tried again: nothing changes by itself."
        return "Not tried again: the same file would fail in the same way."
    return f"Tried {counted(job.attempt, 'time')}." if job.attempt > 1 else ""


def _places(found: ErrorView | ProblemView) -> list[tuple[str, str]]:
    places = []
    if found.line is not None:
        places.append(("Line", count(found.line)))
    if found.column is not None:
        places.append(("Column", count(found.column)))
    if found.field:
        places.append(("Field", found.field))
    if isinstance(url := getattr(found, "url", None), str):
        places.append(("URL", url))
    return places
