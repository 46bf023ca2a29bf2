"""Manifests: many URLs with their options, in one request."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from varloom.services.audit import note
from varloom.services.manifest_lines import MOST_BYTES, OPTION_COLUMNS, too_many_bytes
from varloom.services.manifest_views import ManifestJobs, ManifestPreflight
from varloom.web.api.create_job import body_of
from varloom.web.api.openapi import PREFIX
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

MANIFEST_PATH = f"{PREFIX}/manifests"

_TEXT = {"schema": {"type": "string", "description": "a header line with `url` in it, and a line for each file"}}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"text/csv": _TEXT, "text/tab-separated-values": _TEXT}}
}

router = APIRouter(prefix="/manifests", tags=["jobs"])


def chosen_defaults(
    *,
    assembly: Annotated[str, Query(description="for lines that name none")] = "",
    annotate: Annotated[str, Query(description="for lines that say nothing of it")] = "",
    split_by_sample: Annotated[str, Query(description="for lines that say nothing of it")] = "",
    reads: Annotated[str, Query(description="for lines that say nothing of it")] = "",
    reference: Annotated[str, Query(description="for lines of reads that name none")] = "",
    caller: Annotated[str, Query(description="for lines of reads that name none")] = "",
    engine: Annotated[str, Query(description="for lines of reads that name none")] = "",
    alignment_format: Annotated[str, Query(description="for lines of reads that name none")] = "",
    sex_chromosomes: Annotated[str, Query(description="for lines of reads that say nothing of it")] = "",
    pgx: Annotated[str, Query(description="for lines that say nothing of it")] = "",
    reference_sites_listed: Annotated[str, Query(description="for lines that say nothing of it")] = "",
    credential: Annotated[str, Query(description="for lines that name none")] = "",
    priority: Annotated[str, Query(description="for lines that give none")] = "",
) -> dict[str, str]:
    """Values of options for the lines that leave them out."""
    of_reads = (reads, reference, caller, engine, alignment_format, sex_chromosomes)
    of_pgx = (pgx, reference_sites_listed)
    asked = (assembly, annotate, split_by_sample, *of_reads, *of_pgx, credential, priority)
    return dict(zip(OPTION_COLUMNS, asked, strict=True))


Defaults = Annotated[dict[str, str], Depends(chosen_defaults)]


@router.post(
    "", status_code=202, response_model=ManifestJobs, openapi_extra=_BODY, responses=problem_responses(409, 413, 507)
)
async def create_jobs(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    defaults: Defaults,
    *,
    skip_faulty: Annotated[bool, Query(description="leave out faulty lines instead of refusing the manifest")] = False,
    idempotency_key: Annotated[str | None, Header(description="the same key makes no second set of jobs")] = None,
) -> Response:
    """Create a job of each line, or none at all."""
    made = await services.manifests.create(
        account.id,
        await _content(request),
        defaults,
        idempotency_key=idempotency_key,
        skip_faulty=skip_faulty,
    )
    note(manifest=str(made.id), jobs=len(made.jobs))
    return await _json(made, 202)


@router.post("/preflight", response_model=ManifestPreflight, openapi_extra=_BODY, responses=problem_responses(413))
async def preflight_manifest(
    request: Request, services: CurrentServices, account: CurrentAccount, defaults: Defaults
) -> Response:
    """Tell what each line would be, and what is wrong with which. Nothing is created, and no source is asked."""
    return await _json(await services.manifests.preflight(account.id, await _content(request), defaults), 200)


async def _content(request: Request) -> bytes:
    content = bytearray()
    async for chunk in body_of(request):
        content += chunk
        if len(content) > MOST_BYTES:
            raise too_many_bytes()
    return bytes(content)


async def _json(view: BaseModel, status: int) -> Response:
    """Thousands of lines are written beside the event loop."""
    content = await asyncio.to_thread(view.model_dump_json)
    return Response(content, status, media_type="application/json")
