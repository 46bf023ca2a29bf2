"""Calling a webhook: signed as Standard Webhooks says, at an address that the guard allows, and never further.

The connection is made to the very address that the guard has judged. No redirect is followed, and no byte of the
answer's body is read: its status is all that is wanted.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpcore

from varloom import __version__
from varloom.errors import VarloomError
from varloom.services.notices.outcome import Outcome
from varloom.services.notices.problems import NOTICE_INVALID
from varloom.transfer.guard import normal_host
from varloom.transfer.http_client import Origin, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from varloom.transfer.guard import Guard

# What they say at level DEBUG holds whole headers and addresses.
for _name in ("httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    logging.getLogger(_name).setLevel(logging.WARNING)

TIMEOUT = 10.0
"""Seconds for a whole call, name service and TLS included."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret: it lets people and secret scanners recognise one
KEY_BYTES = 32
LONGEST_URL = 2048
GONE = 410


def new_key() -> str:
    """A key that signs, in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def signed_headers(call_id: UUID, body: bytes, keys: Iterable[str], now: int | None = None) -> dict[str, str]:
    """The headers by which a receiver knows who calls: one signature for each key, the newest first."""
    timestamp = int(time.time()) if now is None else now
    content = f"{call_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(base64.b64decode(key), content, hashlib.sha256)).decode() for key in keys
    ]
    return {
        "webhook-id": str(call_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def checked_url(url: str, guard: Guard) -> str:
    """The URL of a webhook that the user gave, trimmed.

    Raises:
        VarloomError: `notice_invalid`; nothing of the URL but its host is repeated.
    """
    given = url.strip()
    if not 0 < len(given) <= LONGEST_URL or not given.isascii() or not given.isprintable() or " " in given:
        raise VarloomError(
            NOTICE_INVALID, f"url: expected up to {LONGEST_URL:,} characters of a web address, percent-encoded."
        )
    try:
        origin, parts = Origin.of(given), urlsplit(given)
    except ValueError:
        raise VarloomError(NOTICE_INVALID, "url: this is no web address.") from None
    if origin.scheme not in {"https", "http"} or not origin.host or not 0 < origin.port < 65536:
        raise VarloomError(NOTICE_INVALID, "url: expected a web address that begins with https://.")
    if "@" in parts.netloc or "\\" in given or parts.hostname is None or normal_host(parts.hostname) != origin.host:
        raise VarloomError(NOTICE_INVALID, "url: a user, a password or a backslash cannot be in it.")
    if origin.scheme == "http" and not guard.is_listed(origin.host, origin.port):
        message = f"url: http:// to {origin.host} is read and changed by anyone on the way; use https://."
        raise VarloomError(NOTICE_INVALID, message)
    return given.partition("#")[0]


def shown_origin(url: str) -> str:
    """What may be shown of a webhook's URL: path and query are often its secret."""
    parts = urlsplit(url)
    rest = "/\u2026" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{rest}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls webhooks.

    Attributes:
        guard: which addresses may be reached.
        proxy: the operator's proxy, through which all goes.
        timeout: seconds for a whole call.
    """

    guard: Guard
    proxy: str | None = None
    timeout: float = TIMEOUT

    async def call(self, url: str, call_id: UUID, body: bytes, keys: Sequence[str]) -> Outcome:
        """Send one notice; how it went. It never raises for what the other side does."""
        origin = Origin.of(url)
        try:
            async with asyncio.timeout(self.timeout):
                headers = _HEADERS | {**signed_headers(call_id, body, keys)}
                status = await self._status(url, origin, headers, body)
        except VarloomError as error:
            return Outcome(problem=error.message)
        except _FAILURES as error:
            return Outcome(problem=self._why(origin.host, error))
        return _outcome_of(status)

    def _why(self, host: str, error: BaseException) -> str:
        """In words of our own: those of libraries could repeat the URL."""
        if isinstance(error, (TimeoutError, httpcore.TimeoutException)):
            return f"There was no answer within {self.timeout:g} seconds."
        if isinstance(error, (httpcore.ConnectError, OSError)):
            return _why_unreachable(host, error)
        return f"{host} ended the connection without an answer."

    async def _status(self, url: str, origin: Origin, headers: dict[bytes | str, bytes | str], body: bytes) -> int:
        if origin.scheme != "https" and not self.guard.is_listed(origin.host, origin.port):
            raise VarloomError(NOTICE_INVALID, f"{origin.host} would be called without TLS.")  # listed no more
        if self.proxy is not None:
            await asyncio.to_thread(self.guard.check_for_proxy, origin.host, origin.port)
        context = await asyncio.to_thread(tls_context)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=context, **self._way()) as pool,
            pool.stream("POST", url, headers=headers, content=body) as answer,
        ):
            return int(answer.status)

    def _way(self) -> dict[str, Any]:
        """Straight, by the guard's addresses; or through the operator's proxy, which keeps from private ones itself."""
        if self.proxy is None:
            return {"network_backend": _GuardedNetwork(self.guard)}
        parts = urlsplit(self.proxy)
        login = (unquote(parts.username or ""), unquote(parts.password or "")) if parts.username else None
        return {"proxy": httpcore.Proxy(f"http://{parts.netloc.rpartition('@')[2]}", auth=login)}


_HEADERS: dict[bytes | str, bytes | str] = {
    "User-Agent": f"varloom/{__version__}",
    "Content-Type": "application/json",
    "Accept": "*/*",
    "Connection": "close",
}


_FAILURES = (
    TimeoutError,
    OSError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)


def _outcome_of(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status=status, delivered=True)
    if status == GONE:
        return Outcome(status=status, problem="It answered 410: it wants no more notices.", gone=True)
    told = "redirects are not followed" if 300 <= status < 400 else "expected was 200 to 299"
    return Outcome(status=status, problem=f"It answered {status}; {told}.")


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that the guard has judged, and to nothing else."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in await asyncio.to_thread(self._guard.addresses, normal_host(host), port):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _why_unreachable(host: str, error: BaseException) -> str:
    """What lies behind a connection that did not come about."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {host} is not trusted: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return f"{host} does not speak TLS as it should."
        cause = cause.__cause__ or cause.__context__
    return f"{host} cannot be reached."
