"""How many bases a CRAM holds, by the headers of its containers: nothing is unpacked.

A CRAM may be a tenth of the BAM that is made of it, or half of it: its size tells too little. Format: CRAM 2.1 and 3,
https://samtools.github.io/hts-specs/CRAMv3.pdf, sections 2.3, 6 and 7.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_DEFINITION: Final = 26
_LARGEST_HEADER: Final = 4096
"""Bytes of a container's header that are read; the list of slices behind the counts may be longer."""


def bases_of_cram(path: Path) -> int | None:
    """The bases of all reads; None where the headers do not tell: of another version, or damaged."""
    with path.open("rb") as file:
        start = file.read(_DEFINITION)
        if len(start) < _DEFINITION or not start.startswith(b"CRAM") or start[4] not in {2, 3}:
            return None
        size = path.stat().st_size
        at, bases = _DEFINITION, 0
        while at < size:
            file.seek(at)
            try:
                length, header, counted = _container(file.read(_LARGEST_HEADER), start[4])
            except (IndexError, struct.error):
                return None
            if length < 0 or at + header + length > size:
                return None
            at += header + length
            bases += counted
    return bases


def _container(data: bytes, version: int) -> tuple[int, int, int]:
    """Of a container: the bytes of its blocks, those of its header, and the bases of its reads."""
    (length,) = struct.unpack_from("<i", data)
    at = 4
    for _ in range(4):  # reference, begin, span, reads
        _, at = _itf8(data, at)
    _, at = (_ltf8 if version == 3 else _itf8)(data, at)  # the number of the first read
    bases, at = _ltf8(data, at)
    _, at = _itf8(data, at)  # blocks
    slices, at = _itf8(data, at)
    for _ in range(slices):
        _, at = _itf8(data, at)
    return length, at + (4 if version == 3 else 0), bases


def _itf8(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to 32 bits, whose first byte tells by its high bits how many follow; and where it ends."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    if first < 0xC0:
        return (first & 0x3F) << 8 | data[at + 1], at + 2
    if first < 0xE0:
        return (first & 0x1F) << 16 | data[at + 1] << 8 | data[at + 2], at + 3
    if first < 0xF0:
        return (first & 0x0F) << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3], at + 4
    high = (first & 0x0F) << 28 | data[at + 1] << 20 | data[at + 2] << 12 | data[at + 3] << 4
    return high | data[at + 4] & 0x0F, at + 5


def _ltf8(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to 64 bits, as `_itf8`."""
    first = data[at]
    more = 8 - (first ^ 0xFF).bit_length()
    if len(data) < at + 1 + more:
        raise IndexError
    kept = first & (0x7F >> more)
    return kept << 8 * more | int.from_bytes(data[at + 1 : at + 1 + more]), at + 1 + more
