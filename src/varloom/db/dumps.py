"""A database as a file and back, by PostgreSQL's own pg_dump and pg_restore."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from varloom.db.binaries import installed_binaries
from varloom.db.problems import DATABASE_COPY_FAILED
from varloom.db.server_log import last_lines
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVICE = "varloom"


@contextlib.contextmanager
def snapshot(conninfo: str) -> Iterator[tuple[psycopg.Connection[tuple[object, ...]], str]]:
    """A connection that sees the database as it is now for as long as the block lasts, and the name of what it sees."""
    with psycopg.connect(conninfo, application_name="varloom backup") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101 - for mypy: the function always returns
        yield connection, str(row[0])


def dump(conninfo: str, name: str, target: Path) -> None:
    """Write what the snapshot of this name sees to a new file, in pg_dump's custom format.

    Raises:
        VarloomError: `database_copy_failed`, with what pg_dump said last.
    """
    flags = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name}", f"--file={target}"]
    _run(conninfo, "pg_dump", flags)


def restore(conninfo: str, source: Path) -> None:
    """Bring all of a dump into an empty database, or nothing of it.

    Raises:
        VarloomError: `database_copy_failed`, with what pg_restore said last.
    """
    flags = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run(conninfo, "pg_restore", [*flags, str(source)])


def has_tables(conninfo: str) -> bool:
    """Whether anything but PostgreSQL's own tables is in the database."""
    with psycopg.connect(conninfo) as connection:
        found = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema'))"
        ).fetchone()
    return bool(found and found[0])


def _run(conninfo: str, program: str, flags: list[str]) -> None:
    """Run a program of PostgreSQL. How to connect stands in a private file: arguments can be read by everyone."""
    with tempfile.TemporaryDirectory(prefix="varloom-") as folder:
        service = Path(folder, "service")
        values = conninfo_to_dict(conninfo)
        service.touch(0o600)
        service.write_text(f"[{_SERVICE}]\n" + "".join(f"{key}={value}\n" for key, value in values.items()))
        path = installed_binaries().prefix / "bin" / program
        environment = {**os.environ, "PGSERVICEFILE": str(service)}
        done = subprocess.run(
            [path, f"--dbname=service={_SERVICE}", *flags],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode != 0:
        raise VarloomError(DATABASE_COPY_FAILED, f"{program} failed: {last_lines(done.stderr)}")
