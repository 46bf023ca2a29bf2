"""The data folder of a server: one server at a time, and `server.json`, by which the commands find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from typing import TYPE_CHECKING

from varloom.db.embedded import make_data_folder
from varloom.errors import VarloomError
from varloom.services.problems import DATA_FOLDER_IN_USE, DATA_FOLDER_UNUSABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = "server.lock"
NOTE_NAME = "server.json"
RESTORE_NOTE = "restore.unfinished"
"""In the folder while a backup is restored into it, with its checksum: half of one must not be worked with."""
NAME_LENGTH = 8


@contextlib.contextmanager
def held_data_folder(folder: Path, *, to_restore: bool = False) -> Iterator[str]:
    """Be the one server of this folder, which is created if it does not exist. The lock ends with the process.

    Yields a name that stays with the folder, by which servers that share a database are told apart.

    Raises:
        VarloomError: `data_folder_in_use` or `data_folder_unusable`.
    """
    try:
        make_data_folder(folder)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise VarloomError(DATA_FOLDER_UNUSABLE, f"{folder}: {error.strerror}.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VarloomError(DATA_FOLDER_IN_USE, f"Another server uses {folder}{_where(folder)}.") from None
        if (folder / RESTORE_NOTE).exists() and not to_restore:
            message = f"A restore into {folder} was not finished; give the same `varloom restore` again."
            raise VarloomError(DATA_FOLDER_UNUSABLE, message)
        yield _name_in(descriptor)
    finally:
        os.close(descriptor)


def _name_in(descriptor: int) -> str:
    """The name that the lock file holds; it is given one at the first time."""
    found = os.pread(descriptor, NAME_LENGTH, 0).decode("ascii", "replace")
    if len(found) == NAME_LENGTH and found.isalnum():
        return found
    name = secrets.token_hex(NAME_LENGTH // 2)
    os.pwrite(descriptor, name.encode(), 0)
    os.fsync(descriptor)
    return name


def write_server_note(folder: Path, url: str, token: str) -> None:
    """Write `server.json` for the commands of this user: whole or not at all, and readable by nobody else."""
    target = folder / NOTE_NAME
    unfinished = folder / f".{NOTE_NAME}.{secrets.token_hex(4)}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"url": url, "token": token}, file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)


def remove_server_note(folder: Path) -> None:
    """The server stops: there is nothing to be found any more."""
    (folder / NOTE_NAME).unlink(missing_ok=True)


def _where(folder: Path) -> str:
    """The address of the server that is there already, if it has said so."""
    try:
        return f", at {json.loads((folder / NOTE_NAME).read_text(encoding='utf-8'))['url']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
