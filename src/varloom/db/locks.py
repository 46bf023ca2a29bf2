"""File locks by which the processes of one data folder agree on who starts and who stops its database.

flock(2) belongs to the open file and ends with the process, even by kill -9: nothing here can go stale.
All descriptors are close-on-exec, so that no child process keeps a lock by accident; one is passed on on purpose.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL = 0.02


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` alone, waiting for as long as another process or thread has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def for_a_child(path: Path, patience: float) -> Iterator[int]:
    """Take the lock file `path` and yield a descriptor that holds it, to be passed on to a child process.

    The lock then lasts until the child and all processes that it forks have ended, wherever they can be seen from.

    Raises:
        TimeoutError: another one still has it after `patience` seconds.
    """
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + patience
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_POLL)
        yield descriptor
    finally:
        os.close(descriptor)


class UserCount:
    """Counts the users of something by shared locks on one file; join and leave under one `exclusive` lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def joined(self) -> bool:
        """Whether this object counts as a user now."""
        return self._descriptor is not None

    def join(self) -> None:
        """Become a user; joining twice counts once."""
        if self._descriptor is None:
            self._descriptor = _open(self._path)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop being a user; returns whether no other one is left."""
        if self._descriptor is None:
            return False
        try:
            return _taken(self._descriptor)
        finally:
            os.close(self._descriptor)
            self._descriptor = None


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
