"""Making a backup: the database as it is at one moment, and every file that it speaks of."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, LiteralString

import psycopg

import varloom
from varloom.dataset.durable import disk_full_told, sync_directory, sync_file, write_atomically
from varloom.db import dumps
from varloom.db.database import open_database, require_database
from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.failpoints import failpoint
from varloom.services.backup_contents import (
    CONTENTS,
    DUMP,
    FILES,
    FORMAT,
    LIST,
    SECRETS,
    Contents,
    KeptFile,
    listed_files,
    read_contents,
    sha256_of,
)
from varloom.services.work import SWEEP_LOCK
from varloom.storage import open_storage
from varloom.transfer.vault import KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from varloom.settings import Settings
    from varloom.storage import Storage

SETTINGS_FILE = "varloom.toml"
KEPT_SECRETS = (KEY_FILE, SETTINGS_FILE)
"""What of the data folder is kept with `with_secrets`."""

_PASSING = ("downloads/", "processing/", "annotations/")
"""What jobs gather while they run; a job that is restored begins its stage anew."""

# The same conditions as those of the sweep: what it may have removed already is not missed.
REFERENCED: LiteralString = """
    SELECT storage_key FROM uploads WHERE storage_key IS NOT NULL
    UNION SELECT storage_key FROM upload_files WHERE storage_key IS NOT NULL
    UNION SELECT datasets.storage_key FROM datasets JOIN samples ON samples.id = datasets.sample_id
          WHERE samples.deleted_at IS NULL OR samples.purge_at > now()
    UNION SELECT sample_files.storage_key FROM sample_files JOIN samples ON samples.id = sample_files.sample_id
          WHERE samples.deleted_at IS NULL OR samples.purge_at > now()
