"""The web application: routes, what stands before them, and how their errors are told."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.routing import Match

import varloom
from varloom.errors import VarloomError
from varloom.web import pages
from varloom.web.api import router as api_router
from varloom.web.api.create_job import UPLOAD_PATH
from varloom.web.api.health import router as health_router
from varloom.web.api.manifests import MANIFEST_PATH
from varloom.web.api.metrics import router as metrics_router
from varloom.web.api.openapi import describe
from varloom.web.api.uploads import RESUMABLE_PATH
from varloom.web.audited import AuditTrail
from varloom.web.body_limit import BodyLimit
from varloom.web.error_pages import error_response
from varloom.web.ga4gh import router as ga4gh_router
from varloom.web.login import router as login_router
from varloom.web.openid_login import router as openid_router
from varloom.web.problem_documents import from_http_exception, from_validation_error
from varloom.web.proxies import ForwardedHeaders
from varloom.web.rate_limit import RateLimit
from varloom.web.request_log import RequestLog
from varloom.web.security import Gate, HostCheck, SecurityHeaders, look_again
from varloom.web.streams import OpenStreams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from starlette.requests import Request
    from starlette.responses import Response

    from varloom.services.container import Services
    from varloom.settings import Settings

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Exports are made in threads, but would be compressed in the loop: a piece of megabytes held up everyone for 200 ms.
_UPLOADS = re.compile(rf"{UPLOAD_PATH}|{MANIFEST_PATH}(/preflight)?|{RESUMABLE_PATH}/[^/]+")
_EXPORTS = ("text/csv", "text/tab-separated-values", "application/jsonl", "application/vnd.apache.parquet")
# Alignments, and tickets that hold reads, are packed already, and a browser wants the length of what it downloads.
_GA4GH = ("bam", "cram", "htsget.v1.3.0+json")
_PACKED = ("application/octet-stream", *(f"application/vnd.ga4gh.{name}" for name in _GA4GH))
_NOT_COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *_EXPORTS, *_PACKED)


def create_app(settings: Settings, open_services: Callable[[], AbstractAsyncContextManager[Services]]) -> FastAPI:
    """The application.

    Args:
        settings: the settings of the server.
        open_services: opens the use cases when the server starts; they are closed when it stops.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            async with contextlib.aclosing(OpenStreams(services.accounts)) as app.state.streams:
                yield

    app = FastAPI(
        title="Varloom",
        version=varloom.__version__,
        openapi_url=None,  # served by the API itself, behind the login
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(look_again)],
        middleware=[
            Middleware(ForwardedHeaders, peers=settings.proxy_peers),
            Middleware(SecurityHeaders),
            Middleware(RequestLog),
            Middleware(HostCheck, host=settings.host, names=settings.hosts),
            Middleware(GZipMiddleware, compresslevel=5, exclude_content_types=_NOT_COMPRESSED),
            Middleware(Gate),
            Middleware(RateLimit, per_minute=settings.requests_per_minute),
            Middleware(AuditTrail),
            Middleware(BodyLimit, exempt=_UPLOADS),
        ],
        exception_handlers=_handlers(),
    )
    app.state.error_page = pages.error_page
    app.include_router(health_router)
    app.include_router(metrics_router)
    app.include_router(login_router)
    app.include_router(openid_router)
    app.include_router(api_router)
    app.include_router(ga4gh_router)
    app.include_router(pages.router)
    app.mount("/static", pages.static_files())
    describe(app)
    return app


def _handlers() -> dict[Any, Callable[[Request, Any], Coroutine[Any, Any, Response]]]:
    """How each kind of failure within a route becomes an answer; all others reach `RequestLog`."""
    return {
        VarloomError: _told,
        HTTPException: _http_failure,
        RequestValidationError: _invalid,
    }


async def _told(request: Request, error: VarloomError) -> Response:
    return error_response(request, error)


async def _http_failure(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(_methods_of(request))
    return error_response(request, from_http_exception(error), headers)


def _methods_of(request: Request) -> list[str]:
    """The methods of an address. A route knows only its own, and several may share the address."""
    asked = {method: {**request.scope, "method": method} for method in _METHODS}
    return [
        method
        for method, scope in asked.items()
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    return error_response(request, from_validation_error(error))
