"""The one database that Varloom works with: the embedded PostgreSQL, or the one that the settings name."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from varloom.db.embedded import EmbeddedPostgres, has_database
from varloom.db.problems import DATABASE_TOO_OLD, DATABASE_UNREACHABLE
from varloom.errors import SETTINGS_INVALID, VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.settings import Settings

OLDEST_SERVER = 140_000
"""PostgreSQL 14, as PQserverVersion counts."""
_CONNECT_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. `conninfo` holds the password, so it is for connecting only and is not part of the repr."""

    conninfo: str = field(repr=False)
    embedded: EmbeddedPostgres | None = field(default=None, repr=False)

    def ensure_running(self) -> None:
        """Start an embedded server that has died again; a server of one's own is looked after by its owner.

        Call it from a thread every few seconds: it takes under a millisecond when the server lives, and may block for
        a minute when it does not. Pools and listeners find the new server by themselves.
        """
        if self.embedded is not None:
            self.embedded.ensure_running()


@contextlib.contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database for as long as the block lasts; an embedded one stops with its last user.

    Raises:
        VarloomError: `database_unreachable`, `database_too_old`, `settings_invalid` for a `--database-url` that is
            none, or those of `EmbeddedPostgres.start`. None of them holds the password.
    """
    if settings.database_url is not None:
        _check_server(settings.database_url)
        yield Database(settings.database_url)
        return
    with EmbeddedPostgres(settings.data) as embedded:
        yield Database(embedded.conninfo, embedded)


def require_database(settings: Settings) -> None:
    """See that there is a database already: whoever works beside a server does not start one of its own.

    Raises:
        VarloomError: `settings_invalid`.
    """
    if settings.database_url is None and not has_database(settings.data):
        message = (
            f"database_url: the data folder {settings.data} holds no database of a server; give the server's data "
            "folder by --data, or its database by --database-url"
        )
        raise VarloomError(SETTINGS_INVALID, message)


def _check_server(url: str) -> None:
    password = _password(url)
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_TIMEOUT) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        told = str(error).replace(password, "***") if password else str(error)
        raise VarloomError(DATABASE_UNREACHABLE, f"The database given by --database-url: {told}") from None
    if version < OLDEST_SERVER:
        message = f"The server is PostgreSQL {version // 10_000}; Varloom needs {OLDEST_SERVER // 10_000} or newer."
        raise VarloomError(DATABASE_TOO_OLD, message)


def _password(url: str) -> str:
    """The password in the address; an address that cannot be understood is refused without being repeated."""
    try:
        return str(conninfo_to_dict(url).get("password") or "")
    except psycopg.Error:
        message = "database_url: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise VarloomError(SETTINGS_INVALID, message) from None
