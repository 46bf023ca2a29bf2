"""One job, whole: its stages and attempts, what was chosen, where its table comes from, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import counted
from varloom.web.pages.formatting import about, count, moment, size
from varloom.web.pages.job_entries import STATE_LOOKS, JobEntry, job_entry
from varloom.web.pages.job_failures import Tried, tried_of
from varloom.web.pages.job_segments import STAGE_NAMES, took

if TYPE_CHECKING:
    from varloom.services.views import (
        AttemptLogView,
        DatasetProvenance,
        EventView,
        JobView,
        ProcessingProvenance,
        ProvenanceView,
        StageView,
    )

STAGE_STATES = {
    "waiting": ("clock", "Waiting"),
    "running": ("turning", "Running"),
    "done": ("check", "Done"),
    "failed": ("cross", "Failed"),
    "cancelled": ("stop", "Cancelled"),
}
OPTION_NAMES = {
    "assembly": "Assembly",
    "split_by_sample": "Split by sample",
    "annotate": "Annotation",
    "pgx": "PGx",
    "reference_sites_listed": "Positions without a record are the reference",
    "outside_calls": "Outside calls",
    "credential": "Credential",
    "reads": "Reads",
    "reference": "Reference genome",
    "caller": "Variant caller",
    "engine": "Engine",
    "alignment_format": "Alignment",
    "sex_chromosomes": "Sex chromosomes",
}
ENGINE_NAMES = {"auto": "Parabricks, else the CPU", "cpu": "CPU", "parabricks": "Parabricks"}
CALLER_NAMES = {"haplotypecaller": "HaplotypeCaller", "deepvariant": "DeepVariant"}
VALUE_NAMES = {
    "annotate": {"small": "Small variants", "structural": "Structural variants"},
    "caller": {"": "The engine's own", **CALLER_NAMES},
    "engine": ENGINE_NAMES,
    "alignment_format": {"cram": "CRAM"},
    "sex_chromosomes": {"auto": "By coverage", "xx": "XX", "xy": "XY"},
}
"""By option: what its values are called, where they are not told as they stand."""


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of the plan."""

    name: str
    state: str
    icon: str
    began_iso: str
    began: str
    time: str
    expected: str


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One event of the history."""

    at_iso: str
    at: str
    state: str
    icon: str
    tone: str
    message: str


@dataclass(frozen=True, slots=True)
class StageLog:
    """What the processes of one attempt said; `key` names it on the page."""

    key: str
    name: str
    began_iso: str
    began: str
    lines: int
    text: str


@dataclass(frozen=True, slots=True)
class MadeTable:
    """A table with what made it, as pairs of a name and a text; `parts` are its files with their checksums."""

    name: str
    facts: tuple[tuple[str, str], ...]
    content_hash: str
    parts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class JobDetails:
    """Everything that the page of one job shows."""

    entry: JobEntry
    dismissed: bool
    stages: tuple[StageRow, ...]
    attempts: tuple[Tried, ...]
    options: tuple[tuple[str, str], ...]
    source: tuple[tuple[str, str], ...]
    checksum: str | None
    tables: tuple[MadeTable, ...]
    history: tuple[PastEvent, ...]
    logs: tuple[StageLog, ...]


def job_details(
    job: JobView, events: list[EventView], provenance: ProvenanceView, logs: list[AttemptLogView]
) -> JobDetails:
    """What the page shows; what is newest stands first."""
    return JobDetails(
        entry=job_entry(job),
        dismissed=job.dismissed,
        stages=tuple(_stage(stage) for stage in job.stages),
        attempts=tuple(tried_of(one) for one in job.attempts),
        options=tuple((OPTION_NAMES.get(name, name), option_text(name, value)) for name, value in job.options.items()),
        source=_source(job, provenance),
        checksum=provenance.source.sha256,
        tables=tuple(_table(one) for one in provenance.datasets),
        history=tuple(_past(event) for event in reversed(events)),
        logs=tuple(_log(log) for log in reversed(logs)),
    )


def option_text(name: str, value: object) -> str:
    """The value of an option as people read it."""
    if isinstance(value, str | None) and (told := VALUE_NAMES.get(name, {}).get(value or "")):
        return told
    match value:
        case None | "":
            return "Not stated"
        case bool():
            return "Yes" if value else "No"
        case str() if name == "reference" and value.count("/") == 2:
            return "{}, {} {}".format(*value.split("/"))
        case str() if "\n" in value or "\t" in value:
            return counted(len(value.split("\n")), "line")
        case _:
            return str(value)


def _stage(stage: StageView) -> StageRow:
    icon, state = STAGE_STATES[stage.state]
    return StageRow(
        name=STAGE_NAMES[stage.stage][0],
        state=state,
        icon=icon,
        began_iso=stage.began_at.isoformat() if stage.began_at else "",
        began=moment(stage.began_at) if stage.began_at else "",
        time=took(stage.seconds) if stage.seconds is not None else "",
        expected=about(stage.expected_seconds) if stage.expected_seconds is not None else "",
    )


def _source(job: JobView, provenance: ProvenanceView) -> tuple[tuple[str, str], ...]:
    found = provenance.source
    told = {
        "File": found.name,
        "URL": found.url,
        "Size": None if found.bytes is None else _exact_size(found.bytes),
        "Further files": ", ".join(one.name for one in found.further),
        "Job": str(job.id),
        **_processing(provenance),
    }
    return tuple((name, value) for name, value in told.items() if value)


def _processing(provenance: ProvenanceView) -> dict[str, str]:
    """What analysed the reads."""
    done = provenance.processing
    return {} if done is None else dict(processing_facts(done))


def processing_facts(done: ProcessingProvenance) -> tuple[tuple[str, str], ...]:
    """Engine, caller, reference and tools, as pairs of a name and a text."""
    return (
        ("Engine", ENGINE_NAMES.get(done.engine, done.engine)),
        ("Variant caller", CALLER_NAMES.get(done.caller, done.caller)),
        ("Reference genome", f"{done.reference} ({done.assembly})"),
        ("Tools", ", ".join(f"{tool.name} {tool.version}" for tool in done.tools)),
    )


def _exact_size(number: int) -> str:
    """A size, and to the byte."""
    rounded, exact = size(number), counted(number, "byte")
    return rounded if rounded == exact else f"{rounded} ({exact})"


def _table(made: DatasetProvenance) -> MadeTable:
    packed = f", {made.compression}" if made.compression != "none" else ""
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    facts = (
        ("Format", f"{made.format.upper()}{packed}"),
        ("Assembly", made.assembly or "Not stated"),
        ("Records", count(made.records)),
        ("Rows", count(made.variants)),
        ("Columns", count(made.columns)),
        ("Made by", versions),
        ("Dataset format", f"Version {made.format_version}"),
    )
    parts = tuple((part.name, f"{counted(part.rows, 'row')}, {size(part.bytes)}", part.sha256) for part in made.parts)
    return MadeTable(made.name, facts, made.content_hash, parts)


def _log(log: AttemptLogView) -> StageLog:
    name = f"{STAGE_NAMES[log.stage][0]}, attempt {log.attempt}"
    lines = log.text.count("\n") + 1
    return StageLog(
        f"log-{log.began_at.timestamp():.3f}", name, log.began_at.isoformat(), moment(log.began_at), lines, log.text
    )


def _past(event: EventView) -> PastEvent:
    state, icon, tone = STATE_LOOKS[event.state]
    return PastEvent(event.at.isoformat(), moment(event.at), state, icon, tone, event.message)
