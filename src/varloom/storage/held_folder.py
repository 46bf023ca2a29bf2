"""Folders that outlive the processes which work in them: one at a time, held by a lock file.

What a job gathers over several attempts (the bytes of a download, an annotation) is in such a folder. The time of the
lock file tells when somebody worked there last.
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

LOCK = "lock"
LOCK_PATIENCE = 10.0
"""Seconds that the process of the attempt before may take to end."""


def hold(folder: Path) -> int:
    """Make the folder and keep all others out of it: the descriptor of its lock, which lets go when it is closed.

    Raises:
        BlockingIOError: another process keeps it.
        OSError: it cannot be made.
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the folder was removed at this moment
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, folder / LOCK):
                os.utime(descriptor)  # tells when it was worked on last
                return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise
            time.sleep(0.05)
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock file; the kernel drops it with the process.

    Args:
        path: of the file, made when missing.
        how: as `fcntl.flock` takes it.

    Raises:
        FileNotFoundError: its folder is gone.
        BlockingIOError: another process holds it, and `how` says not to wait.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Whether no process works in the folder or beside it; then none begins until the block ends.

    Whoever begins meanwhile waits, and makes the folder anew if it was removed.
    """
    with contextlib.ExitStack() as held:
        try:
            for lock in folder.rglob(LOCK):
                with contextlib.suppress(FileNotFoundError):
                    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                    held.callback(os.close, descriptor)
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at the path: else somebody removed it while we waited for its lock."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
