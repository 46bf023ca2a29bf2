"""What stands before every route: response headers, the Host check, the login gate and the cross-site check."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from varloom import log_lines
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import NOT_AUTHENTICATED
from varloom.services.accounts import PROXY_WORD, TOKEN_PREFIX
from varloom.services.audit import Asking
from varloom.web.dependencies import Identity, client_of
from varloom.web.problems import CROSS_SITE_REFUSED, HOST_REFUSED, PAGE_NOT_FOUND
from varloom.web.proxies import proxy_user
from varloom.web.scopes import require_scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from varloom.services.container import Services

SESSION_COOKIE = "varloom_session"
LOGIN_PATH = "/login"
OPENID_PATH = f"{LOGIN_PATH}/openid"
OPENID_CALLBACK = f"{OPENID_PATH}/callback"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_OPEN_PATHS = frozenset({"/healthz", "/readyz", LOGIN_PATH, OPENID_PATH, OPENID_CALLBACK, "/favicon.ico"})
_OPEN_PREFIXES = ("/static/",)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def content_security_policy(nonce: str) -> str:
    """The policy of a response: everything from this server, no inline script; inline styles by nonce only."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Adds the security headers to every response; a route may set its own value for any of them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["csp_nonce"] = nonce

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", content_security_policy(nonce))
                if not scope["path"].startswith(_OPEN_PREFIXES):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class HostCheck:
    """Refuses requests for a host name that is not ours, by which a foreign page could reach a local server.

    Names of this machine, the configured host and the further names of the settings pass. An address passes too: DNS
    cannot rebind an address.
    """

    def __init__(self, app: ASGIApp, host: str, names: Iterable[str] = ()) -> None:
        self.app = app
        self.names = frozenset([*_own_names(host), *(name.lower() for name in names)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and not self.allows(Headers(scope=scope).get("host", "")):
            raise VarloomError(HOST_REFUSED, "This server does not go by the host name of the request.")
        await self.app(scope, receive, send)

    def allows(self, host_header: str) -> bool:
        """Whether the Host header names this server."""
        name = _host_name(host_header)
        return name is not None and (name in self.names or name.endswith(".localhost") or _is_address(name))


class Gate:
    """Lets in who is logged in, and nobody else except to the few open paths."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "\n" in scope["path"]:
            # The router overlooks a line feed at the end; scopes and the audit log know addresses to the letter.
            raise VarloomError(PAGE_NOT_FOUND, "There is nothing at this address.")
        connection = HTTPConnection(scope)
        unsafe = scope["method"] not in SAFE_METHODS
        if is_open(scope["path"]):
            if unsafe:
                refuse_cross_site(connection, proof_required=False)
            await self.app(scope, receive, send)
            return
        identity = await identify(connection)
        if identity is None:
            await self._turn_away(connection, scope, receive, send)
            return
        if identity.via != "token" and unsafe:
            refuse_cross_site(connection, proof_required=True)
        require_scope(identity, scope["method"], scope["path"])
        scope.setdefault("state", {})["identity"] = identity
        log_lines.add(account_id=identity.account.id)
        await self.app(scope, receive, send)

    async def _turn_away(self, connection: HTTPConnection, scope: Scope, receive: Receive, send: Send) -> None:
        """Send people to the login page, and programs a problem document."""
        if not wants_page(connection):
            raise VarloomError(NOT_AUTHENTICATED, "This needs an API token or a session.")
        if "hx-request" in connection.headers:
            response = Response(status_code=401, headers={"HX-Redirect": LOGIN_PATH})
        else:
            target = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
            location = LOGIN_PATH if target == "/" else f"{LOGIN_PATH}?next={quote(target, safe='')}"
            response = RedirectResponse(location, status_code=303)
        await response(scope, receive, send)


async def look_again(request: Request) -> None:
    """See that who asks may still ask: the body of a request can come long after its head, at which the gate looked.

    It runs when a body that a route takes as JSON or as a form has come whole, and gives the route the account as it is
    now. Routes that read their body by themselves, as those of uploads do, look again when they have.

    Raises:
        VarloomError: `not_authenticated` for who was let in, and has been shut out since.
    """
    identity: Identity | None = getattr(request.state, "identity", None)
    if identity is None or request.method in SAFE_METHODS:
        return
    now = await identify(request)
    if now is None or now.account.id != identity.account.id:
        raise VarloomError(NOT_AUTHENTICATED, "The API token or the session ended before the request had come whole.")
    request.state.identity = now


async def identify(connection: HTTPConnection) -> Identity | None:
    """Who is asking: by an API token, else by the word of a trusted proxy, else by the session cookie; or None.

    A proxy that logs people in may pass on what they showed it, so beside its word nothing but our own tokens counts.
    """
    services: Services = connection.app.state.services
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    named = proxy_user(connection, services.settings.proxy_user_header)
    if named is not None and not (scheme.lower() == "bearer" and token.strip().startswith(TOKEN_PREFIX)):
        request_id = connection.scope.get("state", {}).get("request_id")
        account = await services.proxy_users.account(named, Asking(None, "proxy", client_of(connection), request_id))
        return Identity(account, "proxy", f"{PROXY_WORD}{account.id}")
    if scheme:
        if scheme.lower() != "bearer" or not token.strip():
            return None
        grant = await services.accounts.authenticate_token(token.strip())
        if grant is None:
            return None
        return Identity(grant.account, "token", token.strip(), grant.scope, grant.expires_at)
    session = connection.cookies.get(SESSION_COOKIE)
    if not session:
        return None
    found = await services.accounts.authenticate_session(session)
    return Identity(found, "session", session) if found else None


def refuse_cross_site(connection: HTTPConnection, *, proof_required: bool) -> None:
    """Refuse a changing request that another site's page may have sent.

    Args:
        connection: the request.
        proof_required: whether a request that does not say where it comes from is refused; browsers always say.

    Raises:
        VarloomError: `cross_site_refused`.
    """
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    elif origin is not None:
        same = urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower()
    else:
        same = not proof_required
    if not same:
        place = safe_excerpt(origin, 80) if origin else "an unknown place"
        raise VarloomError(CROSS_SITE_REFUSED, f"The request comes from {place}.")


def is_open(path: str) -> bool:
    """Whether the path is served without a login."""
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def wants_page(connection: HTTPConnection) -> bool:
    """Whether a person looks at the answer, rather than a program."""
    return not connection.scope["path"].startswith(("/api/", "/ga4gh/")) and "text/html" in connection.headers.get(
        "accept", ""
    )


def local_target(target: str | None) -> str:
    """Where to go after the login: a path on this server, whatever the address asked for."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return "/"
    return target


def _own_names(host: str) -> Iterable[str]:
    yield "localhost"
    yield host.strip("[]").lower()
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared with, not bound to
        yield socket.gethostname().lower()
        yield f"{socket.gethostname().lower()}.local"
        yield socket.getfqdn().lower()


def _host_name(header: str) -> str | None:
    """The host of a Host header, without its port and brackets."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
