"""POST /api/v1/jobs: a file or a URL becomes a job. The body is read once, as it arrives, neither kept nor spooled."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.annotation_offer import AnnotationOffer
from varloom.services.audit import note
from varloom.services.options import parse_options, parse_priority
from varloom.services.problems import OPTION_UNKNOWN, REQUEST_INVALID, UPLOAD_INTERRUPTED
from varloom.services.read_files import any_are_reads
from varloom.services.uploads import Intake, JobRequest
from varloom.services.views import JobView
from varloom.web.api.multipart import FIELD_LIMIT, MultipartBody
from varloom.web.api.openapi import CREATE_JOB_BODY, PREFIX
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses
from varloom.web.security import look_again

UPLOAD_PATH = f"{PREFIX}/jobs"

_OWN_FIELDS = frozenset({"sample_name", "options", "priority", "source_url", "source_urls"})
"""Fields that are not options; every other one is taken for an option."""

router = APIRouter(tags=["jobs"])


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobView,
    openapi_extra={"requestBody": CREATE_JOB_BODY},
    responses={
        202: {"headers": {"Location": {"description": "the job's address", "schema": {"type": "string"}}}},
        **problem_responses(400, 409, 413, 507),
    },
)
async def create_job(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    idempotency_key: Annotated[str | None, Header(description="the same key gives the same job")] = None,
) -> JSONResponse:
    """Create the job of a file that is sent, or of a URL. Fields may come before or after the file."""
    if _is_json(request):
        urls, asked = await _read_json(request)
        asked = replace(asked, options=await services.annotations.require(asked.options))
        job = await services.sources.create_job(account.id, urls, asked, idempotency_key)
    else:
        async with services.uploads.intake(account.id, idempotency_key) as intake:
            job = await intake.create_job(await _read_form(request, intake, services.annotations))
    note(job=str(job.id), sample_name=job.sample_name)
    return JSONResponse(job.model_dump(mode="json"), status_code=202, headers={"Location": f"{UPLOAD_PATH}/{job.id}"})


async def _read_form(request: Request, intake: Intake, annotations: AnnotationOffer) -> JobRequest:
    """Pass the file on to the storage and gather the fields; what is wrong already is refused before the file."""
    fields: dict[str, str] = {}
    form = MultipartBody(request.headers.get("content-type", ""), body_of(request))
    while (part := await form.next_part()) is not None:
        if part.name == "file" and part.file_name is not None:
            await annotations.require(job_request(fields, (part.file_name,)).options)
            await intake.receive(part.file_name, form.data(), expected=_announced(request))
        elif part.file_name is not None or part.name == "file":
            raise VarloomError(REQUEST_INVALID, "The file belongs in a field named file, with a file name.")
        elif part.name in fields:
            raise VarloomError(REQUEST_INVALID, f"{safe_excerpt(part.name, 60)}: the field is given twice.")
        else:
            fields[part.name] = await form.text()
    await look_again(request)  # what follows the last part may not have been read
    asked = job_request(fields, intake.names)
    return replace(asked, options=await annotations.require(asked.options))


async def _read_json(request: Request) -> tuple[list[str], JobRequest]:
    """A job without a file: the URLs that it loads, and what else is asked for."""
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > FIELD_LIMIT:
            raise VarloomError(REQUEST_INVALID, f"The JSON body is longer than {FIELD_LIMIT} bytes.")
    fields = _json_object("The body", bytes(body))
    urls = fields.pop("source_urls", None)
    urls = [fields.pop("source_url", None)] if urls is None else urls
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) and url.strip() for url in urls):
        message = "source_url: expected a text, or source_urls with several; a file is sent as multipart/form-data."
        raise VarloomError(REQUEST_INVALID, message)
    return urls, job_request(fields, [path_of(url) for url in urls])


def path_of(url: str) -> str:
    """A URL without what follows its path: what the file is called is its end."""
    return url.partition("?")[0].partition("#")[0].strip()


def job_request(fields: Mapping[str, Any], names: Iterable[str] = ()) -> JobRequest:
    """What the fields ask for; options may stand in `options` or in fields of their own.

    Args:
        fields: of the request.
        names: of the files: those that are called as reads are, are taken for reads unless the fields say otherwise.
    """
    if fields.get("source_url"):
        raise VarloomError(REQUEST_INVALID, "source_url: a URL is sent as JSON, without a file.")
    options = fields.get("options") or {}
    if isinstance(options, str):
        options = _json_object("options", options)
    if not isinstance(options, dict):
        raise VarloomError(REQUEST_INVALID, "options: expected a JSON object.")
    single = {name: value for name, value in fields.items() if name not in _OWN_FIELDS}
    twice = sorted(single.keys() & options.keys())
    if twice:
        raise VarloomError(OPTION_UNKNOWN, f"{safe_excerpt(twice[0], 60)}: the option is given twice.")
    name = fields.get("sample_name")
    if not isinstance(name, str | None):
        raise VarloomError(REQUEST_INVALID, "sample_name: expected a text.")
    chosen = parse_options({"reads": any_are_reads(names), **options, **single})
    return JobRequest(chosen, name, parse_priority(fields.get("priority")))


def _json_object(name: str, text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise VarloomError(REQUEST_INVALID, f"{name}: expected a JSON object.")
    return value


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The bytes of the request as they arrive; at their end it is seen that who sent them may still do so.

    Raises:
        VarloomError: `upload_interrupted`, or `not_authenticated` for who has been shut out meanwhile.
    """
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise VarloomError(UPLOAD_INTERRUPTED, "The connection ended before the whole file had arrived.") from None
    await look_again(request)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def _announced(request: Request) -> int | None:
    """At least how many bytes the file has, by the length of the whole request; its fields take a part of that."""
    length = request.headers.get("content-length", "")
    return max(0, int(length) - FIELD_LIMIT) if length.isdigit() else None
