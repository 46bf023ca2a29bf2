"""Files that arrive over several requests, gathered on a disk of this machine until they are whole.

What is promised of such a file is its durable length alone, which its owner keeps elsewhere: whoever opens it says
where to go on, and whatever stands behind that place is cut off, be it what a killed process had written and not yet
promised, or what a failing disk left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING, Self
from uuid import UUID

from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.storage.incoming import check_space, make_folder, sync_folder, told_of_disk
from varloom.storage.problems import UPLOAD_LOCKED

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_PORTION = 1 << 20


class Spool:
    """A folder of files on their way in. Its methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, upload_id: UUID) -> Path:
        """Where the bytes of an upload are, or will be."""
        return self._folder / str(upload_id)

    def create(self, upload_id: UUID, wanted: int, reserve: int) -> None:
        """Make an empty file, durably, if `wanted` bytes fit beside what must stay free.

        Raises:
            VarloomError: `storage_full` or `storage_unusable`.
        """
        with told_of_disk(self._folder):
            created = make_folder(self._folder)
            check_space(self._folder, wanted, reserve)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(self.path(upload_id), flags, 0o600))
            for folder in {self._folder, *(made.parent for made in created)}:
                sync_folder(folder)

    def remove(self, upload_id: UUID) -> None:
        """Remove the bytes of an upload, if there are any."""
        self.path(upload_id).unlink(missing_ok=True)

    def held(self, age: float) -> list[UUID]:
        """The uploads whose bytes are here and did not change for `age` seconds; other names are not ours."""
        found = []
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with contextlib.suppress(ValueError, FileNotFoundError):
                upload_id = UUID(path.name)
                if time.time() - path.stat().st_mtime >= age:
                    found.append(upload_id)
        return found


class SpooledFile:
    """One such file, opened by the one writer that it may have. Its methods block.

    A coroutine that was cancelled does not stop a thread that writes for it: a lock makes `close` wait for that one
    portion, and lets no later one begin.
    """

    def __init__(self, path: Path, offset: int, reserve: int) -> None:
        """Open it at the place where to go on; `cut_back` to that place before anything is written.

        Raises:
            FileNotFoundError: fewer than `offset` bytes are there.
            VarloomError: `upload_locked`, `storage_full` or `storage_unusable`.
        """
        self.position = offset
        self._path = path
        self._reserve = reserve
        self._lock = threading.Lock()
        self._closed = False
        self._is_doubtful = False
        if not path.exists():
            raise _missing(path)
        with told_of_disk(path.parent):
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _lock(self._descriptor)
            _require(self._descriptor, offset, path)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, portion: bytes) -> None:
        """Write at the position, which moves on with each byte that was taken. Nothing happens after `close`."""
        with self._lock, told_of_disk(self._path.parent):
            if self._closed:
                return
            check_space(self._path.parent, len(portion), self._reserve)
            failpoint("spool.before_write")
            remaining = memoryview(portion)
            while remaining:
                written = os.pwrite(self._descriptor, remaining, self.position)
                self.position += written
                remaining = remaining[written:]
            failpoint("spool.after_write")

    def sync(self) -> int:
        """Make durable what was written, and say how much that is.

        Once the disk refused that, what was written may be lost, and the system says so but once.
        """
        with self._lock, told_of_disk(self._path.parent):
            failpoint("spool.before_sync")
            if self._is_doubtful:
                raise OSError(errno.EIO, "what was written before may be lost")
            self._is_doubtful = True
            os.fsync(self._descriptor)
            self._is_doubtful = False
            failpoint("spool.after_sync")
            return self.position

    def cut_back(self, offset: int) -> None:
        """Take back what was written behind a place."""
        with self._lock, told_of_disk(self._path.parent):
            os.ftruncate(self._descriptor, offset)
            self.position = offset

    def close(self) -> None:
        """Let another writer come."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "bytes that were promised are missing", str(path))


def _require(descriptor: int, size: int, path: Path) -> None:
    if os.fstat(descriptor).st_size < size:
        raise _missing(path)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise VarloomError(UPLOAD_LOCKED, "Another server is writing this upload at the moment.") from None
