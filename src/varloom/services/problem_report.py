"""The problem report: one plain text with all that is known of a job, to be kept or sent to whoever made the file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import varloom
from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from varloom.services.views import AttemptLogView, AttemptView, ErrorView, EventView, JobView, ProblemView

LINE_LIMIT = 2000
"""Characters of one line of the report."""
NEWEST_LOGS = 3
"""So many attempts are told with their log."""


def problem_report(
    job: JobView,
    events: list[EventView],
    sha256: str | None,
    logs: Sequence[AttemptLogView] = (),
    made_at: datetime | None = None,
) -> str:
    """The report of a job, in lines that hold no control characters.

    Args:
        job: the job.
        events: its history, oldest first.
        sha256: of the file as it was stored.
        logs: what the attempts' processes said, oldest first; that of the newest few is told.
        made_at: when the report is made; default: now.
    """
    parts = [
        _head(made_at or datetime.now(UTC)),
        _job(job, sha256),
        _error(job.error) if job.error else (),
        _problems("Further problems", job.error.problems if job.error else []),
        _problems("Warnings", job.warnings),
        _attempts(job.attempts),
        _history(events),
        *(_log(log) for log in logs[-NEWEST_LOGS:]),
    ]
    lines = [line for part in parts for line in part]
    return "\n".join(safe_excerpt(line, LINE_LIMIT) for line in lines) + "\n"


def _head(made_at: datetime) -> Iterator[str]:
    yield "Varloom problem report"
    yield f"Made {_at(made_at)} by Varloom {varloom.__version__}"


def _job(job: JobView, sha256: str | None) -> Iterator[str]:
    where = f" in the stage {job.stage}" if job.stage else ""
    told = {
        "Job": str(job.id),
        "Sample": job.sample_name,
        "File": job.source.name,
        "Bytes": None if job.source.bytes is None else f"{job.source.bytes:,}",
        "SHA-256": sha256,
        "Options": ", ".join(f"{name}: {_option(value)}" for name, value in job.options.items()),
        "State": f"{job.state}{where}, attempt {job.attempt} of {job.max_attempts}",
        "Created": _at(job.created_at),
        "Started": _at(job.started_at),
        "Ended": _at(job.finished_at),
    }
    yield ""
    for name, value in told.items():
        if value:
            yield f"{name:<9}{value}"


def _option(value: object) -> str:
    match value:
        case None:
            return "not stated"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _error(error: ErrorView) -> Iterator[str]:
    yield from _title(f"{error.title} ({error.code})")
    yield error.message
    yield from _place(error)
    yield ""
    yield "What to do:"
    for step in error.resolution:
        yield f"  - {step}"


def _problems(title: str, problems: list[ProblemView]) -> Iterator[str]:
    if problems:
        yield from _title(f"{title} ({len(problems)})")
    for problem in problems:
        yield f"- {problem.message}"
        yield from _place(problem)


def _place(found: ErrorView | ProblemView) -> Iterator[str]:
    named = {"Line": found.line, "Column": found.column, "Field": found.field, "URL": getattr(found, "url", None)}
    place = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
    if place:
        yield f"  {place}"
    if found.excerpt:
        yield f"  | {found.excerpt}"


def _attempts(attempts: list[AttemptView]) -> Iterator[str]:
    if attempts:
        yield from _title("What was tried")
    for one in attempts:
        why = f": {one.title}. {one.message}" if one.title else ""
        yield f"{_at(one.began_at)}  {one.stage}, attempt {one.attempt}: {one.outcome} after {one.seconds:.1f} s{why}"


def _history(events: list[EventView]) -> Iterator[str]:
    yield from _title("History")
    for event in events:
        yield f"{_at(event.at)}  {event.state:<11}  {event.message}"


def _log(log: AttemptLogView) -> Iterator[str]:
    yield from _title(f"Log of {log.stage}, attempt {log.attempt}, begun {_at(log.began_at)}")
    yield from log.text.split("\n")


def _title(text: str) -> Iterator[str]:
    yield ""
    yield text
    yield "-" * len(text)


def _at(when: datetime | None) -> str:
    return "" if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
