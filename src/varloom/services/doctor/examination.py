"""The whole examination, in order: machine, data folder, database, storage. Nothing that fails ends it."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from varloom.db.database import open_database
from varloom.db.embedded import has_database
from varloom.db.problems import DATABASE_UNREACHABLE
from varloom.errors import VarloomError
from varloom.services.disk_space import watch_of_server, watch_of_worker
from varloom.services.doctor import database, files, machine
from varloom.services.doctor.finding import failed, problem
from varloom.services.doctor.provider import provider
from varloom.storage import open_storage
from varloom.storage.problems import STORAGE_UNUSABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from psycopg import Connection

    from varloom.services.doctor.finding import Finding
    from varloom.settings import Settings
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

_Opened = TypeVar("_Opened")

STATEMENT_TIMEOUT = "60s"


def examined(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    """What is well and what is not, as it is found. It blocks; an embedded database that is off is started for it.

    Args:
        settings: those of the server.
        deep: read every stored byte and compare checksums, instead of looking at some sizes.
    """
    yield from _guarded("python_version", machine.python)
    yield from _guarded("static_assets", machine.static_assets)
    yield from _guarded("open_files", machine.limits)
    yield from _guarded("data_folder", lambda: machine.data_folder(settings.data))
    yield from _guarded("stale_note", lambda: machine.leftovers(settings.data))
    yield from _guarded("exposure", lambda: machine.exposure(settings))
    yield from _guarded("address", lambda: machine.address(settings))
    yield from _guarded("mail_server", lambda: machine.mail(settings))
    yield from _guarded("openid", lambda: provider(settings))
    yield from _guarded("scratch", lambda: machine.scratch(settings))
    with contextlib.ExitStack() as held:
        storage = yield from _opened("storage_probe", lambda: _storage(settings))
        if storage is not None:
            yield from _guarded("disk_space", lambda: _disks(settings, storage))
            yield from _guarded("storage_probe", lambda: files.probe(storage))
            yield from _guarded("references", lambda: files.references(storage, deep=deep))
        if settings.database_url is None and not _has_database(settings.data):
            steps = ("Start `varloom serve`, which makes one; or name the server's folder with --data.",)
            yield problem("database", "The data folder holds no database.", *steps, place=settings.data)
            return
        conn = yield from _opened("database", lambda: held.enter_context(_connected(settings)))
        if conn is not None:
            yield from _of_database(conn, settings, storage, deep=deep)


def _of_database(
    conn: Connection[Any], settings: Settings, storage: Storage | None, *, deep: bool
) -> Iterator[Finding]:
    yield from _guarded("database", lambda: database.server(conn))
    yield from _guarded("clock", lambda: database.clock(conn))
    tables = list(_guarded("migrations", lambda: database.migrations(conn)))
    yield from tables
    if any(one.verdict != "ok" for one in tables):
        return  # what follows asks for columns that may not be there
    yield from _guarded("workers", lambda: database.workers(conn, settings))
    yield from _guarded("jobs_held", lambda: database.jobs(conn, settings))
    yield from _guarded("credentials_key", lambda: files.credentials_key(conn, settings))
    if storage is not None:
        yield from _guarded("storage_mark", lambda: files.mark(conn, storage))
        yield from _guarded("files_missing", lambda: files.contents(conn, storage, deep=deep))


def _disks(settings: Settings, storage: Storage) -> Iterator[Finding]:
    """Those of the server, and those of a worker on this machine."""
    watch = watch_of_server(settings, storage)
    watch.folders = {**watch.folders, **watch_of_worker(settings, storage).folders}
    return machine.disks(watch, settings.disk_reserve_bytes)


def _storage(settings: Settings) -> Storage:
    """The storage; a folder that is not there is not made."""
    given = settings.storage or str(settings.data / "storage")
    if "://" not in given and not Path(given).expanduser().is_dir():
        raise VarloomError(STORAGE_UNUSABLE, f"The storage folder {given} is not there.")
    return open_storage(settings)


def _has_database(data: Path) -> bool:
    """Whether the folder is one, and holds a database; a damaged record of it is told when it is opened."""
    try:
        return data.is_dir() and has_database(data)
    except VarloomError:
        return True


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[Connection[Any]]:
    """A connection that changes nothing."""
    with (
        open_database(settings) as opened,
        psycopg.connect(opened.conninfo, autocommit=True, application_name="varloom doctor") as conn,
    ):
        conn.execute(f"SET default_transaction_read_only = on; SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        yield conn


def _opened(name: str, opening: Callable[[], _Opened]) -> Generator[Finding, None, _Opened | None]:
    """What is opened; None, and a finding, where it cannot be."""
    found: list[_Opened] = []

    def look() -> Iterable[Finding]:
        found.append(opening())
        return ()

    yield from _guarded(name, look)
    return found[0] if found else None


def _guarded(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a look finds; what it fails with is a finding, too."""
    try:
        yield from look()
    except VarloomError as error:
        yield failed(name, error)
    except psycopg.Error as error:
        logger.warning("the check %s failed", name, exc_info=error)
        yield problem(name, f"The database failed: {type(error).__name__}.", *DATABASE_UNREACHABLE.resolution)
    except Exception as error:
        logger.warning("the check %s failed", name, exc_info=error)
        steps = ("Mend what it says, and look again.",)
        yield problem(name, f"It could not be looked at: {type(error).__name__}: {error}", *steps)
