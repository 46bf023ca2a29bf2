"""Refusals in the shape of GA4GH's Workflow Execution Service."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.errors import VarloomError

WES_PREFIX = "/ga4gh/wes/v1"


def wes_error_response(error: VarloomError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The ErrorResponse of WES 1.1. It knows no 422: a request that cannot be understood is malformed (400)."""
    status = error.kind.status
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        {"msg": f"{error.title}: {error} ({error.code})", "status_code": int(status)}, int(status), sent
    )
