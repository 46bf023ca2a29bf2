"""Uploads over several requests: tus 1.0 with creation, expiration, checksum and termination."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.arrival import CHECKSUMS, Checksum
from varloom.services.audit import note
from varloom.services.options import parse_options
from varloom.services.preflights import preflight_of_beginning
from varloom.services.problems import REQUEST_INVALID
from varloom.services.read_files import MOST_FILES
from varloom.services.resumable import SetMember
from varloom.services.resumable_rows import ResumableUpload
from varloom.services.upload_views import PreflightView, UploadList, UploadView, upload_view
from varloom.services.uploads import checked_key
from varloom.web.api.create_job import body_of, job_request
from varloom.web.api.openapi import PREFIX
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.error_pages import error_response
from varloom.web.problem_documents import problem_responses
from varloom.web.problems import METHOD_NOT_ALLOWED, TUS_VERSION_UNSUPPORTED, UPLOAD_MEDIA_TYPE_WRONG

RESUMABLE_PATH = f"{PREFIX}/uploads"

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,checksum,termination"
CONTENT_TYPE = "application/offset+octet-stream"
MOST_METADATA = 100
MOST_DIGITS = 18

_FILE_NAME = "filename"


class TusRoute(APIRoute):
    """Names the version of the protocol in every answer, refusals too."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler of FastAPI, completed."""
        handle = super().get_route_handler()

        async def handle_tus(request: Request) -> Response:
            try:
                response = await handle(request)
            except VarloomError as error:
                response = error_response(request, error)
            response.headers["Tus-Resumable"] = VERSION
            return response

        return handle_tus


def require_version(
    tus_resumable: Annotated[str | None, Header(description="1.0.0", json_schema_extra={"enum": [VERSION]})] = None,
) -> None:
    """Refuse a client of another version of the protocol, or of none."""
    if tus_resumable != VERSION:
        message = f"Tus-Resumable: expected {VERSION}, not {safe_excerpt(tus_resumable or 'nothing', 40)}."
        raise VarloomError(TUS_VERSION_UNSUPPORTED, message)


router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=TusRoute)
TUS = [Depends(require_version)]


class UploadChange(BaseModel):
    """What becomes of an upload, instead of what was asked before; options that are not named stay."""

    model_config = ConfigDict(extra="forbid")

    sample_name: str | None = None
    options: dict[str, Any] | None = None


@router.options("", status_code=204)
async def describe_uploads(services: CurrentServices) -> Response:
    """What this server knows of the protocol."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(services.settings.max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        },
    )


@router.post(
    "", status_code=201, dependencies=TUS, response_class=Response, responses=problem_responses(409, 412, 413, 507)
)
async def create_upload(
    services: CurrentServices,
    account: CurrentAccount,
    upload_length: Annotated[str, Header(description="bytes of the whole file")],
    upload_metadata: Annotated[
        str, Header(description="`filename`, `sample_name`, `options` and so on, each with its value in Base64")
    ] = "",
    idempotency_key: Annotated[str | None, Header(description="the same key gives the same upload and job")] = None,
) -> Response:
    """Begin an upload."""
    fields = parse_metadata(upload_metadata)
    name = fields.pop(_FILE_NAME, None)
    member = _member(fields)
    size = _number("Upload-Length", upload_length)
    asked = job_request(fields, [name] if name else [])
    asked = replace(asked, options=await services.annotations.require(asked.options))
    upload = await services.resumable.create(account.id, name, size, asked, idempotency_key, member=member)
    note(upload=str(upload.id))
    location = {"Location": f"{RESUMABLE_PATH}/{upload.id}"}
    return Response(status_code=201, headers={**_standing(upload), **location})


@router.get("")
async def list_uploads(services: CurrentServices, account: CurrentAccount) -> UploadList:
    """Uploads that can be gone on with, newest first."""
    return UploadList(uploads=[upload_view(upload) for upload in await services.resumable.unfinished(account.id)])


@router.post(
    "/preflight",
    openapi_extra={"requestBody": {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def preflight_file(
    request: Request,
    account: CurrentAccount,  # noqa: ARG001 - whoever is logged in may ask
    name: Annotated[str, Query(description="as the user's machine calls the file")],
    size: Annotated[int, Query(ge=0, description="bytes of the whole file")],
) -> PreflightView:
    """Look at the beginning of a file that is still elsewhere: up to a mebibyte of it. Nothing is kept."""
    return PreflightView.model_validate(await preflight_of_beginning(name, size, body_of(request)))


@router.get("/{upload_id}", responses=problem_responses(404))
async def get_upload(services: CurrentServices, account: CurrentAccount, upload_id: UUID) -> UploadView:
    """An upload as it stands; whoever is sending is not disturbed."""
    upload = await services.resumable.get(account.id, upload_id)
    job = await services.jobs.get(account.id, upload.job_id) if upload.job_id else None
    return upload_view(upload, job)


@router.head("/{upload_id}", dependencies=TUS, response_class=Response, responses=problem_responses(404, 412))
async def get_upload_offset(services: CurrentServices, account: CurrentAccount, upload_id: UUID) -> Response:
    """Where to go on; a request that was sending gives way."""
    upload = await services.resumable.resume(account.id, upload_id)
    return Response(headers={**_standing(upload), "Upload-Length": str(upload.bytes), "Cache-Control": "no-store"})


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=TUS,
    response_class=Response,
    openapi_extra={"requestBody": {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
    responses=problem_responses(404, 409, 412, 415, 423, 507),
)
async def receive_bytes(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    upload_id: UUID,
    *,
    upload_offset: Annotated[str, Header(description="where these bytes go on")],
    upload_checksum: Annotated[str | None, Header(description="an algorithm, and the digest in Base64")] = None,
) -> Response:
    """Send bytes; the last of them make the upload a job."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise VarloomError(UPLOAD_MEDIA_TYPE_WRONG, f"Content-Type: expected {CONTENT_TYPE}.")
    offset = _number("Upload-Offset", upload_offset)
    checksum = Checksum.parse(upload_checksum) if upload_checksum is not None else None
    upload = await services.resumable.receive(account.id, upload_id, offset, body_of(request), checksum)
    return Response(status_code=204, headers=_standing(upload))


