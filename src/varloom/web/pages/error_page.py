"""An error as people read it: a page in the same look, or, for a part of a page, a document for its script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.web.pages.rendering import standalone_page
from varloom.web.problem_documents import problem_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from varloom.errors import VarloomError


def error_page(request: Request, error: VarloomError) -> Response:
    """The answer to a failed request for a page."""
    request_id: str | None = getattr(request.state, "request_id", None)
    if "hx-request" in request.headers:
        return problem_response(error, request_id=request_id)
    return standalone_page(
        request,
        "error.html",
        status=error.kind.status,
        title=error.kind.title,
        message=error.message,
        steps=error.resolution or error.kind.resolution,
        code=error.code,
        request_id=request_id,
    )
