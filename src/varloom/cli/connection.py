"""Talking to a server: which one, with which token, and how its refusals come back as errors."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import httpx

from varloom.cli.problems import SERVER_UNKNOWN, SERVER_UNREACHABLE
from varloom.client.addresses import (
    NO_TOKEN,
    SERVER_FILE,
    ServerAddress,
    ServerChoice,
    checked_address,
    find_server,
    find_url,
    is_loopback,
)
from varloom.client.answers import checked, refusal, told_problem
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Command = TypeVar("Command", bound=Callable[..., Any])

TIMEOUT = httpx.Timeout(60, connect=10)

__all__ = [
    "SERVER_FILE",
    "Server",
    "ServerAddress",
    "ServerChoice",
    "connected",
    "find_server",
    "find_url",
    "refusal",
    "server_options",
    "told_problem",
]


def server_options(command: Command) -> Command:
    """Add the options that choose a server."""
    command = click.option("--url", help="Address of the server [VARLOOM_URL].")(command)
    command = click.option("--token", help="API token; better in VARLOOM_TOKEN than here, where others see it.")(
        command
    )
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        help="Data folder of a server on this machine [VARLOOM_DATA].",
    )(command)


class Server:
    """A connection to one server. Every method raises VarloomError for what the server refuses.

    Args of the constructor:
        choice: what the user said about which server.
        own_token: whether requests carry the token that was chosen with it; else each must bring one in its headers.
    """

    def __init__(self, choice: ServerChoice, *, own_token: bool = True) -> None:
        self.choice = choice
        self.own_token = own_token
        self.address = self._look()
        self._client = _client(self.address)

    def _look(self) -> ServerAddress:
        """Where the server is now."""
        found = find_server(self.choice) if self.own_token else ServerAddress(find_url(self.choice), NO_TOKEN)
        return checked_address(found)

    def find_again(self) -> bool:
        """Look where the server is now; whether that is elsewhere, or with another token, as after a restart."""
        try:
            address = self._look()
        except VarloomError as error:
            if error.code != SERVER_UNKNOWN.code:
                raise
            return False  # it is being started, perhaps
        if address == self.address:
            return False
        self._client.close()
        self.address, self._client = address, _client(address)
        return True

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON at a path of the API; parameters that are None are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return self.request("GET", path, params=given)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that the server answers with; None when it has nothing to say."""
        with _reaching(self.address):
            response = self._client.request(method, f"/api/v1{path}", **options)
        return checked(response)

    def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer itself, for what it says in its headers."""
        with _reaching(self.address):
            response = self._client.request(method, f"/api/v1{path}", **options)
        if response.is_error:
            checked(response)
        return response

    @contextlib.contextmanager
    def stream(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """A response whose body is read as it arrives; parameters that are None are left out."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        with (
            _reaching(self.address),
            self._client.stream("GET", f"/api/v1{path}", params=given, headers=headers) as response,
        ):
            if response.is_error:
                response.read()
                checked(response)
            yield response

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def _client(address: ServerAddress) -> httpx.Client:
    return httpx.Client(
        base_url=address.url,
        headers={} if address.token == NO_TOKEN else {"Authorization": f"Bearer {address.token}"},
        timeout=TIMEOUT,
        trust_env=not is_loopback(address.url),
    )


@contextlib.contextmanager
def connected(url: str | None, token: str | None, data: Path | None) -> Iterator[Server]:
    """A connection to the server that the options choose."""
    server = Server(ServerChoice(url, token, data))
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def _reaching(address: ServerAddress) -> Iterator[None]:
    try:
        yield
    except httpx.InvalidURL as error:
        raise VarloomError(SERVER_UNREACHABLE, f"{address.url} is not an address: {error}") from None
    except UnicodeEncodeError:
        raise click.UsageError("An argument or a name is not UTF-8 text.") from None
    except httpx.RequestError as error:
        why = str(error) or type(error).__name__
        raise VarloomError(SERVER_UNREACHABLE, f"{address.url}: {why}") from None