@router.delete("/{upload_id}", status_code=204, dependencies=TUS, responses=problem_responses(404, 412))
async def cancel_upload(services: CurrentServices, account: CurrentAccount, upload_id: UUID) -> Response:
    """Cancel an upload; the job of a finished one stays."""
    await services.resumable.remove(account.id, upload_id)
    return Response(status_code=204)


@router.post("/{upload_id}", include_in_schema=False, dependencies=TUS)
async def override_method(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    upload_id: UUID,
    *,
    x_http_method_override: Annotated[str, Header()] = "",
    upload_offset: Annotated[str, Header()] = "",
    upload_checksum: Annotated[str | None, Header()] = None,
) -> Response:
    """PATCH and DELETE for clients that can send neither."""
    match x_http_method_override.upper():
        case "PATCH":
            return await receive_bytes(
                request,
                services,
                account,
                upload_id,
                upload_offset=upload_offset,
                upload_checksum=upload_checksum,
            )
        case "DELETE":
            return await cancel_upload(services, account, upload_id)
        case _:
            raise VarloomError(METHOD_NOT_ALLOWED, "X-HTTP-Method-Override: expected PATCH or DELETE.")


@router.post("/{upload_id}/options", responses=problem_responses(404, 409))
async def change_upload(
    services: CurrentServices, account: CurrentAccount, upload_id: UUID, change: UploadChange
) -> UploadView:
    """Change the name or the options while the file is still on its way."""
    await services.annotations.require(parse_options(change.options or {}))
    upload = await services.resumable.change(
        account.id, upload_id, sample_name=change.sample_name, options=change.options
    )
    return upload_view(upload)


def parse_metadata(header: str) -> dict[str, str]:
    """The pairs of Upload-Metadata. Raises `request_invalid`."""
    fields: dict[str, str] = {}
    pairs = [pair.strip() for pair in header.split(",") if pair.strip()]
    if len(pairs) > MOST_METADATA:
        raise VarloomError(REQUEST_INVALID, f"Upload-Metadata: more than {MOST_METADATA} pairs.")
    for pair in pairs:
        name, _, encoded = pair.partition(" ")
        try:
            value = b64decode(encoded.strip(), validate=True).decode("utf-8")
        except (Base64Error, UnicodeDecodeError):
            message = f"Upload-Metadata: the value of {safe_excerpt(name, 40)} is not UTF-8 text in Base64."
            raise VarloomError(REQUEST_INVALID, message) from None
        if name in fields:
            raise VarloomError(REQUEST_INVALID, f"Upload-Metadata: {safe_excerpt(name, 40)} is given twice.")
        fields[name] = value
    return fields


def _member(fields: dict[str, str]) -> SetMember | None:
    """Of which set the file is, taken out of the fields; None for one that is alone. Raises `request_invalid`."""
    key, place, files = (fields.pop(name, None) for name in ("set", "position", "files"))
    if key is None:
        if place is not None or files is not None:
            raise VarloomError(REQUEST_INVALID, "Upload-Metadata: position and files are for the files of a set.")
        return None
    checked_key(key, "Upload-Metadata: set")
    member = SetMember(key, _number("position", place or ""), _number("files", files or ""))
    if not 1 <= member.position <= member.files <= MOST_FILES:
        raise VarloomError(REQUEST_INVALID, f"Upload-Metadata: expected 1 to {MOST_FILES} files, counted from 1.")
    return member


def _number(header: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        raise VarloomError(REQUEST_INVALID, f"{header}: expected a number of bytes, not {safe_excerpt(text, 40)!r}.")
    return int(text)


def _standing(upload: ResumableUpload) -> dict[str, str]:
    """What every answer says of an upload."""
    standing = {"Upload-Offset": str(upload.durable)}
    if upload.job_id is None:
        standing["Upload-Expires"] = format_datetime(upload.expires_at, usegmt=True)
    return standing
