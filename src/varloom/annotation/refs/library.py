"""The library of releases in the storage: list, borrow, verify, remove; no server and no database is needed.

A release is `refs/ASSEMBLY/KIND/NAME/RELEASE/release.json`, which is written last, and the folder beside it that it
names. Every installation writes to a folder of its own, so two at once never mix; the first to write `release.json`
has published, and what any other left behind is removed later. Users of a release hold a lock file shared, and who
publishes or removes it holds it alone; the system drops the locks of killed processes. The locks are for a storage in
a local folder. In an object store, who publishes claims the turn (see `claims`), and a release is copied before it is
used; the copy stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import time
from typing import TYPE_CHECKING

from varloom.annotation.refs.claims import claimed
from varloom.annotation.refs.kept_reads import jobs_with_cram_of
from varloom.annotation.refs.pins import Pins
from varloom.annotation.refs.problems import REFERENCE_DAMAGED, REFERENCE_IN_USE, REFERENCE_MISSING, REFERENCE_NEEDED
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.release import Release, StoredFile, folder_of
from varloom.annotation.source import InstalledRelease
from varloom.dataset.durable import disk_full_told
from varloom.errors import VarloomError, counted
from varloom.storage.held_folder import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.source import Need
    from varloom.genomics.assemblies import Assembly
    from varloom.storage import BytesDone, LocalCopies, Storage

logger = logging.getLogger(__name__)

RELEASE_FILE = "release.json"
_MOST_TOLD = 5
"""Of the jobs that need a release, so many are named."""
_ABANDONED = 7 * 24 * 3600
"""Seconds after which what lies in an object store and belongs to no release counts as left behind."""


class ReferenceLibrary:
    """The releases in a storage.

    Args of the constructor:
        storage: where they are.
        copies: where releases out of an object store are copied to; None with a local folder.
    """

    def __init__(self, storage: Storage, copies: LocalCopies | None = None) -> None:
        self.storage = storage
        self._copies = copies

    def releases(self, on_damaged: Callable[[VarloomError], None] | None = None) -> list[Release]:
        """All releases, by assembly, kind and name, the newest of each first.

        One whose `release.json` cannot be read is left out, and told to `on_damaged`, or by a warning in the log.

        Raises:
            VarloomError: those of `Storage`.
        """
        keys = [key for key in self.storage.list_prefix("refs") if _is_release_file(key)] if self._any() else []
        found = []
        for key in keys:
            try:
                release = self._read(key)
            except VarloomError as error:
                if error.kind is not REFERENCE_DAMAGED:
                    raise
                (on_damaged or _warn)(error)
            else:
                found += [release] if release is not None else []
        found.sort(key=lambda release: release.added_at, reverse=True)
        return sorted(found, key=lambda release: (release.assembly, release.kind, release.name))

    def newest_first(self) -> list[ReleaseKey]:
        """All releases, whatever they are, in the order in which they are preferred: the one that was added last first.

        Raises:
            VarloomError: those of `Storage`.
        """
        return [one.key for one in sorted(self.releases(), key=lambda one: one.added_at, reverse=True)]

    def get(self, key: ReleaseKey) -> Release:
        """One release.

        Raises:
            VarloomError: `reference_missing`, `reference_damaged`.
        """
        release = self._read(f"{folder_of(key)}/{RELEASE_FILE}")
        if release is None:
            raise _missing(key)
        return release

    def newest(self, need: Need, assembly: Assembly, *, demo: bool = False) -> Release | None:
        """The release that meets a need: of its name, if it tells one; the one that was added last.

        With `demo` those of the demonstration are looked at, and else all others.
        """
        fitting = [
            release
            for release in self.releases()
            if (release.assembly, release.kind, release.key.is_demo) == (assembly, need.kind, demo)
            and need.name in {None, release.name}
        ]
        return max(fitting, key=lambda release: release.added_at, default=None)

    @contextlib.contextmanager
    def borrow(self, key: ReleaseKey, on_bytes: BytesDone | None = None) -> Iterator[InstalledRelease]:
        """The release on this machine; it stays until the block ends.

        Raises:
            VarloomError: `reference_missing`, `reference_damaged`, `disk_full`, or those of `Storage`.
        """
        local = self.storage.local_path(folder_of(key))
        if local is not None:
            with contextlib.ExitStack() as held:
                try:
                    held.enter_context(locked(local / _LOCK, fcntl.LOCK_SH))
                except FileNotFoundError:
                    raise _missing(key) from None
                yield InstalledRelease(key, local / self.get(key).folder)
            return
        release = self.get(key)
        if self._copies is None:
            raise AssertionError("a release out of an object store needs a place for its copy")
        with contextlib.ExitStack() as held:
            with disk_full_told(f"a copy of the release {told(key)}"):
                folder = held.enter_context(
                    self._copies.borrow(
                        f"{folder_of(key)}/{release.folder}",
                        release.size,
                        lambda into: self._fetch(release, into, on_bytes),
                    )
                )
            yield InstalledRelease(key, folder)

    def verify(self, release: Release, on_bytes: Callable[[int, int], None] | None = None) -> list[str]:
        """Read all files of a release again; what is wrong with each, in words, and nothing if all is well."""
        faults, done = [], 0
        for file in release.files:
            path = f"{folder_of(release.key)}/{release.folder}/{file.name}"
            try:
                found = self._checksum(path, among_all(on_bytes or _nobody, done, release.size))
            except FileNotFoundError:
                faults.append(f"{file.name} is missing.")
            else:
                if found != (file.bytes, file.sha256):
                    faults.append(f"{file.name} has {found[0]:,} bytes and is not what was installed.")
            done += file.bytes
        return faults

    def has(self, key: ReleaseKey) -> bool:
        """Whether a release is installed."""
        return self.storage.exists(f"{folder_of(key)}/{RELEASE_FILE}")

    def remove(self, key: ReleaseKey, *, force: bool = False) -> None:
        """Take a release away; with `force` also from those who work with it, who then fail.

        Raises:
            VarloomError: `reference_missing`, `reference_in_use` while a job has pinned it, or somebody reads it on
                a storage in a local folder, or `reference_needed` while an alignment is kept as CRAM of this genome.
        """
        if not self.has(key):
            raise _missing(key)
        if not force and (jobs := Pins(self.storage).jobs_with(key)):
            needed = f"{counted(len(jobs), 'job')} that {'works' if len(jobs) == 1 else 'work'} with it"
            message = f"{told(key)} is needed by {needed}: {', '.join(jobs[:_MOST_TOLD])}."
            raise VarloomError(REFERENCE_IN_USE, message)
        if not force and key.kind == "fasta" and (jobs := jobs_with_cram_of(self.storage, key)):
            made = f"{counted(len(jobs), 'alignment')} that {'is' if len(jobs) == 1 else 'are'} kept as CRAM"
            message = f"{told(key)} is needed to read {made}, made by {', '.join(jobs[:_MOST_TOLD])}."
            raise VarloomError(REFERENCE_NEEDED, message)
        local = self.storage.local_path(folder_of(key))
        with contextlib.ExitStack() as held:
            if local is not None:
                try:
                    held.enter_context(locked(local / _LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB))
                except FileNotFoundError:
                    raise _missing(key) from None
                except BlockingIOError:
                    if not force:
                        raise VarloomError(REFERENCE_IN_USE, f"{told(key)} is in use.") from None
            self.storage.delete_tree(folder_of(key))

    def sweep(self) -> int:
        """Remove what installations that were killed left behind; how many folders those were."""
        local = self.storage.local_path("refs")
        found = self._local_folders(local) if local is not None else self._stored_folders()
        gone = [folder for folder in found if self._is_not_published(folder) and self._is_abandoned(folder)]
        for folder in gone:
            self.storage.delete_tree(folder)
        return len(gone)

    def publish(self, release: Release) -> bool:
        """Make a release visible whose files are stored already; False if another one has its key, or is about to."""
        folder = folder_of(release.key)
        local = self.storage.local_path(folder)
        with contextlib.ExitStack() as held:
            if local is not None:
                held.enter_context(locked(local / _LOCK, fcntl.LOCK_EX))
            elif not held.enter_context(claimed(self.storage, f"{folder}/claims", release.folder)):
                return False
            if self.storage.exists(f"{folder}/{RELEASE_FILE}"):
                return False
            self.storage.write_bytes(f"{folder}/{RELEASE_FILE}", release.to_json())
        return True

    # --- within ---------------------------------------------------------------------------------------------------

    def _any(self) -> bool:
        local = self.storage.local_path("refs")
        return local is None or local.is_dir()

    def _read(self, key: str) -> Release | None:
        """A release by the key of its file; None if it has just gone, or never was."""
        try:
            return Release.from_json(self.storage.read_bytes(key), key)
        except FileNotFoundError:
            return None

    def _fetch(self, release: Release, into: Path, on_bytes: BytesDone | None) -> None:
        done = 0
        for file in release.files:
            key = f"{folder_of(release.key)}/{release.folder}/{file.name}"
            try:
                found = self.storage.fetch(key, into / file.name, among_all(on_bytes or _nobody, done, release.size))
            except FileNotFoundError:
                raise VarloomError(REFERENCE_DAMAGED, f"{told(release.key)}: {file.name} is missing.") from None
            if found.sha256 != file.sha256:
                raise VarloomError(REFERENCE_DAMAGED, f"{told(release.key)}: {file.name} is not what was installed.")
            done += file.bytes

    def _checksum(self, key: str, on_bytes: BytesDone) -> tuple[int, str]:
        """The size and checksum of an object, which is fetched to a file that does not stay if it is elsewhere."""
        path = self.storage.local_path(key)
        if path is not None:
            found = checksum_of(path, on_bytes)
            return found.bytes, found.sha256
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory(prefix="varloom-verify-") as folder, disk_full_told("a copy to verify"):
            stored = self.storage.fetch(key, Path(folder) / "copy", on_bytes)
        return stored.bytes, stored.sha256

    def _local_folders(self, refs: Path) -> list[str]:
        """The folders that hold files of releases, and those that could."""
        return [f"refs/{path.relative_to(refs).as_posix()}" for path in refs.glob("*/*/*/*/*") if path.is_dir()]

    def _stored_folders(self) -> list[str]:
        keys = (key.split("/") for key in self.storage.list_prefix("refs"))
        return sorted({"/".join(parts[:6]) for parts in keys if len(parts) > 6})

    def _is_abandoned(self, folder: str) -> bool:
        local = self.storage.local_path(folder)
        if local is None:
            return self.storage.changed_at(folder) < time.time() - _ABANDONED
        lock = being_written(local)
        try:
            with locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                lock.unlink(missing_ok=True)  # nobody writes to a folder of this name ever again
                return self._is_not_published(folder)
        except BlockingIOError:
            return False

    def _is_not_published(self, folder: str) -> bool:
        """Whether no release has its files in a folder; of a release that cannot be read nobody knows."""
        parent, _, name = folder.rpartition("/")
        try:
            release = self._read(f"{parent}/{RELEASE_FILE}")
        except VarloomError:
            return False
        return release is None or release.folder != name


_LOCK = ".lock"


def being_written(folder: Path) -> Path:
    """The lock file that an installation holds while it writes to a folder, or to the scratch folder beside it."""
    return folder.with_name(f".{folder.name.partition('.')[0]}.lock")


def checksum_of(path: Path, on_bytes: BytesDone) -> StoredFile:
    """A file by its name, size and SHA-256; `on_bytes` is told the bytes that were read."""
    import hashlib

    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while portion := file.read(1 << 20):
            digest.update(portion)
            done += len(portion)
            on_bytes(done, None)
    return StoredFile(path.name, done, digest.hexdigest())


def told(key: ReleaseKey) -> str:
    """A release for people: `clinvar 2026-11-15 (variants, GRCh38)`."""
    return f"{key.name} {key.release} ({key.kind}, {key.assembly})"


def _warn(error: VarloomError) -> None:
    logger.warning("%s", error.message)


def _nobody(done: int, total: int) -> None:
    """Nobody wants to know."""


def _is_release_file(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 6 and parts[-1] == RELEASE_FILE


def _missing(key: ReleaseKey) -> VarloomError:
    return VarloomError(REFERENCE_MISSING, f"{told(key)} is not installed.")
