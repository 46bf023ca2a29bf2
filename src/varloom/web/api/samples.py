"""Samples and their tables."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing`, `Editing` and `Owning`

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from varloom.services.options import PRIORITY_LIMIT
from varloom.services.paging import PAGE_LIMIT
from varloom.services.renewals import WantedAnnotation
from varloom.services.samples import LARGEST_PAGE, ExportFormat, Question, Table, parse_names
from varloom.services.table_views import ColumnList, CountView, FacetsView, HistogramView, LocationView, RowPage
from varloom.services.views import (
    JobView,
    SampleList,
    SampleView,
    StorageView,
)
from varloom.web.api.openapi import PREFIX
from varloom.web.dependencies import CurrentAccount, CurrentServices, Editing, Owning, Viewing
from varloom.web.disconnects import until_disconnect
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["samples"], responses=problem_responses(404))

FILTER_LIMIT = 20_000
"""The most characters of a filter."""


class ChangedSample(BaseModel):
    """What is to change of a sample; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    tags: list[str] | None = None


class AnnotatedSample(BaseModel):
    """How a sample is to be annotated; what is left out is as it was."""

    model_config = ConfigDict(extra="forbid")

    annotate: Literal["small", "structural"] | None = Field(
        default=None, description="needed for a sample that was loaded without annotation"
    )
    assembly: Literal["GRCh37", "GRCh38"] | None = Field(default=None, description="of the coordinates")
    priority: int = Field(default=0, ge=-PRIORITY_LIMIT, le=PRIORITY_LIMIT)


Filter = Annotated[str, Query(description="an expression of the filter language", max_length=FILTER_LIMIT)]
Sort = Annotated[str, Query(description="such as -qual,position", max_length=FILTER_LIMIT)]
ColumnNames = Annotated[str | None, Query(description="names with commas between them; quotes where needed")]
ColumnName = Annotated[str, Path(description="the column's name")]


def _table(
    access: Viewing,
    dataset: Annotated[
        UUID | None, Query(description="which table, of which version; else the first of the newest")
    ] = None,
    view: Annotated[
        Literal["full", "split"],
        Query(description="`split`: a row for each gene that a structural variant overlaps, instead of one for each"),
    ] = "full",
) -> Table:
    return Table(access.account_id, access.sample_id, dataset, view)


def _question(
    filter: Filter = "",  # noqa: A002 - the name of the parameter in the contract
    sort: Sort = "",
    columns: ColumnNames = None,
) -> Question:
    return Question(filter, sort, parse_names(columns) if columns else None)


AskedTable = Annotated[Table, Depends(_table)]
AskedQuestion = Annotated[Question, Depends(_question)]


@router.get("/samples", responses=problem_responses(400))
async def list_samples(
    *,
    services: CurrentServices,
    account: CurrentAccount,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before", max_length=500)] = None,
    search: Annotated[str | None, Query(description="part of a sample's name", max_length=200)] = None,
    tag: Annotated[str | None, Query(description="only samples with this tag", max_length=200)] = None,
    deleted: Annotated[bool, Query(description="your own that were deleted and can be brought back")] = False,
    project: Annotated[UUID | None, Query(description="only samples of this project")] = None,
) -> SampleList:
    """The account's samples and those that projects share with it, newest first."""
    if project is not None:
        await services.projects.require(account.id, project)
    return await services.samples.page(
        account.id, limit=limit, cursor=cursor, search=search, tag=tag, deleted=deleted, project=project
    )


@router.get("/storage")
async def get_storage(services: CurrentServices, account: CurrentAccount) -> StorageView:
    """What the account's samples take in the storage."""
    return await services.samples.storage_use(account.id)


@router.get("/samples/{sample_id}")
async def get_sample(services: CurrentServices, access: Viewing) -> SampleView:
    """One sample and its tables."""
    return await services.samples.get(access)


@router.patch("/samples/{sample_id}", responses=problem_responses(403))
async def change_sample(services: CurrentServices, access: Editing, changed: ChangedSample) -> SampleView:
    """Give a sample another name or other tags."""
    return await services.samples.change(access, name=changed.name, tags=changed.tags)


@router.delete("/samples/{sample_id}", status_code=204, responses=problem_responses(403))
async def delete_sample(services: CurrentServices, access: Owning) -> None:
    """Delete a sample and its tables; for some days it can be restored."""
    await services.samples.delete(access.account_id, access.sample_id)


@router.post("/samples/{sample_id}/restore", responses=problem_responses(403))
async def restore_sample(services: CurrentServices, access: Owning) -> SampleView:
    """Bring a deleted sample back."""
    return await services.samples.restore(access.account_id, access.sample_id)


