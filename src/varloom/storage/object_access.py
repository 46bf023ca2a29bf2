"""How an object store is opened: its address from the setting `storage`, the rest from the usual environment.

What was found in the environment is handed on to the processes of stages by a pipe, not by their environment: there,
every program that a stage starts could read it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.storage.model import StorageAccess, checked_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from obstore.store import AzureStore, GCSStore, S3Store

PREFIXES: Mapping[str, tuple[str, ...]] = {"s3": ("AWS_",), "gs": ("GOOGLE_",), "az": ("AZURE_",)}
"""The schemes of object stores, and how the names of the environment variables begin that belong to each."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_EXAMPLE = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"

CONNECT_TIMEOUT = timedelta(seconds=5)
REQUEST_TIMEOUT = timedelta(hours=1)
"""The whole of one request, body included: what a portion may take on the slowest line."""
SILENCE = timedelta(seconds=60)
"""So long nothing may come, or a portion of an upload may remain unanswered, before a request counts as lost."""
RETRIES = 10
RETRY_TIME = timedelta(seconds=45)
"""After so long no further try of a request is begun."""

QUICK_SILENCE = timedelta(seconds=10)
QUICK_RETRY_TIME = timedelta(seconds=15)
"""For small objects that someone waits for, perhaps within a transaction."""


def access_of(url: str, environment: Mapping[str, str]) -> StorageAccess:
    """The access to the object store of a URL, with the variables of the environment that belong to it.

    Raises:
        VarloomError: `settings_invalid`; the URL is not repeated where it could hold a secret.
    """
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise VarloomError(
            SETTINGS_INVALID,
            f"storage: expected {_EXAMPLE}, without credentials: they are taken from the environment",
        )
    if not _BUCKET.fullmatch(parts.netloc) or (prefix and not _is_key(prefix)):
        raise VarloomError(SETTINGS_INVALID, f"storage: expected {_EXAMPLE} of letters, digits, '.', '_' and '-'")
    scheme = parts.scheme.lower()
    return StorageAccess(
        f"{scheme}://{parts.netloc}/{prefix}".rstrip("/"),
        {name: value for name, value in environment.items() if name.startswith(PREFIXES[scheme])},
    )


def _is_key(text: str) -> bool:
    try:
        checked_key(text)
    except ValueError:
        return False
    return True


def open_store(access: StorageAccess, *, quick: bool = False) -> S3Store | GCSStore | AzureStore:
    """The client of an object store. Nothing is asked of it yet.

    Raises:
        VarloomError: `settings_invalid` for a value of the environment that cannot be used; it is not repeated.
    """
    from obstore.store import AzureStore, GCSStore, S3Store

    parts = urlsplit(access.url)
    makers: dict[str, Callable[..., S3Store | GCSStore | AzureStore]] = {
        "s3": S3Store,
        "gs": GCSStore,
        "az": AzureStore,
    }
    make = makers[parts.scheme]
    config = {name: value for name, value in access.options.items() if _is_known(make, name, value)}
    given: dict[str, Any] = {
        "prefix": parts.path.strip("/") or None,
        "config": config,
        "client_options": {
            "connect_timeout": CONNECT_TIMEOUT,
            "timeout": REQUEST_TIMEOUT,
            "read_timeout": QUICK_SILENCE if quick else SILENCE,
            "allow_http": any(_allows_http(name, value) for name, value in config.items()),
        },
        "retry_config": {"max_retries": RETRIES, "retry_timeout": QUICK_RETRY_TIME if quick else RETRY_TIME},
    }
    try:
        return make(parts.netloc, **given)
    except Exception as error:  # noqa: BLE001 - whatever it says could repeat a secret
        kind = type(error).__name__
        message = f"storage: the client of {parts.scheme}:// cannot be set up from the environment ({kind})"
        raise VarloomError(SETTINGS_INVALID, message) from None


def _allows_http(name: str, value: str) -> bool:
    """Whether a variable names an address without TLS, or allows one."""
    if name.endswith("_ALLOW_HTTP"):
        return value.lower() in {"1", "true"}
    return ("ENDPOINT" in name or name.endswith("_BASE_URL")) and value.startswith("http://")


def _is_known(make: Callable[..., object], name: str, value: str) -> bool:
    """Whether a variable means anything to the client: environments hold many others that begin like them."""
    from obstore.exceptions import UnknownConfigurationKeyError

    try:
        make("probe", config={name: value})
    except UnknownConfigurationKeyError:
        return False
    except Exception:  # noqa: BLE001 - it is known, though not enough by itself, or wrong: the whole will tell
        return True
    return True
