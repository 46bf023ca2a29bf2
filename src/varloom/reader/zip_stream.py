"""The one file of a zip archive, read from the archive's start to its end like every other packing.

The list at the archive's end is not needed for that: it was looked at before, to see that there is one file only.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from isal import isal_zlib

from varloom.genomics.zip_archive import (
    ENTRY_BYTES,
    ENTRY_START,
    LIST_END,
    LIST_START,
    METHODS,
    STORED,
    ZipEntry,
    entry_bytes,
    parse_entry,
)
from varloom.reader.decompression import PIECE_BYTES, DamagedStreamError, Feed
from varloom.reader.problems import COMPRESSION_DAMAGED, COMPRESSION_NOT_SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHECKSUM = struct.Struct("<I")
_NOTE_START = b"PK\x07\x08"
_NOTE_BYTES = (16, 24, 12, 20)
"""How long the note of checksum and sizes behind the data can be: with its start or without, sizes short or long."""
_LIST_END_BYTES = 22
_MOST_AT_END = 1 << 16
_LIST = "the archive's list of files"


def zipped_file(feed: Feed) -> Iterator[bytes]:
    """What the archive's file holds. Raises DamagedStreamError, also when there are more files than one."""
    found = False
    while (start := feed.peek(4)) == ENTRY_START:
        entry = _next_entry(feed)
        content = _checked(feed, entry)
        if entry.is_clutter:
            for _ in content:
                pass
        elif found:
            raise DamagedStreamError(COMPRESSION_NOT_SUPPORTED, "The zip archive holds more than one file.")
        else:
            found = True
            yield from content
    if start in {LIST_START, LIST_END}:
        _check_end(feed)
    elif len(start) < 4:
        raise feed.cut_off(_LIST)
    else:
        message = f"What follows at byte {feed.offset:,} of {feed.file} is no part of a zip archive."
        raise DamagedStreamError(COMPRESSION_DAMAGED, message)


def _next_entry(feed: Feed) -> ZipEntry:
    head = feed.peek(ENTRY_BYTES)
    if len(head) == ENTRY_BYTES:
        size = entry_bytes(head)
        head = feed.peek(size)
        if len(head) == size:
            _skip(feed, size)
            return parse_entry(head)
    raise feed.cut_off("the entry of a file")


def _checked(feed: Feed, entry: ZipEntry) -> Iterator[bytes]:
    if entry.encrypted or not entry.can_be_read:
        message = "The file in the zip archive is encrypted, or packed by a method that Varloom does not unpack."
        raise DamagedStreamError(COMPRESSION_NOT_SUPPORTED, message)
    start = feed.offset
    checksum = 0
    for piece in _content(feed, entry):
        checksum = isal_zlib.crc32(piece, checksum)
        yield piece
    wrong_size = not entry.sizes_follow and feed.offset - start != entry.packed_bytes
    told = _noted_checksum(feed, checksum) if entry.sizes_follow else entry.checksum
    if told != checksum or wrong_size:
        message = f"The data of the zip archive are damaged before byte {feed.offset:,}: the checksum or size is wrong."
        raise DamagedStreamError(COMPRESSION_DAMAGED, message)


def _content(feed: Feed, entry: ZipEntry) -> Iterator[bytes]:
    if entry.method != STORED:
        yield from feed.decompressed(METHODS[entry.method](), "the file in the zip archive")
        return
    left = entry.packed_bytes
    while left:
        piece = feed.take(min(left, PIECE_BYTES))
        if not piece:
            raise feed.cut_off("the file in the zip archive")
        left -= len(piece)
        yield piece


def _noted_checksum(feed: Feed, expected: int) -> int | None:
    """The checksum behind the data, which is taken; the one that is expected decides where the note has several forms.

    None when no form of the note fits.
    """
    data = feed.peek(max(_NOTE_BYTES) + 4)
    for size in _NOTE_BYTES:
        at = 4 if size in {16, 24} else 0
        begins_well = at == 0 or data.startswith(_NOTE_START)
        if begins_well and data[size : size + 4] in {ENTRY_START, LIST_START} and len(data) >= size:
            (told,) = _CHECKSUM.unpack_from(data, at)
            if told == expected:
                _skip(feed, size)
                return expected
    if len(data) < max(_NOTE_BYTES) + 4:
        raise feed.cut_off(_LIST)
    return None


def _check_end(feed: Feed) -> None:
    """Read the list and what ends it, so that an archive that is cut off within is noticed."""
    last = b""
    while data := feed.take(PIECE_BYTES):
        last = (last + data)[-(_MOST_AT_END + _LIST_END_BYTES) :]
    at = last.rfind(LIST_END)
    if at < 0 or len(last) - at < _LIST_END_BYTES:
        raise feed.cut_off(_LIST)


def _skip(feed: Feed, size: int) -> None:
    """Take bytes that were looked at."""
    while size:
        size -= len(feed.take(size))
