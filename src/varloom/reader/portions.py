"""Decompressed text in portions of some megabytes, made ahead of the reader by threads.

A bgzip file is cut at its blocks, and several portions are decompressed at once. Whatever is not an ordinary bgzip
block, be it damage or another kind of gzip member, is left to `ByteStream`, which goes byte by byte and knows the words
for it. All else is decompressed one portion after another, while the one before is read.
"""

from __future__ import annotations

import gzip
import struct
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from isal import isal_zlib

from varloom.genomics.packing import BGZIP_END
from varloom.genomics.recognition import Compression
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.roomy_text import ROOM_BEFORE, ROOM_BEHIND, RoomyText, TextBuffers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor, Future

    from varloom.reader.stored_file import StoredFile

PORTION_BYTES = 3 << 20
"""About how much text one portion holds: few enough to stay in the caches, many enough to be worth a thread's turn.

Of a bgzip file it takes no more than about so many bytes either, which blocks with hardly any text would exceed.
"""

_AHEAD_AT_FIRST = 16
"""So many portions are decompressed while the header is read and modules are imported, when processors are free."""

_HEADER = struct.Struct("<4s6x6sH")
_TRAILER = struct.Struct("<II")
_TEXT_BYTES = struct.Struct("<I")
_MAGIC = b"\x1f\x8b\x08\x04"
_EXTRA = b"\x06\x00BC\x02\x00"
_MOST_IN_BLOCK = 1 << 16
_GzipReader: Any = isal_zlib._GzipReader  # noqa: SLF001
"""It goes through all members of a file without Python's lock; IGzipFile, which is made of it, copies each text."""
_BAD_DATA = (cast("type[Exception]", isal_zlib.error), gzip.BadGzipFile, EOFError)


class _Range(NamedTuple):
    """Consecutive bgzip blocks: their bytes, their sizes, the bytes of their text, and what stands before them."""

    data: bytearray
    sizes: list[int]
    text: int
    block: int
    offset: int


class _Rest(NamedTuple):
    """What is not made of ordinary bgzip blocks any more."""

    chunks: Iterator[bytes]
    block: int
    offset: int


Portion = list[bytes] | RoomyText
"""A text in pieces, or in a buffer of which one has to say when it is not needed any more."""


class Portions:
    """The text of a file; iterate once. `end_marker_missing` is known afterwards.

    Args:
        file: the file as stored; its chunks are hashed and counted.
        compression: how it is packed.
        pool: where portions are decompressed.
        ahead: how many portions are decompressed before they are asked for.
    """

    def __init__(self, file: StoredFile, compression: Compression, pool: Executor, ahead: int) -> None:
        self.end_marker_missing = False
        self._file = file
        self._compression = compression
        self._pool = pool
        self._ahead = ahead
        self._buffers = TextBuffers(PORTION_BYTES + _MOST_IN_BLOCK)

    def give_back(self, buffer: object) -> None:
        """Say that the text of a portion is not needed any more, so that its buffer can be used again."""
        self._buffers.give_back(buffer)

    def __iter__(self) -> Iterator[Portion]:
        """The portions. Raises DamagedStreamError behind the last good piece, and OSError."""
        chunks = self._file.chunks(report=False)
        if self._compression is Compression.BGZIP:
            return self._blocks(chunks)
        return self._one_by_one(ByteStream(chunks, self._compression))

    # --- one portion after another ----------------------------------------------------------------------------------

    def _one_by_one(self, stream: ByteStream) -> Iterator[Portion]:
        pieces = stream.pieces()
        coming = self._pool.submit(_take, pieces)
        while True:
            portion, damage = coming.result()
            if portion and damage is None:
                coming = self._pool.submit(_take, pieces)
            self._file.tell()
            if portion:
                yield portion
            if damage is not None:
                raise damage
            if not portion:
                self.end_marker_missing = stream.end_marker_missing
                return

    # --- bgzip ------------------------------------------------------------------------------------------------------

    def _blocks(self, chunks: Iterator[bytes]) -> Iterator[Portion]:
        ranges = _ranges(chunks)
        running: deque[tuple[_Range, Future[tuple[Portion, int]]]] = deque()
        ahead = _AHEAD_AT_FIRST
        last = bytearray()
        rest: _Rest | None = None
        while True:
            while rest is None and len(running) < ahead and (found := next(ranges, None)) is not None:
                if isinstance(found, _Range):
                    running.append((found, self._pool.submit(_decompress, found, self._buffers)))
                else:
                    rest = found
            if not running:
                break
            blocks, coming = running.popleft()
            portion, good = coming.result()
            self._file.tell()
            yield portion
            del portion  # who took it may have given it back
            ahead = self._ahead
            last = blocks.data[-len(BGZIP_END) :]
            if good < len(blocks.sizes):
                yield from self._from_bad_block(blocks, good, [later.data for later, _ in running], rest, ranges)
                return
        if rest is not None:
            yield from self._serially(rest)
        else:
            self.end_marker_missing = last != BGZIP_END

    def _from_bad_block(
        self, blocks: _Range, good: int, later: list[bytearray], rest: _Rest | None, ranges: Iterator[_Range | _Rest]
    ) -> Iterator[Portion]:
        """The same bytes again from the block that did not decompress, slowly."""
        done = sum(blocks.sizes[:good])
        behind = rest.chunks if rest is not None else _raw(ranges)
        chunks = chain([bytes(blocks.data[done:]), *map(bytes, later)], behind)
        yield from self._serially(_Rest(chunks, blocks.block + good, blocks.offset + done))

    def _serially(self, rest: _Rest) -> Iterator[Portion]:
        stream = ByteStream(rest.chunks, self._compression, block=rest.block, offset=rest.offset)
        yield from self._one_by_one(stream)


