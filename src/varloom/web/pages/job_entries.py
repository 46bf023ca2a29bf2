"""A job as the Job Manager shows it: every text ready, nothing left for the template to decide but the markup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from varloom.errors import counted
from varloom.web.pages.formatting import about, amount, clock, count, moment, size
from varloom.web.pages.job_failures import Failure, Finding, failure_of, finding_of, is_of_the_file
from varloom.web.pages.job_filter import created_key
from varloom.web.pages.job_segments import STAGE_NAMES, Segment, segments_of, took

if TYPE_CHECKING:
    from varloom.services.views import JobView, ProgressView, StateName

Tone = Literal["calm", "run", "good", "bad", "warn"]

STATE_LOOKS: dict[StateName, tuple[str, str, Tone]] = {
    "queued": ("Queued", "clock", "calm"),
    "downloading": ("Downloading", "turning", "run"),
    "processing": ("Processing", "turning", "run"),
    "annotating": ("Annotating", "turning", "run"),
    "parsing": ("Parsing", "turning", "run"),
    "completed": ("Completed", "check", "good"),
    "failed": ("Failed", "cross", "bad"),
    "cancelled": ("Cancelled", "stop", "calm"),
}
"""Each state as text, icon and colour: the colour never stands alone."""

PRIORITIES = ((10, "High priority"), (0, "Ordinary priority"), (-10, "Low priority"))
"""What people choose from; programs may give any number."""

_FINAL = frozenset({"completed", "failed", "cancelled"})
_AT_REST = _FINAL | {"queued"}


SLOWEST = 1.0
"""Fewer units a second than this are none."""
FORETOLD = 3 * 24 * 3600.0
"""Seconds; what would take longer is not foretold."""


@dataclass(frozen=True, slots=True)
class JobEntry:
    """One entry of the Job Manager."""

    id: str
    url: str
    version: str
    search_text: str
    state: StateName
    state_text: str
    icon: str
    tone: Tone
    name: str
    file: str
    facts: tuple[str, ...]
    segments: tuple[Segment, ...]
    status: str
    pace: str
    retry_seconds: float | None
    attempt: str | None
    elapsed_label: str
    elapsed: float
    elapsed_text: str
    ticking: bool
    created_key: str
    created_iso: str
    finished_iso: str
    created: str
    completed: bool
    sample_url: str | None
    failure: Failure | None
    setback: str | None
    warnings: tuple[Finding, ...]
    warnings_title: str
    cancelling: bool
    can_cancel: bool
    priority: int
    priorities: tuple[tuple[int, str], ...]
    retry_label: str | None
    can_change: bool
    needs_change: bool
    can_go_unannotated: bool
    can_replace: bool
    can_dismiss: bool
    announcement: str


def job_entry(job: JobView, now: datetime | None = None) -> JobEntry:
    """The entry of a job as it stands at `now` (default: this moment)."""
    now = now or datetime.now(UTC)
    text, icon, tone = STATE_LOOKS[job.state]
    final = job.state in _FINAL
    elapsed_label, elapsed, ticking = _elapsed(job, now)
    retry_seconds = _retry_seconds(job, now)
    failure = failure_of(job)
    return JobEntry(
        id=str(job.id),
        url=f"/jobs/{job.id}",
        version=f"{crc32(job.model_dump_json().encode()):08x}",
        search_text=f"{job.sample_name}\n{job.source.name}".lower(),
        state=job.state,
        state_text=text,
        icon=icon,
        tone=tone,
        name=job.sample_name,
        file=_files(job),
        facts=_facts(job),
        segments=segments_of(job, now),
        status=_status(job, retry_seconds),
        pace=_pace_of(job) if job.progress and job.state not in _AT_REST else "",
        retry_seconds=retry_seconds,
        attempt=_attempt(job),
        elapsed_label=elapsed_label,
        elapsed=elapsed,
        elapsed_text=clock(elapsed) if ticking else took(elapsed),
        ticking=ticking,
        created_key=f"{created_key(job.created_at)}-{job.id}",
        created_iso=job.created_at.isoformat(),
        finished_iso=job.finished_at.isoformat() if job.finished_at else "",
        created=moment(job.created_at),
        completed=job.state == "completed",
        sample_url=f"/samples/{job.sample_id}" if job.state == "completed" and job.sample_id else None,
        failure=failure,
        setback=_setback(job),
        warnings=tuple(finding_of(problem) for problem in job.warnings),
        warnings_title=counted(len(job.warnings), "warning"),
        cancelling=job.cancel_requested,
        can_cancel=not final and not job.cancel_requested,
        priority=job.priority,
        priorities=_priorities(job.priority),
        retry_label=_retry_label(job, retry_seconds),
        can_change=job.state in {"failed", "cancelled"},
        needs_change=job.state == "failed" and job.error is not None and not is_of_the_file(job.error.code),
        can_go_unannotated=_can_go_unannotated(job),
        can_replace=_can_replace(job),
        can_dismiss=final,
        announcement=_announcement(job, text),
    )


def _files(job: JobView) -> str:
    """What was sent: the name of the file, or of the first of several."""
    more = len(job.further_files)
    return f"{job.source.name} and {count(more)} more" if more else job.source.name


def _facts(job: JobView) -> tuple[str, ...]:
    """The file's size and the options that were chosen."""
    facts = [size(job.source.bytes)] if job.source.bytes is not None else []
    if assembly := job.options.get("assembly"):
        facts.append(str(assembly))
    if job.options.get("reads"):
        facts.append("Reads")
    if job.options.get("split_by_sample"):
        facts.append("Split by sample")
    if job.renews_sample_id is not None:
        facts.append("New version of a sample")
    if job.priority:
        facts.append(dict(PRIORITIES).get(job.priority, f"Priority {job.priority}"))
    return tuple(facts)


