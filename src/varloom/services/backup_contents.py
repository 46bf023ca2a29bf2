"""What a backup is made of: its list of contents, and how it is read, written and checked.

A backup is a folder: `varloom-backup.json` tells what is in it, `database.dump` holds the database, `files.jsonl` lists
the objects of the storage, and `files/` holds them, unless the storage is an object store that keeps them itself.
"""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from varloom.errors import Place, VarloomError
from varloom.services.backup_problems import BACKUP_DAMAGED
from varloom.storage import checked_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENTS = "varloom-backup.json"
DUMP = "database.dump"
LIST = "files.jsonl"
FILES = "files"
SECRETS = "secrets"
FORMAT = 1

_PORTION = 1 << 20


@dataclass(frozen=True, slots=True)
class KeptFile:
    """An object of the storage; `sha256` is None where the object store keeps it itself."""

    key: str
    bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What `varloom-backup.json` says.

    Attributes:
        format: of the backup itself.
        made_at: when, in ISO 8601, UTC.
        varloom: the version that made it.
        schema: the number of the last migration of the database.
        storage: the id in the storage's mark; None before a server has marked one.
        storage_url: where the storage is.
        has_files: whether the files are in the backup.
        files: how many the storage had.
        file_bytes: their size; 0 where the object store keeps them.
        dump_sha256: of `database.dump`.
        list_sha256: of `files.jsonl`.
        has_secrets: whether the keys of credentials and the settings are in the backup.
        missing: keys that the database names and the storage did not have.
    """

    format: int
    made_at: str
    varloom: str
    schema: int
    storage: str | None
    storage_url: str
    has_files: bool
    files: int
    file_bytes: int
    dump_sha256: str
    list_sha256: str
    has_secrets: bool
    missing: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def read_contents(backup: Path) -> Contents:
    """What a backup says that it is.

    Raises:
        VarloomError: `backup_damaged` if it is none, is not whole, or is of a later version.
    """
    try:
        values = json.loads((backup / CONTENTS).read_text(encoding="utf-8"))
        contents = Contents(**values)
    except FileNotFoundError:
        message = f"{backup} holds no {CONTENTS}: it is no backup, or one that was not finished."
        raise VarloomError(BACKUP_DAMAGED, message) from None
    except (OSError, ValueError, TypeError) as error:
        raise VarloomError(BACKUP_DAMAGED, f"{backup / CONTENTS} cannot be read: {error}.") from None
    if contents.format != FORMAT:
        message = f"{backup} has the format {contents.format}; this version of Varloom reads {FORMAT}."
        raise VarloomError(BACKUP_DAMAGED, message)
    return contents


def listed_files(backup: Path) -> Iterator[KeptFile]:
    """The objects that a backup lists.

    Raises:
        VarloomError: `backup_damaged`, with the line.
    """
    with (backup / LIST).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                file = KeptFile(**json.loads(line))
                checked_key(file.key)
            except (ValueError, TypeError) as error:
                raise VarloomError(BACKUP_DAMAGED, f"{LIST}, line {number}: {error}.", Place(line=number)) from None
            yield file


def check(backup: Path, on_bytes: Callable[[int], None]) -> Contents:
    """Read all of a backup and hold it to its checksums.

    Raises:
        VarloomError: `backup_damaged`, naming the first file that is missing or differs.
    """
    contents = read_contents(backup)
    _expect_no_links(backup)
    for name, expected in ((DUMP, contents.dump_sha256), (LIST, contents.list_sha256)):
        _hold(backup / name, name, None, expected, on_bytes)
    if contents.has_files:
        for file in listed_files(backup):
            _hold(backup / FILES / file.key, f"{FILES}/{file.key}", file.bytes, file.sha256, on_bytes)
    return contents


def _expect_no_links(backup: Path) -> None:
    """A backup is read as its reader may read: what somebody else made must not lead it to files that are not of it."""
    for path in backup.rglob("*"):
        if stat.S_IFMT(path.lstat().st_mode) not in {stat.S_IFREG, stat.S_IFDIR}:
            message = f"{path.relative_to(backup)} is a link or a device; a backup holds files and folders alone."
            raise VarloomError(BACKUP_DAMAGED, message)


def _hold(path: Path, name: str, size: int | None, expected: str | None, on_bytes: Callable[[int], None]) -> None:
    try:
        found = sha256_of(path, on_bytes)
        if found != expected or (size is not None and path.stat().st_size != size):
            raise VarloomError(BACKUP_DAMAGED, f"{name} is not what was written: its checksum differs.")
    except OSError as error:
        raise VarloomError(BACKUP_DAMAGED, f"{name} cannot be read: {error.strerror}.") from None


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while portion := file.read(_PORTION):
            digest.update(portion)
            on_bytes(len(portion))
    return digest.hexdigest()