@router.post("/samples/{sample_id}/purge", status_code=204, responses=problem_responses(403))
async def purge_sample(services: CurrentServices, access: Owning) -> None:
    """Give up a deleted sample for good, before its days are over."""
    await services.samples.purge(access.account_id, access.sample_id)


@router.post(
    "/samples/{sample_id}/annotate",
    status_code=202,
    response_model=JobView,
    responses={
        202: {"headers": {"Location": {"description": "the job's address", "schema": {"type": "string"}}}},
        **problem_responses(400, 403, 409, 507),
    },
)
async def annotate_sample(
    services: CurrentServices,
    access: Owning,
    wanted: AnnotatedSample | None = None,
    idempotency_key: Annotated[str | None, Header(description="the same key gives the same job")] = None,
) -> JSONResponse:
    """Annotate a sample again, or for the first time: the job makes a new version of its table of the stored file."""
    asked = wanted or AnnotatedSample()
    how = WantedAnnotation(asked.annotate, asked.assembly, asked.priority)
    job = await services.renewals.annotate(access.account_id, access.sample_id, how, idempotency_key)
    return JSONResponse(job.model_dump(mode="json"), status_code=202, headers={"Location": f"{PREFIX}/jobs/{job.id}"})


@router.get("/samples/{sample_id}/columns", responses=problem_responses(400))
async def get_columns(
    services: CurrentServices,
    table: AskedTable,
    search: Annotated[str, Query(description="part of a name", max_length=200)] = "",
) -> ColumnList:
    """The columns of a table, in order."""
    return await services.samples.columns(table, search=search)


@router.get("/samples/{sample_id}/rows", response_model=RowPage, responses=problem_responses(400))
async def get_rows(
    *,
    request: Request,
    services: CurrentServices,
    table: AskedTable,
    question: AskedQuestion,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    cursor: Annotated[str | None, Query(description="`next` of the page before; goes before `offset`")] = None,
) -> Response:
    """A page of rows."""
    asked = services.samples.rows(table, question, limit=limit, offset=offset, cursor=cursor)
    page = await until_disconnect(request, asked)
    return Response(page.model_dump_json(), media_type="application/json")  # not validated again: pages are large


@router.get("/samples/{sample_id}/count", responses=problem_responses(400))
async def get_count(
    request: Request,
    services: CurrentServices,
    table: AskedTable,
    filter: Filter = "",  # noqa: A002 - the name of the parameter in the contract
) -> CountView:
    """How many rows a filter selects."""
    return await until_disconnect(request, services.samples.count(table, filter))


@router.get("/samples/{sample_id}/locate", responses=problem_responses(400))
async def locate_position(
    *,
    request: Request,
    services: CurrentServices,
    table: AskedTable,
    position: Annotated[str, Query(description="such as chr7:117,559,590, or a contig alone", max_length=200)],
    filter: Filter = "",  # noqa: A002 - the name of the parameter in the contract
) -> LocationView:
    """Where a position of the genome stands among the selected rows, in the order of the file."""
    return await until_disconnect(request, services.samples.locate(table, position, filter))


@router.get("/samples/{sample_id}/facets/{column:path}", responses=problem_responses(400))
async def get_facets(
    *,
    request: Request,
    services: CurrentServices,
    table: AskedTable,
    column: ColumnName,
    filter: Filter = "",  # noqa: A002 - the name of the parameter in the contract
    search: Annotated[str, Query(description="only values that contain this", max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> FacetsView:
    """The most frequent values of a column among the selected rows."""
    asked = services.samples.facets(table, column, where=filter, search=search, limit=limit)
    return await until_disconnect(request, asked)


@router.get("/samples/{sample_id}/histogram/{column:path}", responses=problem_responses(400))
async def get_histogram(
    *,
    request: Request,
    services: CurrentServices,
    table: AskedTable,
    column: ColumnName,
    filter: Filter = "",  # noqa: A002 - the name of the parameter in the contract
    bins: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> HistogramView:
    """How the numbers of a column are distributed among the selected rows."""
    return await until_disconnect(request, services.samples.histogram(table, column, where=filter, bins=bins))


@router.get(
    "/samples/{sample_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {"content": {kind.media_type: {} for kind in ExportFormat}},
        **problem_responses(400),
    },
)
async def export_table(
    services: CurrentServices,
    table: AskedTable,
    question: AskedQuestion,
    format: Literal["csv", "tsv", "jsonl", "parquet"] = "csv",  # noqa: A002 - the name of the parameter
) -> StreamingResponse:
    """All selected rows as a file, streamed; without a limit of rows."""
    export = await services.samples.export(table, question, format)
    # It is made anew each time, so that a part of it would be a part of nothing that stays.
    headers = {"Content-Disposition": f'attachment; filename="{export.file_name}"', "Accept-Ranges": "none"}
    return StreamingResponse(export.content, media_type=export.media_type, headers=headers)
