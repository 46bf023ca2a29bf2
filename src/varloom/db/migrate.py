"""Bringing the tables of a database up to date: plain SQL steps, in order, each in its own transaction.

Step 0 is the schema of the queue, taken from the installed Procrastinate. The steps after it are the files of
`db/migrations`. What was applied is remembered in `schema_migrations` with a checksum: a step that was changed after
it had been applied is refused, since nobody could say what the tables look like.

Servers and workers are upgraded one by one, so that older code meets newer tables: while it runs, and when it is
started again. A step says in its first line from which step on code can work with what it makes of the tables
(`-- compatible from: 0004`); without that line, only code that knows the step itself. docs/how-to/upgrade.md tells how
such steps are written.
"""

from __future__ import annotations

import hashlib
import logging
import random
import re
import time
from dataclasses import dataclass
from importlib import metadata, resources

import psycopg
from procrastinate.schema import SchemaManager
from psycopg.errors import DeadlockDetected, LockNotAvailable

from varloom.db.problems import SCHEMA_CHANGED, SCHEMA_NEWER
from varloom.errors import VarloomError

LOCK_TIMEOUT = "5s"
"""While a step waits for a table, everyone who comes after it waits, too: it must not be for long."""
TRIES = 20
LONGEST_PAUSE = 1.0
"""Seconds between two tries at most."""

logger = logging.getLogger(__name__)

_LOCK = 0x7661726C6F6F6D
"""The advisory lock under which the steps are applied: "varloom" in ASCII."""
_COMPATIBLE = re.compile(rb"-- compatible from: (\d{4})\n")
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_CREATE_RECORD = b"""
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    compatible_from integer
)
"""
_EXTEND_RECORD = b"ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS compatible_from integer"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `queue` marks the schema of Procrastinate, whose name holds the version it came from."""

    version: int
    name: str
    sql: bytes
    queue: bool = False

    @property
    def compatible_from(self) -> int:
        """The oldest step whose code can work with the tables as this one leaves them."""
        match = _COMPATIBLE.match(self.sql)
        return int(match.group(1)) if match else self.version

    @property
    def sha256(self) -> str:
        """The checksum by which a later change is noticed."""
        return hashlib.sha256(self.sql).hexdigest()

    def is_what_was_applied(self, name: str, sha256: str) -> bool:
        """Whether this is the step that the database remembers; a patch release of the queue keeps its tables."""
        if self.queue:
            return _minor(name) == _minor(self.name)
        return (name, sha256) == (self.name, self.sha256)


def known_migrations() -> tuple[Migration, ...]:
    """All steps of this installation, in the order in which they are applied."""
    folder = resources.files("varloom.db") / "migrations"
    found = sorted((match, path) for path in folder.iterdir() if (match := _file_version(path.name)) is not None)
    files = [Migration(version, path.name.removesuffix(".sql")[5:], path.read_bytes()) for version, path in found]
    return (_queue_schema(), *files)


def migrate(conninfo: str) -> tuple[str, ...]:
    """Apply the steps that the database lacks; safe to call at any time, by any number of processes at once.

    Returns:
        The names of the steps applied now.

    Raises:
        VarloomError: `schema_changed`, or `schema_newer` for tables with which this code cannot work; nothing has been
            applied then.
    """
    migrations = known_migrations()
    with psycopg.connect(conninfo, autocommit=True, application_name="varloom migrate") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        connection.execute("SET client_min_messages = warning")
        connection.execute(_CREATE_RECORD)
        connection.execute(_EXTEND_RECORD)
        applied = _applied(connection)
        _check(migrations, applied)
        pending = [migration for migration in migrations if migration.version not in applied]
        for migration in pending:
            _apply_among_others(connection, migration)
    return tuple(migration.name for migration in pending)


def _queue_schema() -> Migration:
    name = f"procrastinate_{metadata.version('procrastinate')}"
    return Migration(0, name, SchemaManager.get_schema().encode(), queue=True)


def _file_version(name: str) -> int | None:
    match = _FILE_NAME.fullmatch(name)
    return int(match.group(1)) if match else None


def _applied(connection: psycopg.Connection) -> dict[int, tuple[str, str, int | None]]:
    rows = connection.execute("SELECT version, name, sha256, compatible_from FROM schema_migrations").fetchall()
    return {version: (name, sha256, compatible_from) for version, name, sha256, compatible_from in rows}


def _check(migrations: tuple[Migration, ...], applied: dict[int, tuple[str, str, int | None]]) -> None:
    known = {migration.version: migration for migration in migrations}
    newest = max(known)
    for version, (name, sha256, compatible_from) in sorted(applied.items()):
        if version > newest:
            message = f"The database has the step {version:04}_{name}; this Varloom knows steps up to {newest:04}."
            if compatible_from is None or compatible_from > newest:
                raise VarloomError(SCHEMA_NEWER, message)
            logger.warning("%s It can go on with it; upgrade it soon.", message)
            continue
        migration = known.get(version)
        if migration is None or not migration.is_what_was_applied(name, sha256):
            here = f"{version:04}_{migration.name}" if migration else "no such step"
            message = (
                f"The database has the step {version:04}_{name}, and this Varloom brings {here} with other contents."
            )
            raise VarloomError(SCHEMA_CHANGED, message)


def _apply_among_others(connection: psycopg.Connection, migration: Migration) -> None:
    """Apply a step beside workers and servers that go on: it locks tables which they use, in an order of their own."""
    connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    for _ in range(TRIES - 1):
        try:
            return _apply(connection, migration)
        except (DeadlockDetected, LockNotAvailable):
            logger.warning("The step %04d_%s waits for others to end.", migration.version, migration.name)
            time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311  (spreads tries, guards nothing)
    return _apply(connection, migration)


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.sql)
        connection.execute(
            "INSERT INTO schema_migrations (version, name, sha256, compatible_from) VALUES (%s, %s, %s, %s)",
            [migration.version, migration.name, migration.sha256, migration.compatible_from],
        )


def _minor(name: str) -> str:
    """The name of the queue's step without the patch level: procrastinate_3.10."""
    return ".".join(name.split(".")[:2])