def _status(job: JobView, retry_seconds: float | None) -> str:
    """The line below the stages: what came out, how far it is, or why it waits."""
    match job.state:
        case "completed":
            return _proof(job) or ""
        case "failed" | "cancelled":
            return ""
        case _ if job.cancel_requested:
            return "Cancelling"
        case "queued":
            return _waits(job, retry_seconds)
        case "processing" if job.progress:
            return step_text(job.progress)
        case _:
            return _done(job.progress) if job.progress else "Starting"


def waiting_text(job: JobView, now: datetime | None = None) -> str:
    """The line below the stages of a queued job."""
    return _status(job, _retry_seconds(job, now or datetime.now(UTC)))


def _waits(job: JobView, retry_seconds: float | None) -> str:
    """Why a queued job does not run, or how many go before it."""
    ahead = job.queue_position
    if job.held_up is not None and (job.held_up.cause != "no_slots" or ahead is None):
        return job.held_up.message
    if job.stage is None or retry_seconds is not None:
        return "Waiting for its retry"
    place = _place(STAGE_NAMES[job.stage][1], ahead)
    return place if job.held_up is None else f"{place}; no running worker has one"


def _place(slot: str, ahead: int | None) -> str:
    if ahead is None:
        return f"Waiting for {slot}"
    return f"{count(ahead)} ahead of you for {slot}" if ahead else f"Next for {slot}"


def _done(progress: ProgressView) -> str:
    done = amount(progress.done, progress.unit)
    return f"{done} of {amount(progress.total, progress.unit)}" if progress.total else done


STEPS = {
    "bytes": "Fetching",
    "bytes checked": "Checking reads",
    "bytes of the reference's index": "Building the index of the reference",
    "waiting for the reference's index": "Waiting for the index of the reference",
    "reads aligned": "Aligning reads",
    "reads sorted": "Sorting reads",
    "reads taken out of the alignment": "Taking reads out of the alignment",
    "duplicates marked": "Marking duplicates",
    "quality counts": "Counting quality",
    "bytes of reads separated": "Separating mates",
    "regions called": "Calling variants",
    "variants joined": "Putting variants together",
    "variants packed": "Packing variants",
    "sites genotyped": "Genotyping sites",
}
"""By the unit in which an engine counts: the step it is in. Other units name their step themselves."""


def step_text(progress: ProgressView) -> str:
    """The step of the process stage, and how much of it is done where that is known: "Aligning reads, 41%"."""
    step = STEPS.get(progress.unit, progress.unit[:1].upper() + progress.unit[1:])
    if progress.total:
        return f"{step}, {min(100, int(100 * progress.done / progress.total))}%"
    name, mark, _ = step.partition(" (bases)")
    return f"{name}, {count(progress.done)} bases so far" if mark else step