def _take(pieces: Iterator[bytes]) -> tuple[list[bytes], DamagedStreamError | None]:
    """The next portion, and the damage that ended it."""
    taken: list[bytes] = []
    size = 0
    try:
        while size < PORTION_BYTES and (piece := next(pieces, None)) is not None:
            taken.append(piece)
            size += len(piece)
    except DamagedStreamError as damage:
        return taken, damage
    return taken, None


def _decompress(blocks: _Range, buffers: TextBuffers) -> tuple[Portion, int]:
    """The texts of the blocks, and how many of them are sound."""
    size = blocks.text
    buffer = buffers.take()
    room = len(buffer) - ROOM_BEFORE - ROOM_BEHIND
    if size > room:  # never: a portion ends with the block that fills it
        return _sound_texts(blocks)
    try:
        # A byte more than there is: where no room is left, the last checksum would not be looked at.
        read = _GzipReader(blocks.data).readinto(memoryview(buffer)[ROOM_BEFORE : ROOM_BEFORE + size + 1])
    except _BAD_DATA:
        return _sound_texts(blocks)
    if read != size:
        return _sound_texts(blocks)
    return RoomyText(buffer, ROOM_BEFORE, ROOM_BEFORE + size), len(blocks.sizes)


def _sound_texts(blocks: _Range) -> tuple[list[bytes], int]:
    """The texts of the blocks before the first that is damaged, and how many they are."""
    texts: list[bytes] = []
    data = memoryview(blocks.data)
    start = 0
    for good, size in enumerate(blocks.sizes):
        checksum, length = _TRAILER.unpack_from(data, start + size - 8)
        deflated = isal_zlib.decompressobj(-15)
        try:
            text = deflated.decompress(data[start + 18 : start + size - 8], length + 1)
        except _BAD_DATA:
            return texts, good
        # What ends early may be followed by a whole block, of which the text must not be lost.
        is_whole = deflated.eof and not deflated.unused_data and len(text) == length
        if not is_whole or isal_zlib.crc32(text) != checksum:
            return texts, good
        if text:
            texts.append(text)
        start += size
    return texts, len(blocks.sizes)


def _ranges(chunks: Iterator[bytes]) -> Iterator[_Range | _Rest]:
    """The blocks of a bgzip file, about a portion's worth at a time; then the rest, if something else follows."""
    buffer = bytearray()
    start = text = block = offset = 0
    sizes: list[int] = []
    for chunk in chunks:
        buffer += chunk
        while (found := _next_block(buffer, start)) is not None:
            size, length = found
            if size:
                sizes.append(size)
                start += size
                text += length
                if max(text, start) < PORTION_BYTES:
                    continue
            behind = buffer[start:]
            del buffer[start:]
            if sizes:
                yield _Range(buffer, sizes, text, block, offset)
            block, offset = block + len(sizes), offset + start
            if not size:
                yield _Rest(chain([bytes(behind)], chunks), block, offset)
                return
            buffer, start, text, sizes = behind, 0, 0, []
    behind = buffer[start:]
    del buffer[start:]
    if sizes:
        yield _Range(buffer, sizes, text, block, offset)
    if behind:
        yield _Rest(iter([bytes(behind)]), block + len(sizes), offset + start)


def _next_block(buffer: bytearray, start: int) -> tuple[int, int] | None:
    """The size of the whole block at `start`, and of its text, as it says.

    None when more bytes are needed; both are 0 when it is no ordinary block.
    """
    if len(buffer) - start < _HEADER.size:
        return None
    magic, extra, size = _HEADER.unpack_from(buffer, start)
    if magic != _MAGIC or extra != _EXTRA or size < 26:
        return 0, 0
    if len(buffer) - start <= size:
        return None
    (text,) = _TEXT_BYTES.unpack_from(buffer, start + size - 3)
    return (0, 0) if text > _MOST_IN_BLOCK else (size + 1, text)


def _raw(ranges: Iterator[_Range | _Rest]) -> Iterator[bytes]:
    """The bytes that ranges stand for."""
    for found in ranges:
        if isinstance(found, _Range):
            yield bytes(found.data)
        else:
            yield from found.chunks
