"""Bringing a backup back, into an empty database and an empty storage."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from varloom.dataset.durable import disk_full_told, sync_directory, write_atomically
from varloom.db import dumps
from varloom.db.database import open_database
from varloom.db.migrate import migrate
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.services.backup_contents import DUMP, FILES, SECRETS, check, listed_files, sha256_of
from varloom.services.backup_problems import RESTORE_REFUSED
from varloom.services.backups import KEPT_SECRETS, REFERENCED, missing_of
from varloom.services.data_folder import RESTORE_NOTE, held_data_folder
from varloom.services.storage_mark import MARK
from varloom.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.services.backup_contents import Contents
    from varloom.settings import Settings
    from varloom.storage import Storage

_COPY_SUFFIX = ".restoring"


def restore_backup(
    settings: Settings, backup: Path, on_bytes: Callable[[int], None], *, take_over: bool = False
) -> Contents:
    """Check a backup, then bring back its files and, last, its database, which is brought up to date.

    Args:
        settings: which database and storage: both are empty, or hold what an interrupted restore of this backup left.
        backup: the folder.
        on_bytes: told how many bytes more were read or written.
        take_over: whether the storage that a backup without files refers to may be taken over. Its old server has to be
            stopped for good: each of the two would remove what only the other's database speaks of.

    Returns:
        What was restored; its `missing` are the keys of which the storage now has nothing.

    Raises:
        VarloomError: `backup_damaged`, `restore_refused`, `data_folder_in_use`, `disk_full`, `database_copy_failed`,
            and those of the database and of the storage.
    """
    contents = check(backup, on_bytes)
    with held_data_folder(settings.data, to_restore=True), disk_full_told(f"what is restored from {backup}"):
        note = settings.data / RESTORE_NOTE
        storage = open_storage(settings)
        with open_database(settings) as database:
            # A restore that was cut off after its database was there, which comes whole or not at all, is gone on with.
            is_restored = note.exists() and note.read_text() == contents.dump_sha256
            has_tables = dumps.has_tables(database.conninfo)
            if has_tables and not is_restored:
                raise VarloomError(RESTORE_REFUSED, "The database holds tables already.")
            if contents.has_files:
                _expect_room(backup, storage)
            else:
                _expect_mark(storage, contents, take_over=take_over)
            write_atomically(note, contents.dump_sha256.encode())
            if contents.has_files:
                _restore_files(backup, storage, on_bytes)
            _restore_secrets(backup, settings.data)
            failpoint("restore.before_database")
            if not has_tables:
                dumps.restore(database.conninfo, backup / DUMP)
            failpoint("restore.after_database")
            migrate(database.conninfo)
            with psycopg.connect(database.conninfo) as connection:
                # Their bytes lay outside the storage: whoever sent them sends them again.
                connection.execute("DELETE FROM resumable_uploads WHERE job_id IS NULL")
                referenced = [str(row[0]) for row in connection.execute(REFERENCED)]
        note.unlink()
        lacking = missing_of(referenced, set(storage.list_prefix()))
    return replace(contents, missing=lacking)


def _restore_secrets(backup: Path, data: Path) -> None:
    """Bring back keys and settings; other ones that are there are not overwritten."""
    for name in KEPT_SECRETS:
        source, target = backup / SECRETS / name, data / name
        if not source.exists():
            continue
        if not target.exists():
            write_atomically(target, b"")
            target.chmod(0o600)
            write_atomically(target, source.read_bytes())
            target.chmod(0o600)
        elif target.read_bytes() != source.read_bytes():
            raise VarloomError(RESTORE_REFUSED, f"{target} is there already, and is another than that of the backup.")


def _expect_room(backup: Path, storage: Storage) -> None:
    """The storage is a folder, and whatever lies there was brought by this backup."""
    if storage.gathering_place() is None:
        message = (
            f"{storage.access.url} is an object store, and the backup is one of a folder; restore it into a folder."
        )
        raise VarloomError(RESTORE_REFUSED, message)
    strange = sorted(set(storage.list_prefix()) - {file.key for file in listed_files(backup)})
    if strange:
        message = f"{storage.access.url} holds something that is not of this backup: {strange[0]}."
        raise VarloomError(RESTORE_REFUSED, message)


def _restore_files(backup: Path, storage: Storage, on_bytes: Callable[[int], None]) -> None:
    """Copy what is not there yet."""
    # The mark first: no other database's server works with a storage that has it.
    for file in sorted(listed_files(backup), key=lambda file: file.key != MARK):
        target = storage.local_path(file.key)
        assert target is not None  # noqa: S101 - for mypy: a folder has paths
        if target.exists() and target.stat().st_size == file.bytes and sha256_of(target) == file.sha256:
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}{_COPY_SUFFIX}")
        shutil.copyfile(backup / FILES / file.key, unfinished)
        unfinished.chmod(0o600)
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(target)
        sync_directory(target.parent)
        failpoint("restore.after_file")
        on_bytes(file.bytes)


def _expect_mark(storage: Storage, contents: Contents, *, take_over: bool) -> None:
    """The storage that the backup refers to must be the one that is given."""
    try:
        found = json.loads(storage.read_bytes(MARK))["storage"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        found = None
    if found != contents.storage:
        message = (
            f"{storage.access.url} is not the storage that the backup refers to, {contents.storage_url}: its mark is "
            f"{found or 'missing'} instead of {contents.storage}."
        )
        raise VarloomError(RESTORE_REFUSED, message)
    if not take_over:
        message = (
            f"The backup refers to {storage.access.url}, which the restored server takes over. Stop the old server and "
            "its workers for good, then give --take-over as well."
        )
        raise VarloomError(RESTORE_REFUSED, message)
