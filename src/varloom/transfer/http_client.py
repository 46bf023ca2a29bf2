"""HTTP for transfers: every connection is made by the guard, and redirects are followed here, one by one.

urllib3 speaks the protocol. It never follows a redirect, repeats a request or reads the environment by itself.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import make_headers, parse_url

from varloom import __version__
from varloom.errors import VarloomError
from varloom.transfer.guard import normal_host
from varloom.transfer.problems import DOWNLOAD_REDIRECT_REFUSED, DOWNLOAD_UNREACHABLE

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from varloom.transfer.guard import Guard

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings hold whole URLs, signatures included

CONNECT_TIMEOUT = 10.0
MOST_REDIRECTS = 5
ERROR_BODY = 64 * 1024
"""So many bytes of a refusal are read: its code stands at the beginning."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_OF_ONE_HOST = frozenset({"authorization", "cookie", "x-ms-version"})
"""Headers that are for the host alone for which they were meant."""


class ConnectFailedError(Exception):
    """No connection came about; `__cause__` is what the system says."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what a credential is bound to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """That of a web address, read by the one who connects: others see another host behind a backslash.

        Raises:
            ValueError: it cannot be read.
        """
        parts = parse_url(url)
        scheme = (parts.scheme or "").lower()
        return cls(scheme, normal_host(parts.host or ""), parts.port or _PORTS.get(scheme, 0))


class DirectResponse(http.client.HTTPResponse):
    """An answer whose body can be read as it comes, into memory that is there already.

    What urllib3 offers for that makes a new object of each piece, and with TLS no piece is larger than 16 KiB.
    """

    @property
    def tells_its_length(self) -> bool:
        """Whether it said beforehand how many bytes it has; otherwise somebody must look for its end in them."""
        return self.length is not None and not self.chunked

    def read_some_into(self, room: memoryview) -> int:
        """Read what has come, at most as much as there is room for: how many bytes; 0 at the end."""
        if self.isclosed() or self.length is None:
            return 0
        count = self.fp.readinto1(room[: self.length])
        self.length -= count
        if not count or not self.length:
            self.close()
        return count


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The beginning of an answer; its body is still to be read. `url` is where it came from in the end."""

    url: str
    response: urllib3.BaseHTTPResponse

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.response.status)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names are compared without regard to case."""
        return self.response.headers

    def read_into(self, room: memoryview) -> int:
        """Read what has come of the body, at most as much as there is room for: how many bytes; 0 at its end.

        Raises:
            urllib3.exceptions.HTTPError, OSError: the network.
        """
        direct = self.response._original_response  # type: ignore[attr-defined]  # noqa: SLF001 - what our connection made
        if isinstance(direct, DirectResponse) and direct.tells_its_length:
            return direct.read_some_into(room)
        piece = self.response.read1(len(room), decode_content=False)
        room[: len(piece)] = piece
        return len(piece)

    def error_body(self) -> str:
        """The beginning of the body as text."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self.response.read(ERROR_BODY, decode_content=False).decode("utf-8", "replace")
        return ""

    def end(self) -> None:
        """Give the connection back, now that all has been read."""
        self.response.release_conn()

    def interrupt(self) -> None:
        """Let another thread that waits for the body wait no more."""
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self.response.shutdown()

    def drop(self) -> None:
        """Read no more; the connection ends unless all was read."""
        self.response.close()


