"""The HTTP server: uvicorn on a socket that is bound before anything else is started."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
from typing import TYPE_CHECKING

import uvicorn

from varloom.errors import VarloomError
from varloom.web.problems import ADDRESS_UNUSABLE, PORT_IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

BACKLOG = 2048
GRACEFUL_SHUTDOWN = 5
"""Seconds that running requests have when the server stops."""

VANISHED_AFTER = 60
"""Seconds after which a client that acknowledges nothing is given up."""
MOST_FILES = 65_536

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to reach what listens everywhere


def bind(host: str, port: int) -> socket.socket:
    """A socket on this address; port 0 takes a free one.

    Raises:
        VarloomError: `port_in_use` or `address_unusable`.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise VarloomError(ADDRESS_UNUSABLE, f"{host}: {error}.") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _notice_the_vanished(listener)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise VarloomError(PORT_IN_USE, f"Port {port} of {host} is in use by another program.") from None
        raise VarloomError(ADDRESS_UNUSABLE, f"{host}, port {port}: {error.strerror}.") from None
    return listener


def _notice_the_vanished(listener: socket.socket) -> None:
    """Let connections, which inherit it, end when their client does not acknowledge what it is sent.

    An open stream is sent a sign of life now and then; the system alone would go on trying for a quarter of an hour.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_AFTER * 1000)


def allow_many_connections() -> None:
    """Raise the number of files that may be open to what the system permits: each open panel is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def url_of(listener: socket.socket) -> str:
    """The address at which this machine reaches the server."""
    host, port = listener.getsockname()[:2]
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class WebServer(uvicorn.Server):
    """Serves an application on a bound socket until `should_exit` is set; signals are left to whoever runs it."""

    def __init__(self, app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                loop="none",
                lifespan="on",
                proxy_headers=False,  # what a proxy tells is weighed by web/proxies.py, and by nobody else
                access_log=False,  # it would write queries; our own log leaves them out
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
            )
        )
        self._listener = listener
        self._on_ready = on_ready

    async def run_until_stopped(self) -> None:
        """Serve until `should_exit` is set."""
        await self.serve(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept requests, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
