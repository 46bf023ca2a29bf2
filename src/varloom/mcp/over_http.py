"""MCP over streamable HTTP: every request brings its own API token, and sees the account of that token alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio.to_thread
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse

from varloom.errors import VarloomError
from varloom.mcp.problems import BEARER_TOKEN_MISSING
from varloom.mcp.server import Context, make_server
from varloom.services.account_problems import NOT_AUTHENTICATED

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from varloom.mcp.tool import Varloom

Accounts = Callable[[str], "Varloom"]
"""The account of an API token."""

PATH = "/mcp"
_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")

logger = logging.getLogger(__name__)


def make_app(accounts: Accounts, *, allow_changes: bool, names: Sequence[str] = ()) -> ASGIApp:
    """The application that serves `/mcp`.

    Args:
        accounts: gives the account of an API token; nothing is asked of the Varloom server before it is used.
        allow_changes: whether tools that change something are offered.
        names: host names and addresses under which requests may come, beside those of this machine.
    """
    settings = allowed(names)
    server = make_server(lambda context: accounts(_token_of(context)), allow_changes=allow_changes)
    # no sessions: nothing of one request can come into another's hands
    app = server.streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, json_response=True, transport_security=settings
    )
    return Gate(app, accounts, settings)


def allowed(names: Sequence[str]) -> TransportSecuritySettings:
    """Which Host and Origin headers are accepted: those of this machine and of the given names, with any port."""
    hosts = [*_OWN_NAMES, *(f"[{name}]" if ":" in name else name.lower() for name in names)]
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(
        allowed_hosts=[*hosts, *(f"{host}:*" for host in hosts)],
        allowed_origins=[*origins, *(f"{origin}:*" for origin in origins)],
    )


class Gate:
    """Lets requests in that come under a name of ours, from no foreign page, with the token of an account."""

    def __init__(self, app: ASGIApp, accounts: Accounts, settings: TransportSecuritySettings) -> None:
        self.app = app
        self.accounts = accounts
        self.origins = TransportSecurityMiddleware(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = await self.origins.validate_request(Request(scope)) or await self._refusal(bearer_token(scope))
        await (refusal or self.app)(scope, receive, send)

    async def _refusal(self, token: str | None) -> JSONResponse | None:
        if token is None:
            return _unauthorized("The request has no header `Authorization: Bearer TOKEN`.")
        try:
            await anyio.to_thread.run_sync(lambda: self.accounts(token).get("/jobs", limit=1))
        except VarloomError as error:
            if error.code == NOT_AUTHENTICATED.code:
                return _unauthorized("The token is unknown or revoked.")
            # The server is away, perhaps. The list of tools is no secret, and every tool tells by itself what is wrong.
            logger.info("The token of a request was not checked: %s", error.code)
        return None


def bearer_token(scope: Scope) -> str | None:
    """The token that a request brings; None when it brings none that can be one."""
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    token = token.strip()
    usable = scheme.lower() == "bearer" and token and token.isascii() and token.isprintable()
    return token if usable else None


def _token_of(context: Context) -> str:
    token = bearer_token(context.request.scope) if isinstance(context.request, Request) else None
    if token is None:
        raise VarloomError(BEARER_TOKEN_MISSING, "The request brings no token.")
    return token


def _unauthorized(detail: str) -> JSONResponse:
    document = {
        "type": "about:blank",
        "status": BEARER_TOKEN_MISSING.status,
        "title": BEARER_TOKEN_MISSING.title,
        "detail": detail,
        "code": BEARER_TOKEN_MISSING.code,
        "resolution": list(BEARER_TOKEN_MISSING.resolution),
    }
    return JSONResponse(
        document,
        status_code=BEARER_TOKEN_MISSING.status,
        headers={"WWW-Authenticate": 'Bearer realm="Varloom"'},
        media_type="application/problem+json",
    )