class HttpClient:
    """Asks servers that the guard allows. Thread-safe.

    Args of the constructor:
        guard: what may be reached.
        silence: seconds without a byte after which a request fails.
        proxy: the operator's proxy, through which all goes.
    """

    def __init__(self, guard: Guard, *, silence: float, proxy: str | None = None) -> None:
        self._guard = guard
        self._has_proxy = proxy is not None
        options: dict[str, Any] = {
            "num_pools": 4,
            "maxsize": 8,
            "retries": False,
            "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT, read=silence),
            "ssl_context": tls_context(),
        }
        self._pools = urllib3.PoolManager(**options) if proxy is None else _through(proxy, options)
        self._pools.pool_classes_by_scheme = _pool_classes(None if proxy else guard)

    def close(self) -> None:
        """End the connections that are kept."""
        self._pools.clear()

    def get(self, url: str, headers: Mapping[str, str], *, method: str = "GET") -> Answer:
        """Ask, and follow where the source sends us.

        Headers that prove who asks go to the origin of `url` alone.

        Raises:
            VarloomError: `download_address_refused`, `download_dns` or `download_redirect_refused`.
            ConnectFailedError, urllib3.exceptions.HTTPError: the network.
        """
        first, given = Origin.of(url), dict(headers)
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(method, url, given)
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            answer.drop()
            url = self._redirected(url, answer.headers["location"])
            if Origin.of(url) != first:
                given = {name: value for name, value in given.items() if name.lower() not in _OF_ONE_HOST}
        raise VarloomError(DOWNLOAD_REDIRECT_REFUSED, f"{first.host} sends us on more than {MOST_REDIRECTS} times.")

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        origin = Origin.of(url)
        if origin.scheme != "https" and not self._guard.is_listed(origin.host, origin.port):
            raise VarloomError(
                DOWNLOAD_REDIRECT_REFUSED, f"{origin.host} would be asked without TLS, which only listed hosts may be."
            )
        if self._has_proxy:
            self._guard.check_for_proxy(origin.host, origin.port)
        response = self._pools.request(
            method,
            url,
            headers={"User-Agent": f"varloom/{__version__}", "Accept": "*/*", **headers},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        if self._has_proxy and origin.scheme == "http" and response.status == 407:  # the proxy's own answer
            response.close()
            raise proxy_failure(response.status)
        return Answer(url, response)

    def _redirected(self, url: str, location: str) -> str:
        """Where a redirect leads."""
        before = Origin.of(url)
        try:
            target = urljoin(url, location)
            after = Origin.of(target)
        except ValueError:
            raise VarloomError(DOWNLOAD_REDIRECT_REFUSED, f"{before.host} sends us to no web address.") from None
        if after.scheme not in _PORTS or not after.host:
            raise VarloomError(DOWNLOAD_REDIRECT_REFUSED, f"{before.host} sends us to no web address.")
        if before.scheme == "https" and after.scheme == "http":
            raise VarloomError(
                DOWNLOAD_REDIRECT_REFUSED, f"{before.host} sends us from https:// to http:// at {after.host}."
            )
        return target


def proxy_failure(status: int | None) -> VarloomError:
    """The failure of the operator's proxy to let us through, with its status where it gave one."""
    told = "cannot be reached" if status is None else f"answers {status}"
    return VarloomError(DOWNLOAD_UNREACHABLE, f"The egress proxy {told}.")


def _through(proxy: str, options: dict[str, Any]) -> urllib3.ProxyManager:
    """Connections through the operator's proxy, to which name and password are proved: urllib3 does not take them."""
    parts = parse_url(proxy)
    login = ":".join(unquote(part) for part in parts.auth.split(":", 1)) if parts.auth else None
    headers = make_headers(proxy_basic_auth=login, proxy_basic_auth_encoding="utf-8") if login else None
    return urllib3.ProxyManager(parts._replace(auth=None).url, proxy_headers=headers, **options)


def tls_context() -> ssl.SSLContext:
    """Certificates of the system, or of SSL_CERT_FILE; those of the package certifi where the system has none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not _has_folder_of_certificates():
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _has_folder_of_certificates() -> bool:
    paths = ssl.get_default_verify_paths()
    return paths.capath is not None


class DirectConnection(HTTPConnection):
    """Gives answers that can be read into memory."""

    response_class = DirectResponse


class DirectTlsConnection(HTTPSConnection):
    """The same with TLS."""

    response_class = DirectResponse


class DirectPool(HTTPConnectionPool):
    """Connections to one host."""

    ConnectionCls = DirectConnection


class DirectTlsPool(HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = DirectTlsConnection


def _pool_classes(guard: Guard | None) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools whose connections the guard makes; as they are where the operator's proxy makes them."""
    if guard is None:
        return {"http": DirectPool, "https": DirectTlsPool}

    def connect(connection: HTTPConnection) -> socket.socket:
        try:
            return guard.connect(connection.host, connection.port, CONNECT_TIMEOUT)
        except OSError as error:
            raise ConnectFailedError from error

    class GuardedConnection(DirectConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class GuardedTlsConnection(DirectTlsConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class GuardedPool(HTTPConnectionPool):
        ConnectionCls = GuardedConnection

    class GuardedTlsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedTlsConnection

    return {"http": GuardedPool, "https": GuardedTlsPool}
