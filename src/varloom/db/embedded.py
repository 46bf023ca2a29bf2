"""The embedded PostgreSQL: set up, started, adopted, stopped; one server for each data folder.

All processes that use a data folder share its server. Each holds a shared lock while it does; the one that gets that
lock alone when it closes is the last, and stops the server. A server that outlived its users (kill -9) is adopted by
the next one. It listens on no port, only on a socket in a private folder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from varloom.db.binaries import Binaries, copy_for, installed_binaries
from varloom.db.database_folder import DatabaseFolder, make_system_folder, write_private
from varloom.db.locks import UserCount, exclusive, for_a_child
from varloom.db.postmaster import gone, processes_of, read_pid_file, running_server, stop_server
from varloom.db.problems import DATABASE_START_FAILED
from varloom.db.server_log import ServerLog
from varloom.db.set_up import ROLE, check_version, set_up
from varloom.db.system_user import database_user
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

DATABASE = "varloom"
SOCKET = ".s.PGSQL.5432"

START_PATIENCE = 60.0
"""Seconds without a sign of life (a new line in the log) after which a starting server is given up."""
ORPHAN_PATIENCE = 30.0
"""Seconds that processes of a killed server may take to go; after the first third they are killed."""
FAST_STOP = 30.0
IMMEDIATE_STOP = 10.0
_POLL = 0.02

# Suited to a server that mostly idles beside the work: few processes, little memory, and nothing risked.
_SERVER_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


class EmbeddedPostgres:
    """The PostgreSQL server of one data folder, usable as a context manager.

    Works as root (the server then runs as an unprivileged system user) and as an ordinary user, and on any path.
    A process that forks without exec shares its place among the users with the child; start other programs instead.
    """

    def __init__(self, data_dir: Path, *, binaries: Binaries | None = None) -> None:
        self._data = Path(data_dir).resolve()
        self._given_binaries = binaries
        self._users = UserCount(self._data / "postgres.users")
        self._user = database_user()
        self._folder = DatabaseFolder(self._data, self._user)
        with _as_start_failure(self._data):
            self._home = self._folder.recorded_home() or self._data / "postgres"
        self._password = self._data / "postgres.password"
        self._log = ServerLog(self._data / "postgres.log")
        self._conninfo = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def conninfo(self) -> str:
        """How to connect, password included: never to be shown. Empty before `start`."""
        return self._conninfo

    @property
    def server_pid(self) -> int | None:
        """The process id of the running server, or None."""
        process = running_server(self._pgdata)
        return process.pid if process else None

    def start(self) -> None:
        """Become a user of the server and start it if it does not run.

        Raises:
            VarloomError: `database_start_failed`, `database_version_mismatch` or `database_folder_missing`.
        """
        with _as_start_failure(self._data):
            make_data_folder(self._data)
            with self._alone():
                self._users.join()
                try:
                    self._run()
                except BaseException:
                    self._leave()
                    raise

    def ensure_running(self) -> None:
        """Start the server again if it has died; cheap when it lives, and nothing before `start` or after `close`.

        Connections to the dead server are not brought back.
        """
        process = running_server(self._pgdata)
        if process is None or not self._has_socket():
            with _as_start_failure(self._data), self._alone():
                if self._users.joined:  # not when it was closed at the same time
                    self._run()

    def close(self) -> None:
        """Stop being a user; the last one stops the server and waits until it is down."""
        with self._alone():
            self._leave()

    def destroy(self) -> None:
        """Stop the server, whoever uses it, and delete the database with everything remembered about it."""
        with self._alone():
            self._users.leave()
            self._stop()
            self._folder.remove(self._home)
            self._log.remove()
            self._password.unlink(missing_ok=True)
            for name in ("postgres.users", "postgres.server"):
                (self._data / name).unlink(missing_ok=True)
        (self._data / "postgres.lock").unlink(missing_ok=True)

    @property
    def _pgdata(self) -> Path:
        return self._home / "data"

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        return exclusive(self._data / "postgres.lock")

    def _run(self) -> None:
        """Bring the server up from whatever state the folder is in; the caller holds the lock."""
        self._home = self._folder.place()
        self._run_folder = self._folder.run_folder(self._home)
        self._binaries = self._usable_binaries()
        if not self._pgdata.exists():
            self._set_up()
        check_version(self._pgdata, self._binaries)
        self._folder.mark_initialised()
        if not self._adopt():
            self._launch()
        self._create_database()

    def _usable_binaries(self) -> Binaries:
        binaries = self._given_binaries or installed_binaries()
        if not self._user.other or binaries.usable_by(self._user):
            return binaries
        return copy_for(binaries, self._user, make_system_folder())

    def _set_up(self) -> None:
        password = secrets.token_urlsafe(32)
        write_private(self._password, password)
        set_up(self._short_home(), self._run_folder, self._binaries, self._user, password)

    def _adopt(self) -> bool:
        """Take over a server that runs already; one that is going down, or has lost its socket, is waited for."""
        process = running_server(self._pgdata)
        if process is None:
            return False
        if not self._await_ready(process.pid, lambda: running_server(self._pgdata) == process):
            return False
        if self._has_socket():
            return True
        stop_server(process, fast=FAST_STOP, immediate=IMMEDIATE_STOP)
        return False

    def _launch(self) -> None:
        """Start the server. It holds a lock of its own, as do its backends, until the last of them has ended."""
        self._end_orphans()
        log_start = self._log.size()
        with self._server_lock() as lock:
            self._remove_leftovers()
            process = self._spawn(lock)
        try:
            ready = self._await_ready(process.pid, lambda: process.poll() is None)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if not ready:
            raise VarloomError(
                DATABASE_START_FAILED,
                f"PostgreSQL ended with status {process.returncode} while starting: {self._log.tail(log_start)}",
            )
        # Fetches its exit status whenever it ends, so that a dead server never looks alive as a zombie.
        threading.Thread(target=process.wait, name="postgres-exit", daemon=True).start()

    def _end_orphans(self) -> None:
        """Wait for the processes of a killed server to end; one that is busy does not notice, and is killed."""
        begun = time.monotonic()
        for process in processes_of(self._pgdata):
            if not gone(process, max(0.0, begun + ORPHAN_PATIENCE / 3 - time.monotonic())):
                process.kill()

    @contextlib.contextmanager
    def _server_lock(self) -> Iterator[int]:
        try:
            with for_a_child(self._data / "postgres.server", ORPHAN_PATIENCE) as lock:
                yield lock
        except TimeoutError:
            message = (
                f"Another container or machine runs the database of {self._data}, or a process of it does not end."
            )
            raise VarloomError(DATABASE_START_FAILED, message) from None

    def _remove_leftovers(self) -> None:
        """Remove the pid and socket files of a killed server; only with the lock, so that nobody works there.

        PostgreSQL would take any live process with the recorded id, or a zombie, for itself and refuse to start.
        """
        for leftover in (self._pgdata / "postmaster.pid", *self._run_folder.glob(f"{SOCKET}*")):
            leftover.unlink(missing_ok=True)

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        settings = _SERVER_SETTINGS | {"unix_socket_directories": str(self._run_folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.opened() as log:
            return subprocess.Popen(
                [self._binaries.postgres, "-D", self._short_home() / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                cwd="/",
                start_new_session=True,
                **self._user.spawn(),
            )

    def _await_ready(self, pid: int, alive: Callable[[], bool]) -> bool:
        """Wait until the server accepts connections; False when it ends first.

        Raises:
            VarloomError: when nothing was heard of it for `START_PATIENCE`; recovery after a crash keeps writing to
                the log, and may take as long as it needs.
        """
        size, deadline = self._log.size(), time.monotonic() + START_PATIENCE
        while alive():
            recorded = read_pid_file(self._pgdata)
            if recorded is not None and recorded.pid == pid and recorded.ready:
                self._conninfo = self._conninfo_at(recorded.socket_folder)
                return True
            if self._log.size() != size:
                size, deadline = self._log.size(), time.monotonic() + START_PATIENCE
            if time.monotonic() > deadline:
                raise VarloomError(
                    DATABASE_START_FAILED,
                    f"PostgreSQL did not become ready within {START_PATIENCE:.0f} s: {self._log.tail()}",
                )
            time.sleep(_POLL)
        return False

    def _create_database(self) -> None:
        maintenance = make_conninfo(self._conninfo, dbname="postgres")
        try:
            with psycopg.connect(maintenance, autocommit=True) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if found is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        except psycopg.Error as error:
            raise VarloomError(DATABASE_START_FAILED, f"PostgreSQL runs but refuses to work: {error}") from None

    def _leave(self) -> None:
        """Stop being a user, and stop the server if no other is left; the caller holds the lock."""
        if self._users.leave():
            self._stop()

    def _stop(self) -> None:
        process = running_server(self._pgdata)
        if process is not None:
            stop_server(process, fast=FAST_STOP, immediate=IMMEDIATE_STOP)
            self._folder.remove_run_folder(self._home)

    def _conninfo_at(self, socket_folder: str) -> str:
        password = self._password.read_text()
        return make_conninfo(
            host=socket_folder, port=5432, user=ROLE, password=password, dbname=DATABASE, connect_timeout=10
        )

    def _has_socket(self) -> bool:
        recorded = read_pid_file(self._pgdata)
        return recorded is not None and (Path(recorded.socket_folder) / SOCKET).exists()

    def _short_home(self) -> Path:
        return self._folder.short_name(self._home, self._run_folder)


def has_database(data: Path) -> bool:
    """Whether an embedded database has been begun in a data folder."""
    return DatabaseFolder(data.resolve(), database_user()).recorded_home() is not None


def make_data_folder(data: Path) -> None:
    """Create the data folder if it does not exist.

    It is private. Root's can be traversed, but not listed, by others, so that the database's own user gets to its
    folder inside; everything in it is private by itself.
    """
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        data.mkdir(exist_ok=True)
        data.chmod(0o711 if os.geteuid() == 0 else 0o700)


@contextlib.contextmanager
def _as_start_failure(data: Path) -> Iterator[None]:
    """Tell what the operating system refused in words of the database."""
    try:
        yield
    except (OSError, subprocess.SubprocessError, psutil.Error) as error:
        message = f"The database of {data} could not be started: {error}"
        raise VarloomError(DATABASE_START_FAILED, message) from error
