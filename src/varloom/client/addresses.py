"""Which server to talk to, and with which token."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from varloom.client.problems import SERVER_UNKNOWN
from varloom.errors import VarloomError

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
        address = _noted(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = f"no token was given for {url}" if url else _why_unknown(path, error)
        raise VarloomError(SERVER_UNKNOWN, f"There is no server to talk to: {missing}.") from None
    if url and url.rstrip("/") != address.url:
        raise VarloomError(SERVER_UNKNOWN, f"No token was given for {url}; the one in {path} is for {address.url}.")
    return ServerAddress(address.url, token or address.token)


def noted_server(folder: Path) -> ServerAddress | None:
    """The server that its data folder tells of; it may not run any more. None where it tells of none."""
    try:
        return _noted(folder / SERVER_FILE)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _noted(path: Path) -> ServerAddress:
    noted = json.loads(path.read_text(encoding="utf-8"))
    return ServerAddress(str(noted["url"]), str(noted["token"]))


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


def checked_address(address: ServerAddress) -> ServerAddress:
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


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine, where a proxy has no business."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
