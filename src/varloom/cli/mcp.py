"""`varloom mcp`: tools for chat assistants, over stdio or HTTP."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, ServerChoice, server_options
from varloom.cli.problems import SERVER_UNREACHABLE
from varloom.cli.server_settings import log_to_stderr
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

DEFAULT_PORT = 8401


@click.command()
@click.option("--http", is_flag=True, help="Serve streamable HTTP; default: standard input and output.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="With --http: port to listen on; 0 takes a free one.",
)
@click.option(
    "--allowed-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="With --http: a further name under which requests may come, as behind a proxy; may be repeated.",
)
@click.option("--allow-changes", is_flag=True, help="Offer the tools that submit, retry and cancel jobs, too.")
@click.option("-v", "--verbose", is_flag=True, help="Log every step to the standard error.")
@server_options
def mcp(
    *,
    http: bool,
    host: str,
    port: int,
    names: tuple[str, ...],
    allow_changes: bool,
    verbose: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Serve tools for chat assistants (Model Context Protocol).

    Over stdio it acts as the account of the given token. Over HTTP every request must bring a token of its own
    (Authorization: Bearer TOKEN) and sees the account of that one.
    """
    log_to_stderr(verbose=verbose)
    choice = ServerChoice(url, token, data)
    if http:
        _serve_http(choice, host, port, names, allow_changes=allow_changes)
        return
    from varloom.mcp.over_stdio import serve_stdio

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a thread waits for input, which no exception would end
    asyncio.run(serve_stdio(OwnAccount(choice), allow_changes=allow_changes))


def _serve_http(choice: ServerChoice, host: str, port: int, names: tuple[str, ...], *, allow_changes: bool) -> None:
    from varloom.mcp.over_http import PATH, make_app
    from varloom.web.server import bind, url_of

    server = Server(choice, own_token=False)
    app = make_app(lambda caller: CallersAccount(server, caller), allow_changes=allow_changes, names=(host, *names))
    listener = bind(host, port)
    ready = f"Varloom's MCP server is ready at {url_of(listener)}{PATH}"
    try:
        asyncio.run(_run(app, listener, ready))
    finally:
        server.close()


async def _run(app: ASGIApp, listener: Any, ready: str) -> None:
    """Serve until SIGINT or SIGTERM."""
    from varloom.web.server import WebServer

    web = WebServer(app, listener, lambda: click.echo(ready))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, setattr, web, "should_exit", True)
    await web.run_until_stopped()


class OwnAccount:
    """The account of the token that the command was given.

    The server is looked for when it is first needed, and again when it has moved: an assistant may start this process
    before Varloom, and keep it across Varloom's restarts.
    """

    def __init__(self, choice: ServerChoice) -> None:
        self._choice = choice
        self._server: Server | None = None
        self._guard = threading.Lock()

    def get(self, path: str, /, **parameters: Any) -> Any:
        """The JSON at a path of the API; parameters that are None are left out."""
        try:
            return self._connected().get(path, **parameters)
        except VarloomError as error:
            if not self._moved(error):
                raise
        return self._connected().get(path, **parameters)

    def post(self, path: str, body: object = None, /) -> Any:
        """The JSON that answers a JSON body."""
        try:
            return self._connected().request("POST", path, json=body)
        except VarloomError as error:
            # one that may have arrived is not sent twice
            if not self._moved(error) or error.code == SERVER_UNREACHABLE.code:
                raise
        return self._connected().request("POST", path, json=body)

    def _connected(self) -> Server:
        with self._guard:
            if self._server is None:
                self._server = Server(self._choice)
            return self._server

    def _moved(self, error: VarloomError) -> bool:
        if error.code not in {SERVER_UNREACHABLE.code, "not_authenticated"} or self._server is None:
            return False
        with self._guard:
            return self._server.find_again()


class CallersAccount:
    """The account of the token that a request brought. The connections are shared, the token is not."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, /, **parameters: Any) -> Any:
        """The JSON at a path of the API; parameters that are None are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return self._server.request("GET", path, params=given, headers=self._headers)

    def post(self, path: str, body: object = None, /) -> Any:
        """The JSON that answers a JSON body."""
        return self._server.request("POST", path, json=body, headers=self._headers)
