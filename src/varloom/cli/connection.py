"""Talking to a server: which one, with which token, and how its refusals come back as errors."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click
import httpx

from varloom.cli.problems import RESPONSE_UNEXPECTED, SERVER_UNKNOWN, SERVER_UNREACHABLE
from varloom.errors import ErrorKind, Place, Problem, Severity, VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Command = TypeVar("Command", bound=Callable[..., Any])

TIMEOUT = httpx.Timeout(60, connect=10)
SERVER_FILE = "server.json"
NO_TOKEN = ""


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """What the user said about which server to use."""

    url: str | None
    token: str | None
    data: Path | None


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server, and the token that it wants."""

    url: str
    token: str = field(repr=False)


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


def find_server(choice: ServerChoice) -> ServerAddress:
    """The server to use: by flag, else by environment, else by the data folder's `server.json`.

    A token from the file goes only to the address in the file.

    Raises:
        VarloomError: `server_unknown`.
    """
    url = choice.url or os.environ.get("VARLOOM_URL")
    token = choice.token or os.environ.get("VARLOOM_TOKEN")
    if url and token:
        return ServerAddress(url.rstrip("/"), token)
    path = _data_folder(choice) / SERVER_FILE
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        address = ServerAddress(str(noted["url"]), str(noted["token"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = f"no token was given for {url}" if url else _why_unknown(path, error)
        raise VarloomError(SERVER_UNKNOWN, f"There is no server to talk to: {missing}.") from None
    if url and url.rstrip("/") != address.url:
        raise VarloomError(SERVER_UNKNOWN, f"No token was given for {url}; the one in {path} is for {address.url}.")
    return ServerAddress(address.url, token or address.token)


def find_url(choice: ServerChoice) -> str:
    """The address alone, for requests that each bring a token of their own.

    Raises:
        VarloomError: `server_unknown`.
    """
    url = choice.url or os.environ.get("VARLOOM_URL")
    return url.rstrip("/") if url else find_server(choice).url


def _why_unknown(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist"
    return f"{path}: {error.strerror}" if isinstance(error, OSError) else f"{path} does not name one"


def _data_folder(choice: ServerChoice) -> Path:
    given = choice.data or os.environ.get("VARLOOM_DATA")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_dir("varloom", appauthor=False))


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
        return _checked_address(found)

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
        return _checked(response)

    def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer itself, for what it says in its headers."""
        with _reaching(self.address):
            response = self._client.request(method, f"/api/v1{path}", **options)
        if response.is_error:
            _checked(response)
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
                _checked(response)
            yield response

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def _client(address: ServerAddress) -> httpx.Client:
    return httpx.Client(
        base_url=address.url,
        headers={} if address.token == NO_TOKEN else {"Authorization": f"Bearer {address.token}"},
        timeout=TIMEOUT,
        trust_env=not _is_loopback(address.url),
    )


@contextlib.contextmanager
def connected(url: str | None, token: str | None, data: Path | None) -> Iterator[Server]:
    """A connection to the server that the options choose."""
    server = Server(ServerChoice(url, token, data))
    try:
        yield server
    finally:
        server.close()


def _checked_address(address: ServerAddress) -> ServerAddress:
    """See that the address can be one, and that the token can stand in a header; neither is sent anywhere if not."""
    try:
        parts = urlsplit(address.url)
        usable = parts.scheme in {"http", "https"} and parts.hostname is not None and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise VarloomError(SERVER_UNKNOWN, f"{address.url} is not an address such as http://127.0.0.1:8400.")
    if not address.token.isascii() or not address.token.isprintable():
        raise VarloomError(SERVER_UNKNOWN, "The token has characters that no token has.")
    return address


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


def _checked(response: httpx.Response) -> Any:
    """The answer's JSON, or the error that it tells."""
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.is_success and answer is not None:
        return answer
    if isinstance(answer, dict) and isinstance(answer.get("code"), str):
        raise refusal(answer)
    kind = RESPONSE_UNEXPECTED._replace(status=response.status_code)
    raise VarloomError(kind, f"{response.url.host} answered with status {response.status_code}.")


def refusal(document: dict[str, Any]) -> VarloomError:
    """The error in a problem document."""
    resolution = tuple(str(step) for step in document.get("resolution") or ())
    kind = ErrorKind(
        code=document["code"],
        title=str(document.get("title") or "The request was refused"),
        cause="",
        resolution=resolution,
        retryable=bool(document.get("retryable")),
        status=int(document.get("status") or 400),
    )
    problems = tuple(told_problem(told) for told in document.get("problems") or () if isinstance(told, dict))
    return VarloomError(kind, str(document.get("detail") or ""), _place(document), problems=problems)


def told_problem(told: Mapping[str, Any]) -> Problem:
    """A finding that the server tells, as one of ours."""
    resolution = tuple(str(step) for step in told.get("resolution") or ())
    kind = ErrorKind(str(told.get("code")), "", cause="", resolution=resolution)
    severity = Severity.WARNING if told.get("severity") == Severity.WARNING.value else Severity.ERROR
    return Problem(kind, str(told.get("message") or ""), severity, _place(told))


def _place(told: Mapping[str, Any]) -> Place:
    return Place(told.get("line"), told.get("column"), told.get("field"), told.get("excerpt"))


def _is_loopback(url: str) -> bool:
    """Whether the address is on this machine, where a proxy has no business."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
