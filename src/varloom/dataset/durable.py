"""Files that are whole after a crash, or not there at all."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from varloom.dataset.problems import DISK_FULL
from varloom.errors import VarloomError
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ERRNO_IN_TEXT = re.compile(r"\[errno (\d+)\]", re.IGNORECASE)
_FULL_TEXTS = tuple(os.strerror(number).lower() for number in sorted(_FULL))


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Force a directory's entries to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it appears under its name only when all of it is on the disk."""
    unfinished = path.with_name(path.name + ".unfinished")
    failpoint("file.before_write")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    failpoint("file.before_rename")
    unfinished.replace(path)
    failpoint("file.after_rename")
    sync_directory(path.parent)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that space ran out, however the library that met it says so.

    Arrow reports the number inside its message only, DuckDB the system's text.
    """
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    text = str(error)
    if any(int(number) in _FULL for number in _ERRNO_IN_TEXT.findall(text)):
        return True
    return any(phrase in text.lower() for phrase in _FULL_TEXTS)


@contextmanager
def disk_full_told(place: str) -> Iterator[None]:
    """Turn "no space left" into `disk_full`, naming what was being written; other errors pass unchanged.

    Raises:
        VarloomError: `disk_full`.
    """
    try:
        yield
    except VarloomError:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise VarloomError(DISK_FULL, f"There is no space left on the disk to write {place}.") from error
