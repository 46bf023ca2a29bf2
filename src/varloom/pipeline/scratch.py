"""The scratch folder of workers whose storage is not on their machine.

```
SCRATCH/varloom-UID/
  sources/            copies of source files, shared by the workers of this machine
  downloads/          what is arriving from URLs, a folder for each job; it outlives workers
  workers/
    <id>/             what one worker's children are working on
    <id>.lock         held by that worker as long as it lives
```
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.pipeline.problems import SCRATCH_UNUSABLE
from varloom.storage.held_folder import LOCK, locked, unused

if TYPE_CHECKING:
    from collections.abc import Iterator

DOWNLOADS_KEPT = 7 * 24 * 3600.0
"""Seconds after its last attempt for which what has arrived of a download is kept for the next one."""


@dataclass(frozen=True, slots=True)
class WorkerScratch:
    """The folders of one worker.

    Attributes:
        attempts: its own, with a folder for each attempt.
        sources: the copies of source files; see `varloom.storage.LocalCopies`.
        sources_limit: bytes that these copies may take.
        downloads: what is arriving from URLs.
    """

    attempts: Path
    sources: Path
    sources_limit: int
    downloads: Path


@contextlib.contextmanager
def worker_scratch(folder: Path | None, sources_limit: int) -> Iterator[WorkerScratch]:
    """Scratch space for a worker; what dead workers of this machine left is removed before and after, and ours after.

    Args:
        folder: the setting `scratch`.
        sources_limit: the setting `copies_bytes`.

    Raises:
        VarloomError: `scratch_unusable`.
    """
    with contextlib.ExitStack() as held:
        try:
            base = _private_folder((folder or Path(tempfile.gettempdir())) / f"varloom-{os.geteuid()}")
            workers = base / "workers"
            workers.mkdir(mode=0o700, exist_ok=True)
            own = workers / str(uuid.uuid4())
            with locked(base / "lock", fcntl.LOCK_EX):
                _remove_unused(base)
                held.enter_context(locked(_lock_of(own), fcntl.LOCK_EX))
                own.mkdir(mode=0o700)
        except OSError as error:
            raise VarloomError(SCRATCH_UNUSABLE, f"{error.filename or folder}: {error.strerror}.") from None
        try:
            yield WorkerScratch(own, base / "sources", sources_limit, base / "downloads")
        finally:
            with locked(base / "lock", fcntl.LOCK_EX):
                held.close()
                _remove_unused(base)


def _private_folder(folder: Path) -> Path:
    """The folder, made if need be. Among everyone's temporary files somebody else may have made it: that is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise VarloomError(SCRATCH_UNUSABLE, f"{folder} is not a folder of the user that runs Varloom.")
    folder.chmod(0o700)
    return folder


def _remove_unused(base: Path) -> None:
    """Remove the folders of workers that do not live, and the shared one when none does; the caller holds the lock."""
    for folder in {path.with_suffix("") for path in (base / "workers").iterdir()}:
        with contextlib.suppress(BlockingIOError), locked(_lock_of(folder), fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink()
    if not any((base / "workers").iterdir()):
        shutil.rmtree(base / "sources", ignore_errors=True)
    for folder in (base / "downloads").glob("*"):
        with contextlib.suppress(FileNotFoundError), unused(folder) as is_unused:
            if is_unused and (folder / LOCK).stat().st_mtime < time.time() - DOWNLOADS_KEPT:
                shutil.rmtree(folder, ignore_errors=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")
