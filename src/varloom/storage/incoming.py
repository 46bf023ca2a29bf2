"""One object on its way into a local folder: written beside its place, made durable, then renamed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import threading
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.storage.model import StoredObject
from varloom.storage.problems import STORAGE_FULL, STORAGE_UNUSABLE, UPLOAD_TOO_LARGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_PORTION = 1 << 20
"""Bytes gathered before a thread is asked to write them."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


class IncomingObject:
    """Receives chunks in a thread beside the event loop. Use it once; `abandon` after any failure.

    A cancelled coroutine does not stop a thread that is writing for it: the lock makes `abandon` wait for that one
    portion, and lets no later one begin.
    """

    def __init__(self, target: Path, *, limit: int | None, reserve: int) -> None:
        self._target = target
        self._limit = limit
        self._reserve = reserve
        self._lock = threading.Lock()
        self._digest = hashlib.sha256()
        self._received = 0
        self._unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
        self._closed = False
        self._published = False
        with told_of_disk(target.parent):
            if target.exists():
                raise FileExistsError(errno.EEXIST, "an object is written once only", str(target))
            self._created = make_folder(target.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._unfinished, flags, 0o600)

    async def receive(self, chunks: AsyncIterator[bytes]) -> StoredObject:
        """Write all chunks and publish the object."""
        portion = bytearray()
        async for chunk in chunks:
            self._count(len(chunk))
            portion += chunk
            if len(portion) >= _PORTION:
                await asyncio.to_thread(self.write, bytes(portion))
                portion.clear()
        await asyncio.to_thread(self.write, bytes(portion))
        await asyncio.to_thread(self.publish)
        return StoredObject(self._received, self._digest.hexdigest())

    def abandon(self) -> None:
        """Leave nothing behind: neither the bytes nor the folder made for them.

        Folders further up stay: another upload may be about to use them.
        """
        with self._lock:
            self._close()
            self._unfinished.unlink(missing_ok=True)
            if self._published:
                self._target.unlink(missing_ok=True)
            if self._target.parent in self._created:
                with contextlib.suppress(OSError):
                    self._target.parent.rmdir()

    def _count(self, received: int) -> None:
        self._received += received
        if self._limit is not None and self._received > self._limit:
            raise too_large(self._limit)

    def write(self, portion: bytes) -> None:
        """Append some bytes; nothing happens after `abandon`."""
        with self._lock, told_of_disk(self._target.parent):
            if self._closed:
                return
            check_space(self._unfinished.parent, len(portion), self._reserve)
            failpoint("upload.before_write")
            self._digest.update(portion)
            remaining = memoryview(portion)
            while remaining:
                remaining = remaining[os.write(self._descriptor, remaining) :]

    def publish(self) -> None:
        """Make what was written durable, then visible under its key."""
        with self._lock, told_of_disk(self._target.parent):
            if self._closed:
                return
            failpoint("upload.before_sync")
            os.fsync(self._descriptor)
            self._close()
            failpoint("upload.before_rename")
            self._unfinished.rename(self._target)
            self._published = True
            failpoint("upload.after_rename")
            for folder in {self._target.parent, *(created.parent for created in self._created)}:
                sync_folder(folder)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)


def make_folder(folder: Path) -> list[Path]:
    """Create a folder and its missing parents, all private; returns those that were created, outermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    created = []
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another upload may make a shared parent at this moment
            path.mkdir(mode=0o700)
            created.append(path)
    return created


def check_space(folder: Path, wanted: int, reserve: int) -> None:
    """Refuse what would leave less than `reserve` bytes free on the folder's disk."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free - wanted < reserve:
        kept = f", of which {size_text(reserve)} must stay free" if reserve else ""
        raise VarloomError(STORAGE_FULL, f"{size_text(wanted)} more are needed; {size_text(free)} are free{kept}.")


def too_large(limit: int) -> VarloomError:
    """The refusal of an object above the limit."""
    return VarloomError(
        UPLOAD_TOO_LARGE, f"The file is larger than {size_text(limit)} ({limit:,} bytes), the most allowed."
    )


@contextlib.contextmanager
def told_of_disk(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about the disk into errors that a person can read."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise VarloomError(STORAGE_FULL, f"The disk refused to take more: {error.strerror}.") from error
        raise VarloomError(STORAGE_UNUSABLE, f"Writing to {folder} failed: {error.strerror}.") from error


def size_text(count: int) -> str:
    """A number of bytes for people, in decimal units as disks are sold."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def sync_folder(folder: Path) -> None:
    """Make durable which files a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
