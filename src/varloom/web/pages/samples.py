"""The samples, and the table of one."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError, counted
from varloom.services.problems import TABLE_NOT_FOUND
from varloom.services.views import DatasetView, SampleView, holds_variants
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.formatting import moment
from varloom.web.pages.rendering import page

PAGE = 50
"""Samples on one page of the list."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as the list shows it; assembly and file are those of its first table."""

    id: str
    name: str
    file: str
    assembly: str | None
    records: int
    variants: int | None
    tables: int
    created_iso: str
    created: str
    job_id: str | None


@dataclass(frozen=True, slots=True)
class TableHead:
    """What stands above a table."""

    id: str
    name: str
    provenance: str
    assembly: str | None
    rows: int
    example: str


@router.get("/")
@router.get("/samples")
async def samples_page(
    request: Request, services: CurrentServices, account: CurrentAccount, q: str = "", cursor: str | None = None
) -> HTMLResponse:
    """The samples, newest first; `q` is part of a name."""
    found = await services.samples.page(account.id, limit=PAGE, cursor=cursor, search=q or None)
    rows = [_row(sample) for sample in found.samples]
    return await page(request, "samples.html", section="samples", samples=rows, query=q, next=found.next)


@router.get("/samples/{sample_id}")
async def table_page(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    sample_id: UUID,
    dataset: UUID | None = None,
) -> HTMLResponse:
    """The table of a sample. Filters, sort order and columns stand in the address; the page's script reads them."""
    sample = await services.samples.get(account.id, sample_id)
    chosen = _chosen(sample, dataset)
    tables = [(str(one.id), one.name) for one in sample.datasets]
    return await page(
        request, "sample.html", section="samples", sample=_row(sample), table=_head(chosen), tables=tables
    )


@router.delete("/samples/{sample_id}")
async def delete_sample(services: CurrentServices, account: CurrentAccount, sample_id: UUID) -> Response:
    """Delete a sample; the list takes its row away."""
    await services.samples.delete(account.id, sample_id)
    return Response()


def _row(sample: SampleView) -> SampleRow:
    return SampleRow(
        id=str(sample.id),
        name=sample.name,
        file=sample.source_name,
        assembly=sample.datasets[0].assembly,
        records=sample.records,
        variants=sample.variants if holds_variants(sample.datasets[0].format) else None,
        tables=len(sample.datasets),
        created_iso=sample.created_at.isoformat(),
        created=moment(sample.created_at),
        job_id=str(sample.job_id) if sample.job_id else None,
    )


def _head(dataset: DatasetView) -> TableHead:
    has_variants = holds_variants(dataset.format)
    read = counted(dataset.records, "record" if has_variants else "row")
    variants = f", {counted(dataset.variants, 'variant')}" if has_variants else ""
    return TableHead(
        id=str(dataset.id),
        name=dataset.name,
        provenance=f"{read} in the file = {read} in the table{variants}",
        assembly=dataset.assembly,
        rows=dataset.variants,
        example="qual >= 30 AND INFO.AF < 0.01" if has_variants else "column = 'value'",
    )


def _chosen(sample: SampleView, dataset_id: UUID | None) -> DatasetView:
    """The table that was asked for; the first unless one was."""
    for dataset in sample.datasets:
        if dataset_id in {None, dataset.id}:
            return dataset
    raise VarloomError(TABLE_NOT_FOUND, "This sample has no such table.")
