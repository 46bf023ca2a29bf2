"""The embedded PostgreSQL: set up, started, adopted, stopped; one server for each data folder.

All processes that use a data folder share its server. Each holds a shared lock while it does; the one that gets that
lock alone when it closes is the last, and stops the server. A server that outlived its users (kill -9) is adopted by
the next one. It listens on no port, only on a socket in a private folder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from varloom.db.binaries import Binaries, copy_for, installed_binaries
from varloom.db.database_folder import (
    DatabaseFolder,
    make_system_folder,
    sync_folder,
    write_private,
)
from varloom.db.locks import UserCount, exclusive
from varloom.db.postmaster import gone, processes_of, read_pid_file, running_server, stop_server
from varloom.db.problems import DATABASE_START_FAILED, DATABASE_VERSION_MISMATCH
from varloom.db.system_user import database_user
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

DATABASE = "varloom"
ROLE = "varloom"
SOCKET = ".s.PGSQL.5432"

START_PATIENCE = 60.0
"""Seconds without a sign of life (a new line in the log) after which a starting server is given up."""
ORPHAN_PATIENCE = 30.0
"""Seconds that processes of a killed server may take to go; in the last two thirds they are killed."""
FAST_STOP = 30.0
IMMEDIATE_STOP = 10.0
_POLL = 0.02
_LOG_LIMIT = 8 << 20
_TAIL_LINES = 12

_INITDB_OPTIONS = (
    *("--auth=scram-sha-256", "--data-checksums", "--no-instructions"),
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
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
        """Start the server again if it has died; cheap when it lives. Existing connections are not brought back."""
        process = running_server(self._pgdata)
        if process is None or not self._has_socket():
            with _as_start_failure(self._data), self._alone():
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
            for name in ("postgres.password", "postgres.log", "postgres.log.1", "postgres.users"):
                (self._data / name).unlink(missing_ok=True)
        (self._data / "postgres.lock").unlink(missing_ok=True)

    @property
    def _pgdata(self) -> Path:
        return self._home / "data"

    @property
    def _log(self) -> Path:
        return self._data / "postgres.log"

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        return exclusive(self._data / "postgres.lock")

    def _run(self) -> None:
        """Bring the server up from whatever state the folder is in; the caller holds the lock."""
        self._home = self._folder.place()
        self._run_folder = self._folder.run_folder(self._home)
        self._binaries = self._usable_binaries()
        if not self._pgdata.exists():
            self._initialise()
        self._check_version()
        self._folder.mark_initialised()
        if not self._adopt():
            self._launch()
        self._create_database()

    def _usable_binaries(self) -> Binaries:
        binaries = self._given_binaries or installed_binaries()
        if not self._user.other or binaries.usable_by(self._user):
            return binaries
        return copy_for(binaries, self._user, make_system_folder())

    def _initialise(self) -> None:
        """Set up an empty database under a temporary name; the rename makes it whole or not there."""
        password = secrets.token_urlsafe(32)
        write_private(self._data / "postgres.password", password)
        unfinished = self._short_home() / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        with self._password_file(password) as pwfile:
            done = self._user.run(
                self._binaries.initdb, "-D", unfinished, "-U", ROLE, f"--pwfile={pwfile}", *_INITDB_OPTIONS
            )
        if done.returncode != 0:
            raise VarloomError(DATABASE_START_FAILED, f"Setting up the database failed: {_tail(done.stdout)}")
        unfinished.rename(self._pgdata)
        sync_folder(self._home)

    @contextlib.contextmanager
    def _password_file(self, password: str) -> Iterator[Path]:
        """The password in a file that the database's user can read, for as long as initdb needs it."""
        path = self._run_folder / "password"
        write_private(path, password)
        try:
            self._user.own(path)
            yield path
        finally:
            path.unlink()

    def _check_version(self) -> None:
        made_by = (self._pgdata / "PG_VERSION").read_text().strip()
        version = self._binaries.version()
        if made_by != version.partition(".")[0]:
            raise VarloomError(
                DATABASE_VERSION_MISMATCH,
                f"The database in {self._data} was set up by PostgreSQL {made_by}; Varloom brings {version}.",
            )

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
        self._clear_leftovers()
        self._rotate_log()
        log_start = self._log_size()
        process = self._spawn()
        try:
            ready = self._await_ready(process.pid, lambda: process.poll() is None)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if not ready:
            raise VarloomError(
                DATABASE_START_FAILED,
                f"PostgreSQL ended with status {process.returncode} while starting: {self._log_tail(log_start)}",
            )
        # Fetches its exit status whenever it ends, so that a dead server never looks alive as a zombie.
        threading.Thread(target=process.wait, name="postgres-exit", daemon=True).start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = _SERVER_SETTINGS | {"unix_socket_directories": str(self._run_folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        log = os.open(self._log, flags, 0o600)
        try:
            return subprocess.Popen(
                [self._binaries.postgres, "-D", self._short_home() / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._user.spawn(),
            )
        finally:
            os.close(log)

    def _await_ready(self, pid: int, alive: Callable[[], bool]) -> bool:
        """Wait until the server accepts connections; False when it ends first.

        Raises:
            VarloomError: when nothing was heard of it for `START_PATIENCE`; recovery after a crash keeps writing to
                the log, and may take as long as it needs.
        """
        size, deadline = self._log_size(), time.monotonic() + START_PATIENCE
        while alive():
            recorded = read_pid_file(self._pgdata)
            if recorded is not None and recorded.pid == pid and recorded.ready:
                self._conninfo = self._conninfo_at(recorded.socket_folder)
                return True
            if self._log_size() != size:
                size, deadline = self._log_size(), time.monotonic() + START_PATIENCE
            if time.monotonic() > deadline:
                raise VarloomError(
                    DATABASE_START_FAILED,
                    f"PostgreSQL did not become ready within {START_PATIENCE:.0f} s: {self._log_tail(0)}",
                )
            time.sleep(_POLL)
        return False

    def _clear_leftovers(self) -> None:
        """Wait for the processes of a killed server, then remove its pid and socket files.

        PostgreSQL would take a live process with the recorded id, or a zombie, for itself and refuse to start. Its
        files may only go when no process of the old server is left, since one could still write to the data.
        """
        begun = time.monotonic()
        for process in processes_of(self._pgdata):
            if not gone(process, max(0.0, begun + ORPHAN_PATIENCE / 3 - time.monotonic())):
                process.kill()
            if not gone(process, max(0.0, begun + ORPHAN_PATIENCE - time.monotonic())):
                raise VarloomError(
                    DATABASE_START_FAILED, f"Process {process.pid} of the killed database server does not end."
                )
        for leftover in (self._pgdata / "postmaster.pid", *self._run_folder.glob(f"{SOCKET}*")):
            leftover.unlink(missing_ok=True)

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
        password = (self._data / "postgres.password").read_text()
        return make_conninfo(
            host=socket_folder, port=5432, user=ROLE, password=password, dbname=DATABASE, connect_timeout=10
        )

    def _has_socket(self) -> bool:
        recorded = read_pid_file(self._pgdata)
        return recorded is not None and (Path(recorded.socket_folder) / SOCKET).exists()

    def _short_home(self) -> Path:
        return self._folder.short_name(self._home, self._run_folder)

    def _rotate_log(self) -> None:
        if self._log_size() > _LOG_LIMIT:
            self._log.replace(self._log.with_name("postgres.log.1"))

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def _log_tail(self, start: int) -> str:
        with self._log.open("rb") as stream:
            stream.seek(max(start, self._log_size() - (1 << 16)))
            return _tail(stream.read().decode(errors="replace"))


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


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:]) or "it said nothing"
