"""Where a table came from: the file, the job, tools and versions, checksums, and the header verbatim."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from varloom.errors import counted
from varloom.services.annotation_offer import is_synthetic
from varloom.services.samples import Table
from varloom.services.views import (
    DownloadProvenance,
    EventView,
    JobView,
    SampleView,
    SourceProvenance,
    VersionView,
)
from varloom.web.dependencies import CurrentServices, Viewing
from varloom.web.pages.formatting import clock, count, moment, size
from varloom.web.pages.job_details import OPTION_NAMES, option_text, processing_facts
from varloom.web.pages.job_entries import STATE_LOOKS
from varloom.web.pages.rendering import page
from varloom.web.pages.samples import chosen_table, sample_heading

HEADER_CHARACTERS = 200_000
"""Of a longer header the page shows so much; exports of it are whole."""

router = APIRouter(include_in_schema=False)

Facts: TypeAlias = list[tuple[str, str, bool]]
"""Label, value, and whether the value is to be read letter by letter."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One event of the job."""

    iso: str
    at: str
    state: str
    attempt: int
    message: str


@router.get("/samples/{sample_id}/provenance")
async def provenance_page(
    request: Request,
    services: CurrentServices,
    access: Viewing,
    dataset: UUID | None = None,
) -> HTMLResponse:
    """Where a table of a sample came from; the first unless another is named.

    Of a sample that is shared neither its job nor the address of its file is told: they are its own account's.
    """
    sample = await services.samples.get(access)
    chosen = chosen_table(sample, dataset)
    version, table = chosen
    manifest = await services.samples.manifest(Table(access.account_id, access.sample_id, table.id))
    job, events, holder = None, [], access.account_id
    if version.job_id is not None:
        job, history = await asyncio.gather(
            services.jobs.get(holder, version.job_id), services.jobs.history(holder, version.job_id)
        )
        events = [_history_row(event) for event in history.events]
    groups = [
        ("File", _file_facts(manifest)),
        ("Table", _table_facts(manifest)),
        ("Versions", _versions(manifest, _newer(sample, version))),
    ]
    if job is not None:
        groups.insert(2, ("Job", _job_facts(job)))
        provenance = await services.provenance.of_job(holder, job.id)
        if provenance.processing is not None:
            facts = [(name, text, False) for name, text in processing_facts(provenance.processing)]
            groups.insert(1, ("Reads", [("Files", _read_files(provenance.source), False), *facts]))
        if provenance.source.download is not None:
            groups.insert(1, ("Download", _download_facts(provenance.source.download)))
    elif processing := await services.provenance.processing_of(holder, access.sample_id):
        groups.insert(1, ("Reads", [(name, text, False) for name, text in processing_facts(processing)]))
    return await page(
        request,
        "sample_provenance.html",
        tab="provenance",
        **await sample_heading(services, access, sample, chosen),
        job_id=str(version.job_id) if version.job_id else None,
        groups=groups,
        synthetic=is_synthetic(manifest.versions),
        warnings=[_warning(problem) for problem in manifest.warnings],
        events=events,
        header=manifest.header.encode("utf-8", "replace").decode()[:HEADER_CHARACTERS],
    )


def _file_facts(manifest: Any) -> Facts:
    source = manifest.source
    return [
        ("Name", source.name, False),
        ("Size", f"{size(source.bytes)} ({count(source.bytes)} bytes)", False),
        ("Format", source.format.upper() + _packed(source.compression), False),
        ("SHA-256", source.sha256, True),
        ("Samples in the file", _some(manifest.samples), False),
        ("Contigs", count(len(manifest.contigs)), False),
    ]


def _read_files(source: SourceProvenance) -> str:
    return ", ".join([source.name, *(one.name for one in source.further)])


def _download_facts(download: DownloadProvenance) -> Facts:
    agreed = [(f"Source's {one.algorithm.upper()}", f"{one.value} (agrees)", True) for one in download.verified]
    told = [("ETag", download.etag), ("Generation", download.generation), ("Last changed", download.modified)]
    return [
        ("URL", download.url, True),
        *((label, value, True) for label, value in told if value),
        *(agreed or [("Source's checksum", "It tells none; the size was compared", False)]),
    ]


def _table_facts(manifest: Any) -> Facts:
    return [
        ("Records", count(manifest.records), False),
        ("Rows", count(manifest.variants), False),
        ("Columns", count(len(manifest.columns)), False),
        ("Assembly", manifest.assembly or "Not stated", False),
        ("Size", f"{size(manifest.bytes)} in {counted(len(manifest.parts), 'part')}", False),
        ("Content hash", manifest.content_hash, True),
    ]


def _job_facts(job: JobView) -> Facts:
    chosen = {name: value for name, value in job.options.items() if value not in {None, False}}
    options = [f"{OPTION_NAMES.get(name, name)}: {option_text(name, value)}" for name, value in chosen.items()]
    facts = [("Id", str(job.id), True), ("Options", "; ".join(options) or "Defaults", False)]
    facts.append(("Stages", ", ".join(job.plan), False))
    if job.started_at and job.finished_at:
        seconds = (job.finished_at - job.started_at).total_seconds()
        facts.append(("Took", clock(seconds) if seconds >= 1 else "under 1 s", False))
    return facts


def _newer(sample: SampleView, version: VersionView) -> dict[str, str]:
    """By what the manifest calls them: the releases with which the sample would be annotated otherwise now."""
    if version.version != sample.version:
        return {}
    return {f"{one.kind} {one.name}": one.release for one in sample.newer}


def _with_newer(version: str, newer: str | None) -> str:
    """A version, and that a newer one could be had."""
    return version if newer is None else f"{version} (newer is installed: {newer})"


def _versions(manifest: Any, newer: Mapping[str, str]) -> Facts:
    return [
        ("Dataset format", str(manifest.format_version), False),
        *((name, _with_newer(version, newer.get(name)), False) for name, version in sorted(manifest.versions.items())),
    ]


def _packed(compression: str) -> str:
    return ", not compressed" if compression == "none" else f", compressed with {compression}"


def _some(names: tuple[str, ...], most: int = 8) -> str:
    more = f" and {count(len(names) - most)} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "None") + more


def _warning(problem: dict[str, Any]) -> tuple[str, str]:
    """Where it was, and what."""
    place = f"Line {count(problem['line'])}" if problem.get("line") else ""
    return place, str(problem["message"])


def _history_row(event: EventView) -> HistoryRow:
    return HistoryRow(event.at.isoformat(), moment(event.at), STATE_LOOKS[event.state][0], event.attempt, event.message)
