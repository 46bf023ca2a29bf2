"""One request's share of a file that arrives over several: written, hashed, made durable, and told only then."""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import hashlib
import logging
import time
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from varloom.errors import VarloomError
from varloom.services.problems import REQUEST_INVALID, UPLOAD_CHECKSUM_WRONG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from varloom.storage.spool import SpooledFile

logger = logging.getLogger(__name__)

CHECKPOINT_BYTES = 32 * 1024**2
"""After so many bytes, or so many seconds, of one request what came is made durable, so that no crash costs more."""
CHECKPOINT_SECONDS = 2.0
PORTION = 1 << 20
"""Bytes gathered before a thread is asked to write them."""
FIRST_PORTION = 1 << 16
"""The same while the beginning of the file is still being looked at."""
CHECKSUMS = ("sha256", "sha1", "md5")
"""The algorithms of Upload-Checksum; tus asks for SHA-1."""

_T = TypeVar("_T")


@dataclass(slots=True)
class Arrival:
    """What this process remembers of an upload between its requests.

    Attributes:
        turn: held by the request that has the upload to itself.
        waiting: how many requests wait for it: the one that has it gives way.
        writing: the task that writes.
        digest: SHA-256 of the first `hashed` bytes.
        look: what looks at the beginning of the file.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    writing: asyncio.Task[None] | None = None
    digest: Any = field(default_factory=hashlib.sha256)
    hashed: int = 0
    look: Callable[[int], Awaitable[bool]] | None = None

    def sha256(self, size: int) -> str | None:
        """The checksum of the first `size` bytes, if they came by in this process."""
        return str(self.digest.hexdigest()) if self.hashed == size else None


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must hash to."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, header: str) -> Self:
        """`sha256 BASE64`. Raises `request_invalid`."""
        algorithm, _, encoded = header.strip().partition(" ")
        try:
            digest = b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            digest = b""
        if algorithm not in CHECKSUMS or not digest:
            message = f"Upload-Checksum: expected one of {', '.join(CHECKSUMS)}, a space, and a digest in Base64."
            raise VarloomError(REQUEST_INVALID, message)
        return cls(algorithm, digest)


class ArrivalWriter:
    """Takes the chunks of one request. Use it once.

    Args:
        file: open at the place where to go on.
        arrival: what is remembered of the upload; it follows what is durable.
        size: of the whole file: not one byte more is taken.
        checksum: of this request's bytes; nothing of them is promised before all are there and right.
        note: told the durable length; what it has noted is promised.
        look: told how many bytes there are, to look at the beginning of the file; true as long as it has to be told.
    """

    def __init__(
        self,
        file: SpooledFile,
        arrival: Arrival,
        size: int,
        *,
        checksum: Checksum | None,
        note: Callable[[int], Awaitable[None]],
        look: Callable[[int], Awaitable[bool]] | None = None,
    ) -> None:
        self._file = file
        self._arrival = arrival
        self._size = size
        self._checksum = checksum
        self._note = note
        self._look = look
        self._start = file.position
        self._durable = file.position
        self._synced_at = time.monotonic()
        self._portion = bytearray()
        known = arrival.hashed == file.position
        self._digest = arrival.digest.copy() if known else None
        self._share = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        """Write all of them. Whatever ends it early, what came before is durable and noted when it raises."""
        try:
            async for chunk in chunks:
                await self._take(chunk)
            await self._write()
            self._verify()
            await self._look_at_it()
        except BaseException:
            await to_the_end(self._keep_what_came())
            raise
        await to_the_end(self._make_durable())

    async def _take(self, chunk: bytes) -> None:
        if self._file.position + len(self._portion) + len(chunk) > self._size:
            raise VarloomError(REQUEST_INVALID, f"The body goes on behind the {self._size:,} bytes of the file.")
        self._portion += chunk
        if len(self._portion) >= (FIRST_PORTION if self._look else PORTION):
            await self._write()

    async def _write(self) -> None:
        """Write what was gathered, look at it, and make it durable now and then."""
        portion = bytes(self._portion)
        self._portion.clear()
        if portion:
            await in_thread(self._put, portion)
        if self._share is None:
            await self._look_at_it()
        much = self._file.position - self._durable >= CHECKPOINT_BYTES
        late = time.monotonic() - self._synced_at >= CHECKPOINT_SECONDS
        if (much or late) and self._share is None:
            await self._make_durable()

    async def _look_at_it(self) -> None:
        """Look at the beginning of the file, of which no byte is in doubt."""
        if self._look is not None and not await self._look(self._file.position):
            self._look = None

    def _put(self, portion: bytes) -> None:
        digest, self._digest = self._digest, None  # of no use if only a part is written
        self._file.write(portion)
        if digest is not None:
            digest.update(portion)
        if self._share is not None:
            self._share.update(portion)
        self._digest = digest

    async def _make_durable(self) -> None:
        durable = await in_thread(self._file.sync)
        if durable != self._durable:
            await self._note(durable)
        self._durable, self._synced_at = durable, time.monotonic()
        if self._digest is not None:
            self._arrival.digest, self._arrival.hashed = self._digest.copy(), durable

    async def _keep_what_came(self) -> None:
        """Of a request that broke off, keep all that is sure to be right."""
        if self._share is not None:
            return  # what cannot be verified is cut off by the next writer
        with contextlib.suppress(VarloomError, asyncio.CancelledError):
            if self._portion:
                await in_thread(self._put, bytes(self._portion))
        try:
            await self._make_durable()
        except Exception:  # noqa: BLE001 - what ended the request is told
            logger.warning("What came of an upload could not be kept; it goes on at %d.", self._durable)

    def _verify(self) -> None:
        if self._checksum is None or self._share is None:
            return
        if self._share.digest() != self._checksum.digest:
            size = self._file.position - self._start
            raise VarloomError(
                UPLOAD_CHECKSUM_WRONG, f"The {size:,} bytes do not have the {self._checksum.algorithm} of their header."
            )


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do it whatever happens meanwhile: who wants the upload, and cancels its writer, waits for this."""
    working = asyncio.ensure_future(work)
    while not working.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({working})
    working.result()


async def in_thread(call: Callable[..., _T], *arguments: Any) -> _T:
    """The result of a blocking call, whose end is waited for even by a task that is cancelled meanwhile."""
    return await finished(asyncio.ensure_future(asyncio.to_thread(call, *arguments)))


async def finished(running: asyncio.Future[_T]) -> _T:
    """The result of what runs in a thread, whose end is waited for even by a task that is cancelled meanwhile."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
