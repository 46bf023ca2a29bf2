"""Gives each request a name, writes it to the log without its query, and answers for what went wrong."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING

from starlette.requests import Request

from varloom import tracing
from varloom.errors import VarloomError
from varloom.log_lines import bound, current
from varloom.web.error_pages import error_response
from varloom.web.problem_documents import internal_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

access = logging.getLogger("varloom.access")
logger = logging.getLogger(__name__)

_JOB = re.compile(r"/jobs?/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/|$)")
_API = "/api/v1"
_TRACE = b"traceparent"
REQUEST_ID_HEADER = "X-Request-ID"


class RequestLog:
    """The outermost layer that knows the request: its id, its line in the log, and the last resort for its errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        job = _JOB.search(scope["path"])
        about = {"job_id": job[1].lower()} if job else {}
        traced = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name == _TRACE}
        with bound(request_id=request_id, **about), tracing.request(scope["method"], traced) as span:
            status = await self._serve(scope, receive, send, request_id)
            span.tell(
                f"{scope['method']} {_route_of(scope)}",
                failed=f"http_{status}" if status >= 500 else None,
                http__request__method=scope["method"],
                http__route=_route_of(scope),
                http__response__status_code=status,
                **current(),
            )

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> int:
        """The status of the answer; 0 when none began."""
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER.lower().encode(), request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            raise
        except VarloomError as error:
            await _answer(error, scope, receive, send_with_id, begun=status != 0)
        except Exception:
            logger.exception("Request %s failed: %s %s", request_id, scope["method"], _one_line(scope["path"]))
            await _answer(internal_error(), scope, receive, send_with_id, begun=status != 0)
        finally:
            took = round((time.perf_counter() - began) * 1000, 1)
            method, path = scope["method"], _one_line(scope["path"])
            fields = {"method": method, "path": path, "status": status, "milliseconds": took}
            access.info("%s %s %s %d %.1f ms", request_id, method, path, status, took, extra={"fields": fields})
        return status


async def _answer(error: VarloomError, scope: Scope, receive: Receive, send: Send, *, begun: bool) -> None:
    """Tell the error; where the response has begun already, break it off, so that it cannot pass for complete."""
    if begun:
        raise error
    response = error_response(Request(scope), error)
    await response(scope, receive, send)


def _route_of(scope: Scope) -> str:
    """The route with the names of its parameters; who asks for what is not in it."""
    route = str(getattr(scope.get("route"), "path", ""))
    if route and scope["path"].startswith(f"{_API}/") and not route.startswith(f"{_API}/"):
        return _API + route  # the pages have routes of the same names
    return route or "unknown"


def _one_line(path: str) -> str:
    """A path is chosen by the client: it must not be able to forge lines of the log."""
    return "".join(char if char.isprintable() else "?" for char in path)
