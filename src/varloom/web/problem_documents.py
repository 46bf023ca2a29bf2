"""Errors as the API tells them: RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from varloom.errors import INTERNAL_ERROR, ErrorKind, VarloomError, define
from varloom.services.account_problems import NOT_AUTHENTICATED
from varloom.services.problems import REQUEST_INVALID
from varloom.services.views import ProblemView  # noqa: TC001 - pydantic reads the annotations
from varloom.web.problems import BODY_TOO_LARGE, METHOD_NOT_ALLOWED, PAGE_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

REQUEST_FAILED = define(
    "request_failed",
    "The request failed",
    cause="The request could not be understood or answered.",
    resolution=("Correct the request; docs/reference/api.md describes each route.",),
)

_KIND_OF_STATUS: dict[int, ErrorKind] = {
    HTTPStatus.UNAUTHORIZED: NOT_AUTHENTICATED,
    HTTPStatus.NOT_FOUND: PAGE_NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BODY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY: REQUEST_INVALID,
}


class ProblemDocument(BaseModel):
    """An error of the API (RFC 9457). Its media type is `application/problem+json`."""

    type: str = Field(description="a URI of the kind of error", examples=["urn:varloom:job_not_found"])
    title: str
    status: int
    detail: str
    code: str = Field(description="stable; scripts may rely on it")
    stage: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None
    excerpt: str | None = None
    resolution: list[str]
    retryable: bool
    problems: list[ProblemView] = []
    request_id: str | None = Field(default=None, description="the name of this request in the server's log")


def problem_document(error: VarloomError, request_id: str | None = None) -> ProblemDocument:
    """The document for an error."""
    told = error.as_dict()
    return ProblemDocument(
        type=f"urn:varloom:{error.code}",
        status=error.kind.status,
        detail=told.pop("message"),
        request_id=request_id,
        **{name: told[name] for name in ProblemDocument.model_fields if name in told},
    )


def problem_response(
    error: VarloomError, *, request_id: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response for an error."""
    document = problem_document(error, request_id)
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if document.status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return JSONResponse(document.model_dump(mode="json"), document.status, sent, MEDIA_TYPE)


def internal_error() -> VarloomError:
    """What is told of an unexpected error: nothing but where to find more."""
    return VarloomError(
        INTERNAL_ERROR, "The server met an unexpected error. Its log has the details under this request's id."
    )


def from_http_exception(error: HTTPException) -> VarloomError:
    """The same failure as one of ours."""
    kind = _KIND_OF_STATUS.get(error.status_code)
    if kind is None and error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_error()
    if kind is None:
        kind = ErrorKind(
            REQUEST_FAILED.code,
            REQUEST_FAILED.title,
            REQUEST_FAILED.cause,
            REQUEST_FAILED.resolution,
            status=error.status_code,
        )
    return VarloomError(kind, kind.cause if kind is not REQUEST_FAILED else str(error.detail))


def from_validation_error(error: RequestValidationError) -> VarloomError:
    """The first invalid field of a request, named; what was sent is not repeated."""
    first: dict[str, Any] = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in {"body", "query", "path", "header"}]
    name = ".".join(place) or str(first["loc"][0])
    return VarloomError(REQUEST_INVALID, f"{name}: {first['msg']}.")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the problems that a route can answer with, beside those that every route has."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in statuses
    }
