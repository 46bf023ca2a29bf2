"""The storage in a local folder. Everything in it is private to the user that runs Varloom."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.storage.incoming import (
    IncomingObject,
    check_space,
    make_folder,
    sync_folder,
    told_of_disk,
    too_large,
)
from varloom.storage.model import StorageAccess, StoredObject, checked_key, files_to_store
from varloom.storage.problems import STORAGE_UNUSABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from varloom.storage.model import BytesDone

_PORTION = 1 << 20
_TRASH = ".trash"
_UNFINISHED = ".part"
_GATHERING = ".arriving"


class LocalStorage:
    """A `Storage` in the folder `root`, which is created if it does not exist."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root).absolute()
        try:
            make_folder(self._root)
            self._root = self._root.resolve(strict=True)
        except OSError as error:
            raise VarloomError(STORAGE_UNUSABLE, f"The storage folder {self._root}: {error.strerror}") from error

    def __repr__(self) -> str:
        return f"LocalStorage({str(self._root)!r})"

    @property
    def access(self) -> StorageAccess:
        """See `Storage.access`."""
        return StorageAccess(self._root.as_uri())

    def path(self, key: str) -> Path:
        """Where the object or folder is; it need not exist."""
        return self._root / checked_key(key)

    def local_path(self, key: str) -> Path:
        """See `Storage.local_path`."""
        return self.path(key)

    async def write_stream(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        limit: int | None = None,
        reserve: int = 0,
        expected: int | None = None,
    ) -> StoredObject:
        """See `Storage.write_stream`."""
        target = self.path(key)
        if expected is not None:
            if limit is not None and expected > limit:
                raise too_large(limit)
            check_space(self._root, expected, reserve)
        incoming = IncomingObject(target, limit=limit, reserve=reserve)
        try:
            return await incoming.receive(chunks)
        except BaseException:
            incoming.abandon()
            raise

    def gathering_place(self) -> Path:
        """See `Storage.gathering_place`. Its name is hidden: what is in it is no object."""
        return self._root / _GATHERING

    async def adopt(self, key: str, path: Path) -> None:
        """See `Storage.adopt`."""
        await asyncio.to_thread(self._adopt, self.path(key), path)

    def _adopt(self, target: Path, path: Path) -> None:
        with told_of_disk(target.parent):
            if target.exists():
                return
            created = make_folder(target.parent)
            failpoint("spool.before_rename")
            path.rename(target)
            failpoint("spool.after_rename")
            for folder in {target.parent, *(made.parent for made in created)}:
                sync_folder(folder)

    def write_bytes(self, key: str, content: bytes) -> None:
        """See `Storage.write_bytes`."""
        incoming = IncomingObject(self.path(key), limit=None, reserve=0)
        try:
            incoming.write(content)
            incoming.publish()
        except BaseException:
            incoming.abandon()
            raise

    def read_bytes(self, key: str) -> bytes:
        """See `Storage.read_bytes`."""
        return self.path(key).read_bytes()

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """See `Storage.read_range`."""
        with self.path(key).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def fetch(self, key: str, target: Path, on_bytes: BytesDone | None = None) -> StoredObject:
        """See `Storage.fetch`."""
        digest, done = hashlib.sha256(), 0
        with self.path(key).open("rb") as source, target.open("xb") as file:
            total = os.fstat(source.fileno()).st_size
            while portion := source.read(_PORTION):
                file.write(portion)
                digest.update(portion)
                done += len(portion)
                if on_bytes is not None:
                    on_bytes(done, total)
        return StoredObject(done, digest.hexdigest())

    def store_folder(self, key: str, folder: Path, *, last: str, on_bytes: BytesDone | None = None) -> None:
        """See `Storage.store_folder`."""
        files = files_to_store(folder, last)
        total, done = sum(path.stat().st_size for _, path in files), 0
        for name, path in files:
            incoming = IncomingObject(self.path(f"{key}/{name}"), limit=None, reserve=0)
            try:
                with path.open("rb") as source:
                    while portion := source.read(_PORTION):
                        incoming.write(portion)
                        done += len(portion)
                        if on_bytes is not None:
                            on_bytes(done, total)
                incoming.publish()
            except BaseException:
                incoming.abandon()
                raise

    def exists(self, key: str) -> bool:
        """See `Storage.exists`."""
        return self.path(key).exists()

    def size(self, key: str) -> int:
        """See `Storage.size`."""
        path = self.path(key)
        if path.is_dir():
            return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())
        return path.stat().st_size

    def changed_at(self, key: str) -> float:
        """See `Storage.changed_at`."""
        return self.path(key).stat().st_mtime

    def delete_tree(self, key: str) -> None:
        """See `Storage.delete_tree`. It is renamed away first: nobody ever sees half of it."""
        path = self.path(key)
        make_folder(self._root / _TRASH)
        failpoint("delete.before_rename")
        try:
            trash = _renamed_away(path, self._root / _TRASH)
        except FileNotFoundError:
            return
        failpoint("delete.before_remove")
        _remove(trash)
        failpoint("delete.after_remove")

    def remove_leftovers(self, before: float) -> int:
        """See `Storage.remove_leftovers`."""
        trashed = (self._root / _TRASH).glob("*")
        old = [path for path in (*self._unfinished(), *trashed) if _changed_before(path, before)]
        for path in old:
            _remove(path)
        return len(old)

    def _unfinished(self) -> Iterator[Path]:
        """What has the name of something half done; the folders of the storage may be links to other disks."""
        yield from self._root.glob(".*" + _UNFINISHED)
        for top in self._root.iterdir():
            for folder, subfolders, files in os.walk(top):
                names = (*subfolders, *files)
                yield from (Path(folder, name) for name in names if name[0] == "." and name.endswith(_UNFINISHED))

    def list_prefix(self, key: str = "") -> Iterator[str]:
        """See `Storage.list_prefix`. Unfinished objects have hidden names and are left out."""
        found = []
        for folder, subfolders, files in os.walk(
            self.path(key) if key else self._root
        ):  # passes over what has just gone
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            prefix = Path(folder).relative_to(self._root)
            found += [(prefix / name).as_posix() for name in files if not name.startswith(".")]
        yield from sorted(found)


def _renamed_away(path: Path, trash: Path) -> Path:
    """Rename into the trash, or, where a folder of the storage lies on another disk, to a hidden name beside it."""
    name = secrets.token_hex(8)
    try:
        return path.rename(trash / name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    return path.rename(path.with_name(f".{path.name[:100]}.{name}{_UNFINISHED}"))


def _remove(path: Path) -> None:
    """Remove a file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _changed_before(path: Path, moment: float) -> bool:
    """Whether it was last changed before this moment; what has just gone was not."""
    try:
        return path.lstat().st_mtime < moment
    except FileNotFoundError:
        return False
