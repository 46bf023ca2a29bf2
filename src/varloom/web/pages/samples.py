"""The samples, and the table of one."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError, counted
from varloom.services.access import SampleAccess
from varloom.services.container import Services
from varloom.services.problems import TABLE_NOT_FOUND
from varloom.services.views import DatasetView, SampleView, StorageView, VersionView, holds_variants
from varloom.web.dependencies import CurrentAccount, CurrentServices, Owning, Viewing
from varloom.web.pages.formatting import moment, size
from varloom.web.pages.rendering import page, render
from varloom.web.pages.renewal import renewal_notice

PAGE = 50
"""Samples on one page of the list."""

router = APIRouter(include_in_schema=False)

COUNT_ANEW = {"HX-Trigger": '{"varloom:kept": {"target": "body"}}'}
"""Another sample is kept than before: what the page says of their number and size is to be read anew."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as the list shows it; assembly and file are those of its first table."""

    id: str
    name: str
    tags: list[str]
    file: str
    assembly: str | None
    records: int
    variants: int | None
    tables: int
    size: str
    created_iso: str
    created: str
    job_id: str | None
    kept_for: str | None
    versions: int
    is_annotated: bool
    newer: str | None
    is_renewed: bool
    shared_by: str | None
    role: str
    projects: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TableHead:
    """What stands above a table."""

    id: str
    name: str
    provenance: str
    assembly: str | None
    rows: int
    example: str
    has_positions: bool


class ChosenTable(NamedTuple):
    """A table of a sample, and the version that it belongs to."""

    version: VersionView
    table: DatasetView


@router.get("/")
@router.get("/samples")
async def samples_page(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    q: str = "",
    tag: str = "",
    project: UUID | None = None,
    deleted: bool = False,
    cursor: str | None = None,
) -> HTMLResponse:
    """The samples, newest first; `q` is part of a name. With `deleted` those that can be brought back."""
    if project is not None:
        await services.projects.require(account.id, project)
    projects = await services.projects.names(account.id)
    found = await services.samples.page(
        account.id, limit=PAGE, cursor=cursor, search=q or None, tag=tag or None, deleted=deleted, project=project
    )
    use = await services.samples.storage_use(account.id)
    return await page(
        request,
        "samples.html",
        section="samples",
        samples=[sample_row(sample) for sample in found.samples],
        stale=[
            str(sample.id)
            for sample in found.samples
            if sample.newer and sample.renewal_job_id is None and sample.role == "owner" and not deleted
        ],
        query=q,
        tag=tag,
        tags=list(await services.samples.tags(account.id, project)),
        projects=[(str(project_id), name) for project_id, name in projects],
        project=str(project or ""),
        project_name=next((name for project_id, name in projects if project_id == project), ""),
        deleted=deleted,
        next=found.next,
        storage=_storage(use, has_projects=bool(projects)),
        has_quota=use.quota is not None,
        deleted_count=use.deleted,
    )


@router.delete("/samples/{sample_id}")
async def delete_sample(services: CurrentServices, access: Owning) -> HTMLResponse:
    """Delete a sample; its row in the list offers to bring it back."""
    sample = await services.samples.get(access)
    await services.samples.delete(access.account_id, access.sample_id)
    return HTMLResponse(render("sample_row.html", sample=sample_row(sample), just_deleted=True), headers=COUNT_ANEW)


@router.post("/samples/{sample_id}/restore")
async def restore_sample(services: CurrentServices, access: Owning) -> HTMLResponse:
    """Bring a deleted sample back; its row in the list."""
    sample = await services.samples.restore(access.account_id, access.sample_id)
    return HTMLResponse(render("sample_row.html", sample=sample_row(sample), just_deleted=False), headers=COUNT_ANEW)


@router.post("/samples/{sample_id}/purge")
async def purge_sample(services: CurrentServices, access: Owning) -> Response:
    """Give a deleted sample up for good; the list takes its row away."""
    await services.samples.purge(access.account_id, access.sample_id)
    return Response()


