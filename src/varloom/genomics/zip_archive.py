"""What a zip archive holds, by its list of files at the end; and the entries before each file's data."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.genomics.packing import PACKINGS, Compression, new_deflate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.genomics.packing import Decompressor

STORED = 0
METHODS: dict[int, Callable[[], Decompressor]] = {
    8: new_deflate,
    12: PACKINGS[Compression.BZIP2].new,
    93: PACKINGS[Compression.ZSTD].new,
    95: PACKINGS[Compression.XZ].new,
}
"""What unpacks a file within an archive, by the number of the method; `STORED` needs nothing."""

ENTRY_START = b"PK\x03\x04"
LIST_START = b"PK\x01\x02"
LIST_END = b"PK\x05\x06"

_ENTRY = struct.Struct("<4s2xHH4xIIIHH")
ENTRY_BYTES = _ENTRY.size
_LONG_SIZES = struct.Struct("<QQ")
_MOST_ENTRY_BYTES = ENTRY_BYTES + 2 * 0xFFFF
_ENCRYPTED, _SIZES_FOLLOW = 1 << 0, 1 << 3
_MOST_LISTED_BYTES = 1 << 20
_CLUTTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """What stands before the data of one file in an archive.

    Attributes:
        name: of the file.
        method: how it is packed; see `METHODS`.
        encrypted: whether a password is needed.
        sizes_follow: whether checksum and sizes stand behind the data instead.
        checksum: CRC-32 of the unpacked data.
        packed_bytes: size of the data in the archive.
        head_bytes: size of this entry itself, up to the data.
    """

    name: str
    method: int
    encrypted: bool
    sizes_follow: bool
    checksum: int
    packed_bytes: int
    head_bytes: int

    @property
    def is_clutter(self) -> bool:
        """Whether it is a folder, or one of the files that operating systems leave beside the others."""
        return is_clutter(self.name)

    @property
    def can_be_read(self) -> bool:
        """Whether the data can be read from start to end: they are unpacked by a known method, or their size is."""
        return self.method in METHODS or (self.method == STORED and not self.sizes_follow)


def entry_bytes(start: bytes) -> int:
    """How long an entry with this beginning of `ENTRY_BYTES` is."""
    *_, name_bytes, extra_bytes = _ENTRY.unpack_from(start)
    return int(ENTRY_BYTES + name_bytes + extra_bytes)


def parse_entry(data: bytes) -> ZipEntry:
    """The entry at the start of `data`, which holds at least `entry_bytes` of it."""
    _, flags, method, checksum, packed, unpacked, name_bytes, extra_bytes = _ENTRY.unpack_from(data)
    end = ENTRY_BYTES + name_bytes
    if packed == 0xFFFFFFFF or unpacked == 0xFFFFFFFF:
        packed = _long_size(data[end : end + extra_bytes], packed)
    return ZipEntry(
        name=data[ENTRY_BYTES:end].decode("utf-8", "replace"),
        method=method,
        encrypted=bool(flags & _ENCRYPTED),
        sizes_follow=bool(flags & _SIZES_FOLLOW),
        checksum=checksum,
        packed_bytes=packed,
        head_bytes=end + extra_bytes,
    )


def is_clutter(name: str) -> bool:
    """Whether an archive's file of this name is none that a person put there."""
    return name.endswith("/") or name.startswith(_CLUTTER[0]) or name.rsplit("/", 1)[-1] in _CLUTTER


class TooManyFilesError(Exception):
    """The archive lists thousands of files."""


class _BoundedFile(io.FileIO):
    """A file that does not let the archive's own word decide how much memory its list takes up."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_LISTED_BYTES:
            raise TooManyFilesError
        return super().read(size) or b""


@dataclass(frozen=True, slots=True)
class ZipContents:
    """What an archive holds, without clutter.

    Attributes:
        names: of its files; None when it has no list of them, as one that is cut off.
        entry: of the first of them, if there is any.
        data_at: where the data of that one begin.
    """

    names: tuple[str, ...] | None
    entry: ZipEntry | None
    data_at: int


def look_into(path: Path) -> ZipContents:
    """What an archive holds. Raises TooManyFilesError, and OSError when the file cannot be read."""
    with _BoundedFile(path) as file:
        names: tuple[str, ...] | None = None
        at = 0
        try:
            with zipfile.ZipFile(file) as archive:
                files = [listed for listed in archive.infolist() if not is_clutter(listed.filename)]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
            pass
        else:
            names = tuple(listed.filename for listed in files)
            at = files[0].header_offset if files else 0
        return _first_file(file, at, names)


def _first_file(file: io.FileIO, at: int, names: tuple[str, ...] | None) -> ZipContents:
    while True:
        file.seek(at)
        head = file.read(_MOST_ENTRY_BYTES)
        if not head.startswith(ENTRY_START) or len(head) < ENTRY_BYTES or len(head) < entry_bytes(head):
            return ZipContents(names, None, 0)
        entry = parse_entry(head)
        at += entry.head_bytes
        if not entry.is_clutter:
            return ZipContents(names, entry, at)
        at += entry.packed_bytes


def _long_size(extra: bytes, packed: int) -> int:
    """The packed size of a file of 4 GiB or more, which stands in a field of its own."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1 and size >= _LONG_SIZES.size and at + 4 + size <= len(extra):
            return int(_LONG_SIZES.unpack_from(extra, at + 4)[1])
        at += 4 + size
    return packed