def _pace_of(job: JobView) -> str:
    """How fast it goes; the steps of the process stage count what is no measure for anyone but the time they take."""
    progress = job.progress
    if progress is None:
        return ""
    if job.state == "processing" and progress.unit != "bytes":
        known = progress.eta_seconds is not None and progress.eta_seconds <= FORETOLD and progress.total
        return f"{about(progress.eta_seconds or 0)} left" if known else ""
    return _pace(progress)


def _pace(progress: ProgressView) -> str:
    """How fast it goes, and how long it has still to go, as long as that can be meant seriously."""
    if progress.rate and progress.rate < SLOWEST:
        return "No progress at the moment"
    pace = [f"{amount(progress.rate, progress.unit)}/s"] if progress.rate else []
    if progress.eta_seconds is not None and progress.eta_seconds <= FORETOLD:
        pace.append(f"{about(progress.eta_seconds)} left")
    return ", ".join(pace)


def _retry_seconds(job: JobView, now: datetime) -> float | None:
    """How long until the next automatic attempt; None once it only waits for a slot."""
    if job.state != "queued" or job.retry_at is None or job.held_up is not None:
        return None
    left = (job.retry_at - now).total_seconds()
    return left if left > 0 else None


def _attempt(job: JobView) -> str | None:
    return f"Attempt {job.attempt} of {job.max_attempts}" if job.attempt > 1 and job.state != "completed" else None


def _elapsed(job: JobView, now: datetime) -> tuple[str, float, bool]:
    """What the entry's time means, its seconds, and whether it goes on."""
    if job.finished_at is not None:
        return "Took", (job.finished_at - (job.started_at or job.created_at)).total_seconds(), False
    if job.state == "queued":
        return "Waiting", (now - job.created_at).total_seconds(), True
    return "Running", (now - (job.started_at or job.created_at)).total_seconds(), True


def _result(job: JobView) -> str | None:
    if job.records is None:
        return None
    found = counted(job.records, "record")
    return found if job.variants is None else f"{found}, {counted(job.variants, 'variant')}"


def _proof(job: JobView) -> str | None:
    """What came out, held against what went in: loading counts both, and fails where they differ."""
    if job.records is None:
        return None
    read = counted(job.records, "row" if job.variants is None else "record")
    variants = "" if job.variants is None else f", {counted(job.variants, 'variant')}"
    return f"{read} in the file = {read} in the table{variants}"


def _setback(job: JobView) -> str | None:
    """Why the last attempt failed, while a further one waits or runs."""
    if job.error is None or job.state in _FINAL:
        return None
    return f"{job.error.title}: {job.error.message}"


def _priorities(current: int) -> tuple[tuple[int, str], ...]:
    """What can be chosen, the highest first; a priority that was given otherwise is among them."""
    named = PRIORITIES if current in dict(PRIORITIES) else (*PRIORITIES, (current, f"Priority {current}"))
    return tuple(sorted(named, reverse=True))


def _can_go_unannotated(job: JobView) -> bool:
    """Whether the file could be loaded all the same; a sample that is annotated again is loaded already."""
    failed_so = job.state == "failed" and job.error is not None and job.error.stage == "annotate"
    return failed_so and job.renews_sample_id is None


def _can_replace(job: JobView) -> bool:
    """Whether another file would help: the content of this one was refused."""
    error = job.error
    if job.state != "failed" or error is None or not is_of_the_file(error.code) or job.renews_sample_id is not None:
        return False
    return not error.retryable and error.stage != "download"


def _retry_label(job: JobView, retry_seconds: float | None) -> str | None:
    match job.state:
        case "queued" if retry_seconds is not None and not job.cancel_requested:
            return "Retry now"
        case "cancelled":
            return "Start again"
        case "failed" if job.stage and job.stage != job.plan[0]:
            return f"Retry from {STAGE_NAMES[job.stage][0]}"
        case "failed":
            return "Retry"
        case _:
            return None


def _announcement(job: JobView, state_text: str) -> str:
    """What a screen reader hears when the state changes."""
    match job.state:
        case "failed" if job.error:
            return f"{job.sample_name}: Failed. {job.error.title}. {job.error.message}"
        case "completed":
            return f"{job.sample_name}: Completed. {_result(job) or ''}".strip()
        case _:
            return f"{job.sample_name}: {state_text}"
