"""Decompressed bytes of a file, in pieces of bounded size, with damage told by its place."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from varloom.genomics.packing import (
    BGZIP_END,
    DECOMPRESSION_ERRORS,
    PACKINGS,
    START_BYTES,
    Compression,
    compression_of,
    needs_too_much_memory,
)
from varloom.reader.problems import (
    COMPRESSION_DAMAGED,
    COMPRESSION_NOT_SUPPORTED,
    COMPRESSION_TRUNCATED,
    TRAILING_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.errors import ErrorKind
    from varloom.genomics.packing import Decompressor

PIECE_BYTES = 1 << 20
"""The most decompressed bytes handed on at once, however well they were packed."""

_SLICE = 1 << 16
_HEAD_BYTES = 18
_GZIPS = frozenset({Compression.GZIP, Compression.BGZIP})


class DamagedStreamError(Exception):
    """The compressed data break off or are wrong; the reader turns this into a refusal with the last good line."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class ByteStream:
    """The decompressed content of a file, or of what is left of one after `block` blocks in `offset` bytes.

    What is packed twice is unpacked twice, as long as the inner packing is gzip or bgzip.

    `end_marker_missing` is true once all is read when a bgzip file lacks its closing block.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        compression: Compression,
        *,
        block: int = 0,
        offset: int = 0,
        file: str = "the file",
    ) -> None:
        self.end_marker_missing = False
        self._block = block
        self._compression = compression
        self._chunks = chunks
        self._feed = Feed(chunks, offset, file)

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most `PIECE_BYTES`. Raises DamagedStreamError."""
        match self._compression:
            case Compression.NONE:
                return self._chunks
            case Compression.GZIP | Compression.BGZIP:
                return self._parts(self._compression)
            case Compression.ZIP:
                from varloom.reader.zip_stream import zipped_file

                return self._unpacked_again(zipped_file(self._feed))
            case _:
                return self._unpacked_again(self._parts(self._compression))

    def _parts(self, compression: Compression) -> Iterator[bytes]:
        """All parts one after another: members of gzip, blocks of bgzip, streams or frames of the others."""
        feed = self._feed
        if compression is Compression.DOUBLE_GZIP:
            compression = compression_of(feed.peek(_HEAD_BYTES))
        packing = PACKINGS[compression]
        while feed.peek(1):
            if compression is Compression.XZ and feed.skip_zeros():
                continue
            start = feed.peek(START_BYTES)
            if packing.start.match(start) is None:
                if len(start) < START_BYTES and start[0] in packing.first_bytes:
                    raise feed.cut_off(f"{packing.part} {self._block:,}")
                self._refuse_rest(compression, f"{packing.part} {self._block:,}")
            self._block += 1
            yield from feed.decompressed(packing.new(), f"{packing.part} {self._block:,}")
        if compression is Compression.BGZIP and feed.tail != BGZIP_END:
            self.end_marker_missing = True

    def _refuse_rest(self, compression: Compression, part: str) -> None:
        raise DamagedStreamError(
            COMPRESSION_DAMAGED if compression is Compression.BGZIP else TRAILING_BYTES,
            f"What follows {part}, at byte {self._feed.offset:,} of {self._feed.file}, is not compressed data.",
        )

    def _unpacked_again(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= _HEAD_BYTES:
                break
        pieces = chain([head], pieces) if head else pieces
        inner = compression_of(head)
        if inner not in _GZIPS:
            yield from pieces
            return
        stream = ByteStream(pieces, inner, file=f"the {inner} file inside")
        yield from stream.pieces()
        self.end_marker_missing = self.end_marker_missing or stream.end_marker_missing


class Feed:
    """Stored bytes that are taken a few or many at a time.

    Attributes:
        offset: how many bytes were taken.
        file: the words for what the bytes are.
        tail: the last bytes that came, as many as the closing block of bgzip has.
    """

    def __init__(self, chunks: Iterator[bytes], offset: int, file: str) -> None:
        self.offset = offset
        self.file = file
        self.tail = b""
        self._chunks = chunks
        self._buffer = b""
        self._at = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end; they are not taken."""
        while len(self._buffer) - self._at < size and (chunk := next(self._chunks, None)) is not None:
            self.tail = (self.tail + chunk)[-len(BGZIP_END) :]
            self._buffer = self._buffer[self._at :] + chunk
            self._at = 0
        return self._buffer[self._at : self._at + size]

    def take(self, most: int) -> bytes:
        """Some of the next bytes, at most `most`; none only at the end."""
        self.peek(1)
        data = self._buffer[self._at : self._at + most]
        self._advance(len(data))
        return data

    def skip_zeros(self) -> int:
        """Take the zeros that come next and are at hand, and say how many they were."""
        zeros = len(self._buffer) - self._at - len(self._buffer[self._at :].lstrip(b"\0"))
        self._advance(zeros)
        return zeros

    def decompressed(self, decompressor: Decompressor, part: str) -> Iterator[bytes]:
        """What comes out of one part; it ends behind the last byte of the part. Raises DamagedStreamError."""
        while not decompressor.eof:
            data = b""
            if decompressor.needs_input and not (data := self.take(_SLICE)):
                raise self.cut_off(part)
            try:
                piece = decompressor.decompress(data, PIECE_BYTES)
            except DECOMPRESSION_ERRORS as error:
                raise self._damaged(part, error) from error
            if piece:
                yield piece
        self._advance(-len(decompressor.unused_data))

    def cut_off(self, part: str) -> DamagedStreamError:
        """What to raise when the bytes end within a part."""
        end = self.offset + len(self._buffer) - self._at
        message = f"The compressed data break off at byte {end:,} of {self.file}, within {part}."
        return DamagedStreamError(COMPRESSION_TRUNCATED, message)

    def _damaged(self, part: str, error: Exception) -> DamagedStreamError:
        if needs_too_much_memory(error):
            message = f"The data of {part} look back further than 128 MiB, which takes too much memory to unpack."
            return DamagedStreamError(COMPRESSION_NOT_SUPPORTED, message)
        return DamagedStreamError(
            COMPRESSION_DAMAGED,
            f"The compressed data are damaged at or before byte {self.offset:,} of {self.file} "
            f"({part}): {_reason(error)}.",
        )

    def _advance(self, size: int) -> None:
        self._at += size
        self.offset += size


def _reason(error: Exception) -> str:
    text = str(error).lower()
    return "the checksum is wrong" if "checksum" in text else "the data are not valid"
