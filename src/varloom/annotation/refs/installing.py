"""Installing a release: check the published file, import it, publish the result; all of it or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.refs.catalogue import licence_of
from varloom.annotation.refs.importer import ImportTask
from varloom.annotation.refs.importers import importer_of
from varloom.annotation.refs.library import RELEASE_FILE, being_written, checksum_of, told
from varloom.annotation.refs.problems import (
    REFERENCE_CHECKSUM,
    REFERENCE_EXISTS,
    REFERENCE_NAME_INVALID,
    REFERENCE_UNREADABLE,
    REFERENCE_WRONG_ASSEMBLY,
)
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.release import Release, StoredFile, folder_of
from varloom.annotation.source import Need
from varloom.dataset.durable import disk_full_told, sync_directory, sync_file
from varloom.errors import VarloomError, safe_excerpt
from varloom.failpoints import failpoint
from varloom.genomics.demonstration import DEMO_CONTIGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.importer import Imported
    from varloom.annotation.refs.importers import ImporterEntry
    from varloom.annotation.refs.library import ReferenceLibrary

OnStep = Callable[[str, int, int | None], None]
"""Told what is being done, the bytes done, and of how many."""

_BESIDE = re.compile(r"\.(tbi|csi|fai|gzi|md5|sha256|sha256sum)$")
"""Files that lie beside published ones and are none."""


class Published(NamedTuple):
    """What is to be installed.

    Attributes:
        path: the published file, or a folder of several, such as one for each chromosome.
        url: where it was fetched, without what could be secret.
        sha256: that the file has to have, in hexadecimal.
        licence: in words; None leaves it to the catalogue.
        excerpt: whether chromosomes may be shorter or longer than in the assembly, as in data for tests.
    """

    path: Path
    url: str | None = None
    sha256: str | None = None
    licence: str | None = None
    excerpt: bool = False


def install(library: ReferenceLibrary, key: ReleaseKey, published: Published, on_step: OnStep) -> Release:
    """Make a release out of what was published.

    Raises:
        VarloomError: `reference_exists`, `reference_name_invalid` for a kind and name without an importer,
            `reference_unreadable`, `reference_checksum`, `reference_malformed`, `reference_wrong_assembly`,
            `disk_full`, or those of `Storage`. Nothing is left behind.
    """
    if library.storage.exists(f"{folder_of(key)}/{RELEASE_FILE}"):
        raise _exists(key)
    library.sweep()
    entry = importer_of(key.kind, key.name)
    if entry is None:
        raise VarloomError(REFERENCE_NAME_INVALID, f"There is no importer for {key.kind} called {key.name}.")
    paths = _files_of(published.path, entry.folders)
    sources = _checked(paths, published.sha256, on_step)
    with _place(library, key) as folder, disk_full_told(f"the release {told(key)}"):
        genome = library.newest(Need("fasta"), key.assembly, demo=key.is_demo) if key.kind != "fasta" else None
        scratch = folder.with_name(f"{folder.name}.scratch")
        task = ImportTask(key, paths, folder, scratch, None, partial(on_step, "importing"), published.excerpt)
        imported = _import(library, entry, task, genome)
        _refuse_demonstration(key, imported)
        failpoint("refs.after_import")
        release = Release(
            *key,
            folder=folder.name,
            files=_durable(folder, on_step),
            sources=sources,
            source_url=published.url,
            licence=published.licence or licence_of(key),
            added_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            importer=entry.version,
            genome=genome.release if genome is not None else None,
            counts=imported.counts,
            contigs=imported.contigs,
            unused=imported.unused,
            notes=imported.notes,
        )
        _store(library, release, folder, on_step)
        failpoint("refs.before_publish")
        if not library.publish(release):
            _discard(library, release)
            raise _exists(key)
        failpoint("refs.after_publish")
    return release


def release_told_by(path: Path) -> str:
    """The name of a release that nobody named: a VCF's date, a wheel's version, else when the file was last changed."""
    from varloom.annotation.refs.published_text import PublishedText

    first = _files_of(path)[0]
    if wheel := re.fullmatch(r"[A-Za-z0-9_.]+-([A-Za-z0-9._]{1,40})(-[A-Za-z0-9_.]+){3,4}\.whl", first.name):
        return wheel[1]
    with contextlib.suppress(VarloomError), PublishedText(first) as text:
        for line in text.comments():
            match = re.fullmatch(r"##fileDate=(\d{4})-?(\d{2})-?(\d{2})", line.strip())
            if match:
                return "-".join(match.groups())
    return datetime.fromtimestamp(first.stat().st_mtime, UTC).date().isoformat()


def _import(library: ReferenceLibrary, entry: ImporterEntry, task: ImportTask, genome: Release | None) -> Imported:
    """Run the importer, with a genome if there is one, and with scratch space beside the result."""
    with contextlib.ExitStack() as held:
        task.scratch.mkdir(mode=0o700)
        held.callback(shutil.rmtree, task.scratch, ignore_errors=True)
        failpoint("refs.before_import")
        if genome is not None:
            task = task._replace(genome=held.enter_context(library.borrow(genome.key)).folder)
        return entry.load()(task)


def _refuse_demonstration(key: ReleaseKey, imported: Imported) -> None:
    """See that a file of the demonstration does not become a release that others are annotated with.

    Raises:
        VarloomError: `reference_wrong_assembly`.
    """
    if not key.is_demo and DEMO_CONTIGS.keys() & imported.contigs.keys():
        message = f"The file is on the demonstration genome, and not on {key.assembly}."
        raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)


@contextlib.contextmanager
def _place(library: ReferenceLibrary, key: ReleaseKey) -> Iterator[Path]:
    """A new folder for the files of a release, where they stay if the storage is on this machine."""
    name = secrets.token_hex(8)
    local = library.storage.local_path(f"{folder_of(key)}/{name}")
    if local is None:
        with tempfile.TemporaryDirectory(prefix="varloom-refs-") as scratch:
            folder = Path(scratch) / name
            folder.mkdir(mode=0o700)
            yield folder
        return
    with disk_full_told(f"the release {told(key)}"):
        local.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(being_written(local), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        local.mkdir(mode=0o700)
        yield local
    except BaseException:
        shutil.rmtree(local, ignore_errors=True)
        raise
    finally:
        being_written(local).unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # it is not empty
            local.parent.rmdir()


def _files_of(path: Path, folders: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """The published files of a path, by their names; of these folders below it or beside it, where there are any."""
    try:
        if path.is_dir():
            above = path.parent if path.name in folders else path
            places = [above / name for name in folders if (above / name).is_dir()] or [path]
            found = sorted(
                one
                for place in places
                for one in place.iterdir()
                if one.is_file() and one.name[0] != "." and not _BESIDE.search(one.name)
            )
        else:
            with path.open("rb"):
                found = [path]
    except OSError as error:
        raise VarloomError(REFERENCE_UNREADABLE, f"{safe_excerpt(str(path))}: {error.strerror}.") from None
    if not found:
        raise VarloomError(REFERENCE_UNREADABLE, f"{safe_excerpt(str(path))} holds no file.")
    return tuple(found)


def _checked(paths: tuple[Path, ...], expected: str | None, on_step: OnStep) -> tuple[StoredFile, ...]:
    """The published files with their checksums.

    Raises:
        VarloomError: `reference_checksum`.
    """
    total, done, found = sum(path.stat().st_size for path in paths), 0, []
    for path in paths:
        found.append(checksum_of(path, among_all(partial(on_step, "checking"), done, total)))
        done += found[-1].bytes
    if expected is None:
        return tuple(found)
    if len(found) > 1:
        raise VarloomError(REFERENCE_CHECKSUM, f"A checksum is that of one file, and there are {len(found):,}.")
    if found[0].sha256 != expected.strip().lower():
        message = f"{found[0].name} has the SHA-256 {found[0].sha256}, not {safe_excerpt(expected, 64)}."
        raise VarloomError(REFERENCE_CHECKSUM, message)
    return tuple(found)


def _durable(folder: Path, on_step: OnStep) -> tuple[StoredFile, ...]:
    """The files that the importer wrote, forced to the disk, with their checksums."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    total, done, files = sum(path.stat().st_size for path in paths), 0, []
    for path in paths:
        sync_file(path)
        found = checksum_of(path, among_all(partial(on_step, "finishing"), done, total))
        files.append(StoredFile(path.relative_to(folder).as_posix(), found.bytes, found.sha256))
        done += found.bytes
    sync_directory(folder)
    return tuple(files)


def _store(library: ReferenceLibrary, release: Release, folder: Path, on_step: OnStep) -> None:
    """Bring the files to an object store; in a local folder they are where they belong."""
    key = f"{folder_of(release.key)}/{release.folder}"
    if library.storage.local_path(key) is not None:
        sync_directory(folder.parent)
        return
    last = release.files[-1].name
    try:
        library.storage.store_folder(key, folder, last=last, on_bytes=partial(on_step, "storing"))
    except BaseException:
        with contextlib.suppress(VarloomError, OSError):
            library.storage.delete_tree(key)
        raise


def _discard(library: ReferenceLibrary, release: Release) -> None:
    """Remove the stored files of a release that is not published; a local folder goes with the error."""
    key = f"{folder_of(release.key)}/{release.folder}"
    if library.storage.local_path(key) is None:
        library.storage.delete_tree(key)


def _exists(key: ReleaseKey) -> VarloomError:
    return VarloomError(REFERENCE_EXISTS, f"{told(key)} is installed already.")
