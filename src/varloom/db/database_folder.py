"""Where the embedded database of a data folder lies, and what is remembered about it.

Normally that is DATA/postgres. When Varloom runs as root and the system user of the database cannot get there
(nothing private is ever opened for it), it is a folder of its own below /var/lib/varloom. DATA/postgres.json says
which of them it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.db.problems import DATABASE_FOLDER_MISSING, DATABASE_START_FAILED
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from varloom.db.system_user import SystemUser

SYSTEM_FOLDER = Path("/var/lib/varloom")
"""Where root keeps databases whose user cannot reach the data folder, and copies of the programs."""

_LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")
"""sun_path holds 103 bytes on macOS and 107 on Linux."""
_LONGEST_POSTGRES_PATH = 900
"""PostgreSQL cuts paths at 1,024 bytes, of which it needs some for itself."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")


@dataclass(frozen=True, slots=True)
class FolderRecord:
    """What DATA/postgres.json remembers: the folder ("postgres", or an absolute path) and whether it was set up."""

    folder: str
    initialised: bool = False


class DatabaseFolder:
    """The files of one embedded database."""

    def __init__(self, data: Path, user: SystemUser) -> None:
        self._data = data
        self._user = user
        self._record_path = data / "postgres.json"

    def recorded_home(self) -> Path | None:
        """Where the database is, if that has been decided."""
        record = self._read()
        return (self._data / record.folder).resolve() if record else None

    def place(self) -> Path:
        """The home of the database, created if need be: it will hold `data` and perhaps `socket`.

        Raises:
            VarloomError: `database_folder_missing` when it was set up before and is gone.
        """
        record = self._read()
        if record is None:
            record = self._choose()
            self._write(record)
        home = (self._data / record.folder).resolve()
        if record.initialised and not (home / "data" / "PG_VERSION").exists():
            raise VarloomError(
                DATABASE_FOLDER_MISSING, f"The database of {self._data} was in {home}, and it is not there."
            )
        if not home.exists():
            self._make(home)
        return home

    def mark_initialised(self) -> None:
        """Remember that the database has been set up, so that a lost one is never replaced by an empty one."""
        record = self._read()
        if record is not None and not record.initialised:
            self._write(replace(record, initialised=True))

    def run_folder(self, home: Path) -> Path:
        """A private folder with a short and plain name for the socket."""
        inside = home / "socket"
        if _fits(inside):
            self._make_private(inside)
            return inside
        name = f"varloom-{self._user.uid}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
        base = Path(tempfile.gettempdir()).resolve()
        outside = (base if _fits(base / name) else Path("/tmp")) / name  # noqa: S108 - private, and its owner is checked
        self._make_private(outside)
        return outside

    def short_name(self, home: Path, run: Path) -> Path:
        """A name for `home` that PostgreSQL can hold: a link in the run folder when the path is very long."""
        if len(os.fsencode(home)) <= _LONGEST_POSTGRES_PATH:
            return home
        link = run / "home"
        if not link.is_symlink():
            link.symlink_to(home)
        return link

    def remove_run_folder(self, home: Path) -> None:
        """Delete the run folder of a stopped server: nothing of it stays in the temporary folder."""
        shutil.rmtree(self.run_folder(home), ignore_errors=True)

    def remove(self, home: Path) -> None:
        """Delete the database for good, with all that is remembered about it."""
        self.remove_run_folder(home)
        shutil.rmtree(home, ignore_errors=True)
        self._record_path.unlink(missing_ok=True)

    def _choose(self) -> FolderRecord:
        inside = self._data / "postgres"
        self._make_private(inside)
        if not self._user.other or self._user.can_use(inside):
            return FolderRecord("postgres")
        inside.rmdir()
        return FolderRecord(str(SYSTEM_FOLDER / secrets.token_hex(8)))

    def _make(self, home: Path) -> None:
        if home.is_relative_to(SYSTEM_FOLDER):
            make_system_folder()
        self._make_private(home)
        if self._user.other and not self._user.can_use(home):
            raise VarloomError(
                DATABASE_START_FAILED, f"The system user {self._user.name}, who runs the database, cannot use {home}."
            )

    def _make_private(self, folder: Path) -> None:
        """Create a 0700 folder of the database's user, or make sure that an existing one is just that."""
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            self._check_private(folder)
        else:
            self._user.own(folder)

    def _check_private(self, folder: Path) -> None:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._user.uid or found.st_mode & 0o077:
            raise VarloomError(
                DATABASE_START_FAILED,
                f"{folder} must be a folder of the system user {self._user.name} with mode 0700, and it is not.",
                resolution=(f"Remove {folder} if nothing needs it, or mend its owner and mode; then start again.",),
            )

    def _read(self) -> FolderRecord | None:
        try:
            return FolderRecord(**json.loads(self._record_path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise VarloomError(DATABASE_START_FAILED, f"{self._record_path} is damaged.") from None

    def _write(self, record: FolderRecord) -> None:
        write_private(self._record_path, json.dumps(asdict(record)) + "\n")


def make_system_folder() -> Path:
    """Create /var/lib/varloom, which everyone may traverse, if it does not exist; returns it."""
    if not SYSTEM_FOLDER.exists():
        SYSTEM_FOLDER.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        SYSTEM_FOLDER.mkdir(mode=0o755, exist_ok=True)
        SYSTEM_FOLDER.chmod(0o755)
    return SYSTEM_FOLDER


def write_private(path: Path, text: str, owner: SystemUser | None = None) -> None:
    """Write a 0600 file, of another owner perhaps, so that it is whole or not there, also after a power cut."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        if owner is not None and owner.other:
            os.fchown(stream.fileno(), owner.uid, owner.gid)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fits(folder: Path) -> bool:
    """Whether the path can be a socket's folder: libpq splits odd ones, and the kernel refuses long ones."""
    name = str(folder)
    return len(os.fsencode(name)) <= _LONGEST_SOCKET_FOLDER and _PLAIN_PATH.fullmatch(name) is not None
