"""The storage in an object store: s3://, gs:// or az://, through obstore."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from varloom.failpoints import failpoint
from varloom.storage.incoming import too_large
from varloom.storage.model import StorageAccess, StoredObject, checked_key, files_to_store
from varloom.storage.object_access import open_store
from varloom.storage.object_faults import told, was_answered
from varloom.storage.object_upload import PORTION, PORTIONS_AT_ONCE, IncomingStream, portion_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from obstore.store import AzureStore, GCSStore, S3Store

    from varloom.storage.model import BytesDone

DELETED_AT_ONCE = 500


class ObjectStorage:
    """A `Storage` below the prefix of a bucket. It is thread-safe, and costs nothing until it is used."""

    def __init__(self, access: StorageAccess) -> None:
        self._access = access

    def __repr__(self) -> str:
        return f"ObjectStorage({self._access.url!r})"

    @property
    def access(self) -> StorageAccess:
        """See `Storage.access`."""
        return self._access

    @cached_property
    def _store(self) -> S3Store | GCSStore | AzureStore:
        return open_store(self._access)

    @cached_property
    def _quick_store(self) -> S3Store | GCSStore | AzureStore:
        return open_store(self._access, quick=True)

    def local_path(self, key: str) -> None:
        """See `Storage.local_path`."""
        checked_key(key)

    async def write_stream(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        limit: int | None = None,
        reserve: int = 0,  # noqa: ARG002 - no disk of ours
        expected: int | None = None,
    ) -> StoredObject:
        """See `Storage.write_stream`."""
        checked_key(key)
        if expected is not None and limit is not None and expected > limit:
            raise too_large(limit)
        if await asyncio.to_thread(self.exists, key):
            raise FileExistsError(f"{self._access.url}: {key} is written once only")
        incoming = IncomingStream(self._store, self._access.url, key, limit=limit, expected=expected)
        return await incoming.receive(chunks)

    def gathering_place(self) -> None:
        """See `Storage.gathering_place`."""

    async def adopt(self, key: str, path: Path) -> None:
        """See `Storage.adopt`."""
        if not await asyncio.to_thread(self.exists, key):
            await asyncio.to_thread(self._store_file, checked_key(key), path, lambda _: None)

    def write_bytes(self, key: str, content: bytes) -> None:
        """See `Storage.write_bytes`."""
        if self.exists(key):
            raise FileExistsError(f"{self._access.url}: {key} is written once only")
        with told(self._access.url, key):
            self._quick_store.put(key, content)  # conditions are not known to every store

    def read_bytes(self, key: str) -> bytes:
        """See `Storage.read_bytes`."""
        with told(self._access.url, checked_key(key)):
            return self._quick_store.get(key).bytes().to_bytes()

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """See `Storage.read_range`."""
        with told(self._access.url, checked_key(key)):
            return bytes(self._store.get_range(key, start=start, end=end))

    def fetch(self, key: str, target: Path, on_bytes: BytesDone | None = None) -> StoredObject:
        """See `Storage.fetch`. A few portions are on their way at a time."""
        total = self._meta(key)["size"]
        digest, done = sha256(), 0
        with target.open("xb") as file:
            for portion in self._portions(key, total):
                file.write(portion)
                digest.update(portion)
                done += len(portion)
                if on_bytes is not None:
                    on_bytes(done, total)
        return StoredObject(done, digest.hexdigest())

    def _portions(self, key: str, total: int) -> Iterator[memoryview]:
        """The bytes of an object, in order."""

        def get(start: int) -> memoryview:
            with told(self._access.url, key):
                return memoryview(self._store.get_range(key, start=start, end=min(total, start + PORTION)))

        with ThreadPoolExecutor(PORTIONS_AT_ONCE, thread_name_prefix="fetch") as threads:
            under_way: deque[Future[memoryview]] = deque()
            try:
                for start in range(0, total, PORTION):
                    under_way.append(threads.submit(get, start))
                    if len(under_way) == PORTIONS_AT_ONCE:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def store_folder(self, key: str, folder: Path, *, last: str, on_bytes: BytesDone | None = None) -> None:
        """See `Storage.store_folder`."""
        files = files_to_store(folder, last)
        total, done = sum(path.stat().st_size for _, path in files), 0

        def count(portion: int) -> None:
            nonlocal done
            done += portion
            if on_bytes is not None:
                on_bytes(done, total)

        for name, path in files:
            failpoint("remote.before_file")
            self._store_file(checked_key(f"{key}/{name}"), path, count)

    def _store_file(self, key: str, path: Path, count: Callable[[int], None]) -> None:
        """Store one file; a part of a multipart upload that fails ends with all of it."""
        with told(self._access.url, key):
            portion = portion_size(path.stat().st_size)
            if path.stat().st_size <= portion:
                content = path.read_bytes()
                self._store.put(key, content, use_multipart=False)
                count(len(content))
                return
            self._store.put(
                key,
                _portions_of(path, portion, count),
                use_multipart=True,
                chunk_size=portion,
                max_concurrency=PORTIONS_AT_ONCE,
            )

    def exists(self, key: str) -> bool:
        """See `Storage.exists`."""
        try:
            self._meta(key)
        except FileNotFoundError:
            return any(True for _ in self._objects(key))
        return True

    def size(self, key: str) -> int:
        """See `Storage.size`."""
        return sum(found["size"] for found in self._all_of(key))

    def changed_at(self, key: str) -> float:
        """See `Storage.changed_at`."""
        return max(float(found["last_modified"].timestamp()) for found in self._all_of(key))

    def delete_tree(self, key: str) -> None:
        """See `Storage.delete_tree`."""
        try:
            keys = [str(found["path"]) for found in self._all_of(key)]
        except FileNotFoundError:
            return
        for start in range(0, len(keys), DELETED_AT_ONCE):
            with told(self._access.url, key):
                self._store.delete(keys[start : start + DELETED_AT_ONCE])

    def remove_leftovers(self, before: float) -> int:  # noqa: ARG002 - nothing half is ever visible
        """See `Storage.remove_leftovers`.

        What a killed process leaves are parts of multipart uploads, which no listing shows: a rule of the bucket
        removes them, as `docs/how-to/object-storage.md` tells.
        """
        return 0

    def list_prefix(self, key: str = "") -> Iterator[str]:
        """See `Storage.list_prefix`."""
        yield from sorted(str(found["path"]) for found in self._objects(key))

    def _all_of(self, key: str) -> list[Any]:
        """What the store knows of an object, or of all objects of a folder; FileNotFoundError if there is none."""
        found = list(self._objects(key))
        return found or [self._meta(key)]

    def _objects(self, key: str) -> Iterator[Any]:
        with told(self._access.url, key):
            for page in self._store.list(checked_key(key) if key else None):
                yield from page

    def _meta(self, key: str) -> Any:
        """What the store knows of an object; FileNotFoundError if there is none.

        The answer to HEAD has no body that could tell a missing object from a missing bucket, or wrong credentials
        from missing permission: where it fails, a byte is asked for.
        """
        from obstore.exceptions import BaseError

        try:
            return self._quick_store.head(checked_key(key))
        except (BaseError, OSError) as error:
            with told(self._access.url, key):
                if not was_answered(error):
                    raise
                self._quick_store.get_range(key, start=0, end=1)
                return self._quick_store.head(key)


def _portions_of(path: Path, size: int, count: Callable[[int], None]) -> Iterator[bytes]:
    """A file in portions; each is counted when the next is asked for."""
    with path.open("rb") as file:
        while portion := file.read(size):
            yield portion
            count(len(portion))
