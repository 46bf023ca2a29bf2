"""One object on its way into an object store, as it arrives: it appears when all of it is there, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from typing import TYPE_CHECKING

from varloom.storage.incoming import too_large
from varloom.storage.model import StoredObject
from varloom.storage.object_faults import told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from obstore.store import AzureStore, GCSStore, S3Store

logger = logging.getLogger(__name__)

PORTION = 8 * 1024**2
"""Bytes of one part of a multipart upload, or of one request for a range."""
MOST_PORTIONS = 10_000
"""Parts that S3 takes; larger objects have larger parts."""
PORTIONS_AT_ONCE = 4
ABORT_PATIENCE = 10.0
"""Seconds that a failed upload waits for its parts to be removed; after that it goes on without."""

_aborting: set[asyncio.Task[None]] = set()


def portion_size(total: int | None) -> int:
    """Bytes of each part of an object that has so many bytes, or at most so many."""
    return max(PORTION, -(-(total or 0) // MOST_PORTIONS))


class _AbandonedError(Exception):
    """Tells the client that no more portions come, so that it removes what it sent."""


class IncomingStream:
    """Receives chunks and passes them on in portions. Use it once.

    The client removes the parts of an upload only when its source of bytes fails, not when it is cancelled: so it runs
    in a task of its own, which is never cancelled but told.
    """

    def __init__(
        self,
        store: S3Store | GCSStore | AzureStore,
        name: str,
        key: str,
        *,
        limit: int | None,
        expected: int | None,
    ) -> None:
        self._store = store
        self._portion = portion_size(limit if expected is None else expected)
        self._name = name
        self._key = key
        self._limit = limit
        self._digest = hashlib.sha256()
        self._received = 0
        self._portions: asyncio.Queue[bytes | _AbandonedError | None] = asyncio.Queue(1)
        self._storing: asyncio.Task[None] | None = None

    async def receive(self, chunks: AsyncIterator[bytes]) -> StoredObject:
        """Store all chunks as the object."""
        try:
            portion = bytearray()
            async for chunk in chunks:
                self._count(len(chunk))
                portion += chunk
                while len(portion) >= self._portion:
                    await self._pass_on(bytes(portion[: self._portion]))
                    del portion[: self._portion]
            await self._finish(bytes(portion))
        except BaseException:
            await self._abandon()
            raise
        return StoredObject(self._received, self._digest.hexdigest())

    def _count(self, received: int) -> None:
        self._received += received
        if self._limit is not None and self._received > self._limit:
            raise too_large(self._limit)

    async def _pass_on(self, portion: bytes) -> None:
        """Hand a portion to the client, as soon as it has taken the one before."""
        await asyncio.to_thread(self._digest.update, portion)
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_portions())
        await self._put(self._storing, portion)

    async def _finish(self, portion: bytes) -> None:
        """Hand over the last portion, and wait until the object is there. One that is all is stored at once."""
        await asyncio.to_thread(self._digest.update, portion)
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_whole(portion))
        else:
            if portion:
                await self._put(self._storing, portion)
            await self._put(self._storing, None)
        await asyncio.shield(self._storing)

    async def _put(self, storing: asyncio.Task[None], portion: bytes | None) -> None:
        """Wait for room in the queue, or for the failure of the client."""
        putting = asyncio.create_task(self._portions.put(portion))
        try:
            await asyncio.wait({putting, storing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        if storing.done():
            storing.result()

    async def _store_whole(self, content: bytes) -> None:
        with told(self._name, self._key):
            await self._store.put_async(self._key, content, use_multipart=False)

    async def _store_portions(self) -> None:
        with told(self._name, self._key):
            await self._store.put_async(
                self._key,
                self._handed_over(),
                use_multipart=True,
                chunk_size=self._portion,
                max_concurrency=PORTIONS_AT_ONCE,
            )

    async def _handed_over(self) -> AsyncGenerator[bytes]:
        """The portions as they come."""
        while (portion := await self._portions.get()) is not None:
            if isinstance(portion, _AbandonedError):
                raise portion
            yield portion

    async def _abandon(self) -> None:
        """Leave nothing behind; should that take long, it goes on by itself."""
        if self._storing is None:
            return
        removing = asyncio.create_task(self._remove(self._storing))
        _aborting.add(removing)
        removing.add_done_callback(_aborting.discard)
        await asyncio.wait({removing}, timeout=ABORT_PATIENCE)

    async def _remove(self, storing: asyncio.Task[None]) -> None:
        """Break the upload off; an object that was finished all the same is deleted."""
        while not self._portions.empty():
            self._portions.get_nowait()
        self._portions.put_nowait(_AbandonedError())
        await asyncio.wait({storing})
        if storing.exception() is None:
            with contextlib.suppress(FileNotFoundError):
                try:
                    await self._store.delete_async(self._key)
                except Exception:  # noqa: BLE001 - the sweep removes it
                    logger.warning("%s: %s could not be removed; the sweep will", self._name, self._key)
