"""Copies of what lies in an object store, in a folder of this machine: bounded, and shared by processes.

Each copy is a folder beside a lock file. Who uses a copy holds the lock file shared, who fills or removes it holds it
alone. The kernel drops the locks of a killed process, so nothing can go stale; what it left half filled is removed by
whoever needs that copy or its room.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOCK = ".lock"
_FILLING = ".filling"


class LocalCopies:
    """At most `limit` bytes of copies in `folder`; more only while they are in use, and while one is being filled.

    All methods block; a coroutine calls them by `asyncio.to_thread`.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit

    @contextlib.contextmanager
    def borrow(self, key: str, size: int, fill: Callable[[Path], None]) -> Iterator[Path]:
        """The copy of what lies under a key, as a folder that stays until the block ends.

        Args:
            key: what it is a copy of; it never changes.
            size: how many bytes it has, for which room is made.
            fill: puts the copy into an empty folder, unless it is there already; what it raises leaves nothing behind.

        Raises:
            OSError: the disk is full, or the folder cannot be used.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = self._copy_of(key)
        while True:
            with _held(copy.with_name(copy.name + _LOCK), fcntl.LOCK_SH) as lock:
                if copy.is_dir():
                    os.utime(lock, ns=(now := time.time_ns(), now))  # the copy that was used longest ago goes first
                    yield copy
                    return
            with _held(copy.with_name(copy.name + _LOCK), fcntl.LOCK_EX):
                if not copy.is_dir():
                    self._fill(copy, size, fill)

    def drop(self, key: str) -> None:
        """Remove the copy of what lies under a key, unless somebody uses it."""
        if self._copy_of(key).exists():
            self._drop(self._copy_of(key))

    def _copy_of(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:40]

    def _fill(self, copy: Path, size: int, fill: Callable[[Path], None]) -> None:
        """Fill the copy beside its place, then move it there; the caller holds its lock alone."""
        unfinished = copy.with_name(copy.name + _FILLING)
        _remove(unfinished)
        self._make_room(size, but=copy)
        unfinished.mkdir(mode=0o700)
        try:
            fill(unfinished)
            _sync(unfinished)
            unfinished.rename(copy)
        except BaseException:
            _remove(unfinished)
            raise
        self._make_room(0, but=copy)

    def _make_room(self, wanted: int, *, but: Path) -> None:
        """Remove the copies that were used longest ago until there is room; those in use stay."""
        sizes = {copy: _size(copy) for copy in self._copies()}
        for copy in sorted(sizes, key=lambda copy: _used_at(copy.with_name(copy.name + _LOCK))):
            if sum(sizes.values()) + wanted <= self._limit:
                return
            if copy != but and self._drop(copy):
                del sizes[copy]

    def _copies(self) -> set[Path]:
        """Where there are copies, or were, or will be."""
        return {path.with_name(path.name.partition(".")[0]) for path in self._folder.iterdir()}

    def _drop(self, copy: Path) -> bool:
        """Remove a copy and what was half filled of it, unless somebody uses it."""
        lock = copy.with_name(copy.name + _LOCK)
        try:
            with _held(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                _remove(copy)
                _remove(copy.with_name(copy.name + _FILLING))
                lock.unlink()
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def _held(path: Path, how: int) -> Iterator[int]:
    """Hold a lock file, which may be removed and made anew while we wait for it; its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            if _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _size(copy: Path) -> int:
    """The bytes of a copy, finished or not; it may be changing."""
    total = 0
    for folder in (copy, copy.with_name(copy.name + _FILLING)):
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    return total


def _used_at(lock: Path) -> float:
    try:
        return lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _sync(folder: Path) -> None:
    """Force what was filled in to the disk: a copy that is there is whole, also after the power failed."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
