"""The answer to a failed request: a problem document for programs, a page for people."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from varloom.errors import INTERNAL_ERROR
from varloom.services.pieces import RangeBeyondError
from varloom.web.problem_documents import problem_response
from varloom.web.security import wants_page
from varloom.web.wes_errors import WES_PREFIX, wes_error_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from varloom.errors import VarloomError

logger = logging.getLogger(__name__)


def error_response(request: Request, error: VarloomError, headers: Mapping[str, str] | None = None) -> Response:
    """What the client is told. Pages are drawn by `app.state.error_page`, where there is one."""
    request_id: str | None = getattr(request.state, "request_id", None)
    if error.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.kind is not INTERNAL_ERROR:
        logger.warning("Request %s failed: %s: %s", request_id, error.code, error.message)
    if isinstance(error, RangeBeyondError):  # what a client needs to ask again (RFC 9110, section 14.4)
        headers = {**(headers or {}), "Content-Range": f"bytes */{error.size}", "Accept-Ranges": "bytes"}
    if error.retry_after is not None:
        headers = {"Retry-After": str(math.ceil(error.retry_after)), **(headers or {})}
    if request.url.path.startswith(f"{WES_PREFIX}/"):
        return wes_error_response(error, headers)
    draw = getattr(request.app.state, "error_page", None)
    if draw is not None and wants_page(request):
        page: Response = draw(request, error)
        page.status_code = error.kind.status
        page.headers.update(headers or {})
        return page
    return problem_response(error, request_id=request_id, headers=headers)