@router.get("/samples/{sample_id}")
async def table_page(
    request: Request,
    services: CurrentServices,
    access: Viewing,
    dataset: UUID | None = None,
) -> HTMLResponse:
    """The table of a sample. Filters, sort order and columns stand in the address; the page's script reads them."""
    sample = await services.samples.get(access)
    heading = await sample_heading(services, access, sample, chosen_table(sample, dataset))
    has_reads = await services.aligned_reads.there(access.account_id, access.sample_id)
    return await page(request, "sample.html", tab="table", **heading, has_reads=has_reads)


async def sample_heading(
    services: Services, access: SampleAccess, sample: SampleView, chosen: ChosenTable
) -> dict[str, Any]:
    """What the head of all pages of a sample shows, by the names of the template."""
    return {
        "section": "samples",
        "has_files": await services.sample_files.has(access.account_id, sample.id),
        "has_pgx": await services.pgx.has(access.account_id, sample.id),
        "sample": sample_row(sample),
        "table": table_head(chosen.table),
        "tables": [(str(one.id), one.name) for one in chosen.version.datasets],
        "is_newest": chosen.version.version == sample.version,
        "notice": renewal_notice(sample, chosen.version.version),
    }


def sample_row(sample: SampleView) -> SampleRow:
    """A sample as lists and heads show it."""
    return SampleRow(
        id=str(sample.id),
        name=sample.name,
        tags=sample.tags,
        file=sample.source_name,
        assembly=sample.datasets[0].assembly,
        records=sample.records,
        variants=sample.variants if holds_variants(sample.datasets[0].format) else None,
        tables=len(sample.datasets),
        size=size(sample.bytes),
        created_iso=sample.created_at.isoformat(),
        created=moment(sample.created_at),
        job_id=str(sample.job_id) if sample.job_id else None,
        kept_for=_kept_for(sample.purge_at),
        versions=len(sample.versions),
        is_annotated=sample.versions[0].annotate is not None,
        newer=", ".join(f"{one.title} {one.release}" for one in sample.newer) or None,
        is_renewed=sample.renewal_job_id is not None,
        shared_by=sample.shared_by,
        role=sample.role,
        projects=[(str(one.id), one.name) for one in sample.projects],
    )


def _kept_for(purge_at: datetime | None) -> str | None:
    """How long a deleted sample can still be brought back."""
    if purge_at is None:
        return None
    hours = max(1, math.ceil((purge_at - datetime.now(UTC)).total_seconds() / 3600))
    return counted(math.ceil(hours / 24), "day") if hours > 48 else counted(hours, "hour")


def _storage(use: StorageView, *, has_projects: bool) -> str:
    """What the account stores, in one sentence; what others share with it takes nothing of its room."""
    samples = counted(use.samples, "sample") + (" of your own" if has_projects else "")
    results = f", {size(use.results)} in files made of reads" if use.results else ""
    told = f"{samples}, {size(use.tables)} in tables{results} and {size(use.originals)} in original files"
    if use.quota is None:
        return told
    begun = f", {size(use.begun)} in uploads that are begun" if use.begun else ""
    return f"{told}{begun}; {size(use.tables + use.results + use.originals + use.begun)} of {size(use.quota)} used"


def table_head(dataset: DatasetView) -> TableHead:
    """What stands above a table."""
    has_variants = holds_variants(dataset.format)
    read = counted(dataset.records, "record" if has_variants else "row")
    variants = f", {counted(dataset.variants, 'variant')}" if has_variants else ""
    return TableHead(
        id=str(dataset.id),
        name=dataset.name,
        provenance=f"{read} in the file = {read} in the table{variants}",
        assembly=dataset.assembly,
        rows=dataset.variants,
        has_positions=has_variants,
        example="qual >= 30 AND filter = 'PASS'" if has_variants else "column = 'value'",
    )


def chosen_table(sample: SampleView, dataset_id: UUID | None) -> ChosenTable:
    """The table that was asked for; the first of the newest version unless one was."""
    for version in sample.versions:
        for dataset in version.datasets:
            if dataset_id in {None, dataset.id}:
                return ChosenTable(version, dataset)
    raise VarloomError(TABLE_NOT_FOUND, "This sample has no such table.")
