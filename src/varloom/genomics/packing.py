"""The ways in which files are packed, and the libraries that unpack them a piece at a time."""

from __future__ import annotations

import bz2
import lzma
import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from isal import igzip_lib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_BITS = 27
"""Data that look back further than 2 to this power bytes (128 MiB) are not unpacked, so that memory stays bounded."""

_XZ_MEMORY = (1 << WINDOW_BITS) + (16 << 20)
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends a bgzip file. Source: SAM specification, section 4.1.2."""


class Compression(StrEnum):
    """How the bytes are packed. Those that Varloom unpacks come first."""

    NONE = "none"
    GZIP = "gzip"
    BGZIP = "bgzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ZIP = "zip"
    DOUBLE_GZIP = "double gzip"
    SEVEN_ZIP = "7z"
    RAR = "rar"
    LZ4 = "lz4"
    SNAPPY = "snappy"
    COMPRESS = "compress"
    LZIP = "lzip"


class Decompressor(Protocol):
    """One part of packed data on its way back, as the standard library's `bz2` and `lzma` do it."""

    @property
    def eof(self) -> bool:
        """Whether the part has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether no more can come without more data."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end of the part."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Up to `max_length` bytes more. Raises one of `DECOMPRESSION_ERRORS`."""
        ...


class Packing(NamedTuple):
    """A way of packing whose data are parts, one after another.

    Attributes:
        part: the word for a part.
        start: matches the first four bytes of a part.
        first_bytes: those that `start` allows as the first.
        new: gives what unpacks one part.
    """

    part: str
    start: re.Pattern[bytes]
    first_bytes: bytes
    new: Callable[[], Decompressor]


START_BYTES = 4
"""How many bytes tell whether another part begins; every part is longer."""

DECOMPRESSION_ERRORS: tuple[type[Exception], ...] = (
    cast("type[Exception]", igzip_lib.IsalError),
    lzma.LZMAError,
    zstd.ZstdError,
    OSError,  # of bz2
    EOFError,
    ValueError,
)


def _gzip() -> Decompressor:
    return cast("Decompressor", igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def new_deflate() -> Decompressor:
    """What unpacks deflate without header or checksum, as zip archives hold it."""
    return cast("Decompressor", igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE))


def _xz() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _zstd() -> Decompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_BITS})


_GZIP_START = re.compile(rb"\x1f\x8b")
PACKINGS = {
    Compression.GZIP: Packing("gzip member", _GZIP_START, b"\x1f", _gzip),
    Compression.BGZIP: Packing("bgzip block", _GZIP_START, b"\x1f", _gzip),
    Compression.BZIP2: Packing("bzip2 stream", re.compile(rb"BZh[1-9]"), b"B", bz2.BZ2Decompressor),
    Compression.XZ: Packing("xz stream", re.compile(rb"\xfd7zX"), b"\xfd", _xz),
    # A frame may be one that is to be skipped; it holds notes of the program that packed the file.
    Compression.ZSTD: Packing(
        "zstd frame", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), bytes((0x28, *range(0x50, 0x60))), _zstd
    ),
}
_SIGNATURES = (
    (re.compile(rb"PK(\x03\x04|\x05\x06)"), Compression.ZIP),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), Compression.BZIP2),
    (re.compile(rb"\xfd7zXZ\x00"), Compression.XZ),
    (PACKINGS[Compression.ZSTD].start, Compression.ZSTD),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), Compression.SEVEN_ZIP),
    (re.compile(rb"Rar!\x1a\x07"), Compression.RAR),
    (re.compile(rb"\x04\x22\x4d\x18"), Compression.LZ4),
    (re.compile(rb"\xff\x06\x00\x00sNaPpY"), Compression.SNAPPY),
    (re.compile(rb"\x1f\x9d"), Compression.COMPRESS),
    (re.compile(rb"LZIP[\x00\x01]"), Compression.LZIP),
)
_BGZIP_FIELD = b"BC\x02\x00"


def compression_of(stored: bytes) -> Compression:
    """How data with this beginning are packed; 18 bytes suffice."""
    if _GZIP_START.match(stored):
        return Compression.BGZIP if stored[12:16] == _BGZIP_FIELD else Compression.GZIP
    return next((kind for signature, kind in _SIGNATURES if signature.match(stored)), Compression.NONE)


def needs_too_much_memory(error: Exception) -> bool:
    """Whether data could not be unpacked because they look back further than `WINDOW_BITS` allow."""
    text = str(error).lower()
    return "memory usage limit" in text or "too much memory" in text