"""


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """How a backup is made.

    Attributes:
        with_files: whether the storage's files are copied; an object store keeps them itself.
        with_secrets: whether the keys of credentials and `varloom.toml` are copied.
        previous: an earlier backup on the same disk, whose files are shared by links rather than copied again.
    """

    with_files: bool = True
    with_secrets: bool = False
    previous: Path | None = None


def make_backup(
    settings: Settings, target: Path, options: BackupOptions, on_file: Callable[[int, int], None]
) -> Contents:
    """Write a backup into a new folder, while the server runs or not. The folder appears when it is whole.

    Args:
        settings: which database and storage.
        target: the folder; it must not exist.
        options: what is kept.
        on_file: told the bytes copied and of how many, as far as is known.

    Raises:
        VarloomError: `settings_invalid` if the target exists, `backup_damaged` for the previous backup, `disk_full`,
            `database_copy_failed`, and those of the database and of the storage.
    """
    if target.exists():
        raise VarloomError(SETTINGS_INVALID, f"{target} is there already; name a new folder for the backup.")
    require_database(settings)
    storage = open_storage(settings)
    unfinished = target.with_name(f".{target.name}.unfinished")
    making = _Making(storage, unfinished, options, _files_of(options.previous), on_file)
    with disk_full_told(f"the backup {target}"):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        try:
            if options.with_secrets:
                _keep_secrets(settings.data, unfinished / SECRETS)
            with open_database(settings) as database:
                contents = making.write(database.conninfo)
            failpoint("backup.before_rename")
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync_directory(target.parent)
    return contents


@dataclass(frozen=True, slots=True)
class _Making:
    """One backup that is being made, in `folder`; `earlier` are the files of the one before."""

    storage: Storage
    folder: Path
    options: BackupOptions
    earlier: Mapping[str, tuple[KeptFile, Path]]
    on_file: Callable[[int, int], None]

    def write(self, conninfo: str) -> Contents:
        """Database first, then the files: what it speaks of is there then, and nothing removes it meanwhile."""
        with _nothing_swept(conninfo):
            with dumps.snapshot(conninfo) as (connection, name):
                dumps.dump(conninfo, name, self.folder / DUMP)
                referenced = [str(row[0]) for row in connection.execute(REFERENCED)]
                schema = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
                marked = connection.execute("SELECT id FROM storage WHERE marked_at IS NOT NULL").fetchone()
            failpoint("backup.after_dump")
            keys = [key for key in self.storage.list_prefix() if not key.startswith(_PASSING)]
            with_files = self.options.with_files and self.storage.gathering_place() is not None
            there, size = set(), 0
            with (self.folder / LIST).open("w", encoding="utf-8") as lines:
                for file in self._copied(keys) if with_files else (KeptFile(key, 0, None) for key in keys):
                    lines.write(json.dumps({"key": file.key, "bytes": file.bytes, "sha256": file.sha256}) + "\n")
                    there.add(file.key)
                    size += file.bytes
        for written in (DUMP, LIST):
            sync_file(self.folder / written)
        contents = Contents(
            format=FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            varloom=varloom.__version__,
            schema=int(str(schema[0])) if schema else 0,
            storage=str(marked[0]) if marked else None,
            storage_url=self.storage.access.url,
            has_files=with_files,
            files=len(there),
            file_bytes=size,
            dump_sha256=sha256_of(self.folder / DUMP),
            list_sha256=sha256_of(self.folder / LIST),
            has_secrets=self.options.with_secrets,
            missing=missing_of(referenced, there),
        )
        write_atomically(self.folder / CONTENTS, json.dumps(contents.as_json(), indent=1).encode() + b"\n")
        return contents

    def _copied(self, keys: list[str]) -> Iterator[KeptFile]:
        """Copy the objects; what is removed meanwhile, as a failed attempt's are, the database does not speak of."""
        sizes = {}
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                sizes[key] = self.storage.size(key)
        total, done = sum(sizes.values()), 0
        for key, size in sizes.items():
            target = self.folder / FILES / key
            target.parent.mkdir(parents=True, exist_ok=True)
            failpoint("backup.before_file")
            before = self.earlier.get(key)
            try:
                if before is not None and before[0].bytes == size and _linked(*before, target):
                    kept = before[0]
                else:
                    made = self.storage.fetch(key, target)
                    target.chmod(0o600)
                    sync_file(target)
                    kept = KeptFile(key, made.bytes, made.sha256)
            except FileNotFoundError:
                continue
            done += size
            self.on_file(done, total)
            yield kept


def missing_of(referenced: Iterable[str], there: set[str]) -> list[str]:
    """The keys, of objects or of folders, of which nothing is there."""
    folders = {key[:end] for key in there for end in _ends(key)}
    return sorted(key for key in referenced if key not in there and key not in folders)


def _ends(key: str) -> Iterator[int]:
    """Where the names of the folders end in which an object lies."""
    return (place for place, letter in enumerate(key) if letter == "/")


@contextlib.contextmanager
def _nothing_swept(conninfo: str) -> Iterator[None]:
    """No worker removes a file meanwhile that the database speaks of."""
    with psycopg.connect(conninfo, autocommit=True, application_name="varloom backup") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [SWEEP_LOCK])
        yield


def _linked(kept: KeptFile, source: Path, target: Path) -> bool:
    """Share the file of an earlier backup, if it is on the same disk and still what was written there."""
    try:
        if sha256_of(source) != kept.sha256:
            return False
        os.link(source, target)
    except OSError:
        return False
    return True


def _files_of(previous: Path | None) -> dict[str, tuple[KeptFile, Path]]:
    """The files of an earlier backup by their keys. What lies under a key never changes, but an upload grows."""
    if previous is None or not read_contents(previous).has_files:
        return {}
    return {file.key: (file, previous / FILES / file.key) for file in listed_files(previous)}


def _keep_secrets(data: Path, folder: Path) -> None:
    """Copy the keys and the settings, for nobody else to read."""
    folder.mkdir(mode=0o700)
    for name in KEPT_SECRETS:
        if (data / name).exists():
            write_atomically(folder / name, (data / name).read_bytes())
            (folder / name).chmod(0o600)
