"""Decompressed bytes of plain, gzip and bgzip files, in pieces of bounded size, with damage told by its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from isal import igzip_lib

from varloom.genomics.recognition import Compression
from varloom.reader.problems import COMPRESSION_DAMAGED, COMPRESSION_TRUNCATED, TRAILING_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.errors import ErrorKind

PIECE_BYTES = 1 << 20
"""The most decompressed bytes handed on at once, however well they were packed."""

_DECOMPRESSION_ERRORS: tuple[type[Exception], ...] = (cast("type[Exception]", igzip_lib.IsalError), EOFError)
_MAGIC = b"\x1f\x8b"
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class DamagedStreamError(Exception):
    """The compressed data break off or are wrong; the reader turns this into a refusal with the last good line."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class ByteStream:
    """The decompressed content of a file, or of what is left of one after `block` blocks in `offset` bytes.

    `end_marker_missing` is true once all is read when a bgzip file lacks its closing block.
    """

    def __init__(self, chunks: Iterator[bytes], compression: Compression, *, block: int = 0, offset: int = 0) -> None:
        self.end_marker_missing = False
        self._start = (block, offset)
        self._compression = compression
        self._chunks = chunks

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most `PIECE_BYTES`. Raises DamagedStreamError."""
        if self._compression is Compression.NONE:
            return self._chunks
        return self._members()

    def _members(self) -> Iterator[bytes]:
        """All gzip members one after another; a bgzip block is such a member."""
        block, offset = self._start
        tail = b""
        pending = b""
        member: igzip_lib.IgzipDecompressor | None = None
        for chunk in self._chunks:
            tail = (tail + chunk)[-len(_BGZIP_END) :]
            pending += chunk
            while pending or (member is not None and not member.needs_input):
                if member is None:
                    if len(pending) < len(_MAGIC):
                        break
                    self._check_magic(pending, block, offset)
                    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
                    block += 1
                before = len(pending)
                piece = self._decompress(member, pending, block, offset)
                pending = member.unused_data if member.eof else b""
                offset += before - len(pending)
                if member.eof:
                    member = None
                if piece:
                    yield piece
        self._check_end(pending, block, offset, cut=member is not None)
        self.end_marker_missing = self._compression is Compression.BGZIP and tail != _BGZIP_END

    def _decompress(self, member: igzip_lib.IgzipDecompressor, data: bytes, block: int, offset: int) -> bytes:
        try:
            piece: bytes = member.decompress(data, PIECE_BYTES)
        except _DECOMPRESSION_ERRORS as error:
            raise DamagedStreamError(
                COMPRESSION_DAMAGED,
                f"The compressed data are damaged at or before byte {offset + len(data):,} of the file "
                f"({self._unit} {block:,}): {_reason(error)}.",
            ) from error
        return piece

    @property
    def _unit(self) -> str:
        return "bgzip block" if self._compression is Compression.BGZIP else "gzip member"

    def _check_magic(self, pending: bytes, block: int, offset: int) -> None:
        if pending[:2] != _MAGIC:
            raise DamagedStreamError(
                TRAILING_BYTES if self._compression is Compression.GZIP else COMPRESSION_DAMAGED,
                f"What follows {self._unit} {block:,}, at byte {offset:,} of the file, is not compressed data.",
            )

    def _check_end(self, pending: bytes, block: int, offset: int, *, cut: bool) -> None:
        if cut or pending:
            raise DamagedStreamError(
                COMPRESSION_TRUNCATED,
                f"The compressed data break off at byte {offset + len(pending):,}, within {self._unit} {block:,}.",
            )


def _reason(error: Exception) -> str:
    text = str(error)
    return "the checksum is wrong" if "checksum" in text.lower() else "the data are not valid"
