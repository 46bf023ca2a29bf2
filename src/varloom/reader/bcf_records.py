"""The bytes of a BCF cut into whole records, and the lines of its text counted: nothing here needs htslib."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from isal import isal_zlib

from varloom.reader.decompression import DamagedStreamError
from varloom.reader.problems import (
    BCF_MALFORMED,
    COMPRESSION_TRUNCATED,
    FORMAT_NOT_SUPPORTED,
    LINE_TOO_LONG,
    VCF_HEADER_TOO_LONG,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD_LIMIT = 128 << 20
"""The longest record in bytes, as for lines of a VCF."""

MOST_AT_ONE_POSITION = 1000
MOST_BYTES_AT_ONE_POSITION = 32 << 20
"""How many consecutive records with one position, and of how many bytes, are left to a program that keeps them all."""

PASSED_ON = 1 << 18
"""About how many bytes are handed on at once."""

_HEADER_LIMIT = 64 << 20
_HEAD = struct.Struct("<5sI")
_START = struct.Struct("<IIii")
_SIZES_BYTES = 8
_LEAST_SHARED = 24
_MAGIC = b"BCF\x02\x02"


class WholeRecords:
    """The header and whole records of a BCF, in pieces of many records; iterate in any thread, in one at a time.

    Args:
        pieces: the unpacked bytes.
        patient: hand on all records; otherwise the iteration ends where too many in a row have one position, and
            another iteration goes on from there, the header first.

    Attributes:
        header: what was handed on of it: all or nothing.
        count: how many records were handed on.
        crowded: whether an iteration ended since too many records have one position.
        failure: what ended the iteration before its time; all that is whole before it was handed on.
    """

    def __init__(self, pieces: Iterator[bytes], *, patient: bool = False) -> None:
        self.header = b""
        self.count = 0
        self.crowded = False
        self.failure: Exception | None = None
        self._pieces = pieces
        self._patient = patient
        self._buffer = bytearray()
        self._position = (-1, -1)
        self._run = self._run_bytes = 0

    def __iter__(self) -> Iterator[bytes | bytearray]:
        if self.crowded:
            self._patient = True
            yield self.header
            yield from self._whole()
        going = True
        while going and self.failure is None:
            going = self._fill()
            yield from self._whole()
            if self.crowded and not self._patient:
                return
        if self.failure is None and (self._buffer or not self.header):
            self.failure = self._cut_off()

    def _fill(self) -> bool:
        """Take some further pieces; False when there are no more."""
        wanted = len(self._buffer) + PASSED_ON
        try:
            for piece in self._pieces:
                self._buffer += piece
                if len(self._buffer) >= wanted:
                    return True
        except Exception as failure:  # noqa: BLE001 - it is raised again in the thread of the reader
            self.failure = failure
        return False

    def _whole(self) -> Iterator[bytes | bytearray]:
        """What is whole at the start of the buffer. A long record is handed on as it lies there, not copied."""
        while end := self._whole_bytes():
            rest = self._buffer[end:]
            del self._buffer[end:]
            whole, self._buffer = self._buffer, rest
            if not self.header:
                self.header = bytes(whole)
            yield whole

    def _whole_bytes(self) -> int:
        """How many bytes the header or the whole records at the start of the buffer have.

        A fault of the very next one is noted as the failure, and takes the place of one that lies further behind.
        """
        try:
            if self.header:
                return self._records_end()
            end = self._header_bytes()
        except DamagedStreamError as failure:
            self.failure = failure
            return 0
        return end if end <= len(self._buffer) else 0

    def _header_bytes(self) -> int:
        if len(self._buffer) < _HEAD.size:
            return 0
        magic, size = _HEAD.unpack_from(self._buffer)
        if magic != _MAGIC:
            version = f"{magic[3]}.{magic[4]}" if magic.startswith(b"BCF\x02") else "1"
            message = f"The file is BCF of version {version}; only 2.2, which all tools write today, is read."
            raise DamagedStreamError(FORMAT_NOT_SUPPORTED, message)
        if size > _HEADER_LIMIT:
            message = f"The header of the BCF has {size:,} bytes; at most {_HEADER_LIMIT >> 20} MiB are read."
            raise DamagedStreamError(VCF_HEADER_TOO_LONG, message)
        return int(_HEAD.size + size)

    def _records_end(self) -> int:
        """Where the whole records at the start of the buffer end."""
        buffer, end = self._buffer, len(self._buffer)
        start_of = _START.unpack_from
        at = 0
        while at + _START.size <= end:
            shared, individual, contig, position = start_of(buffer, at)
            behind = at + _SIZES_BYTES + shared + individual
            if shared < _LEAST_SHARED or behind - at > RECORD_LIMIT:
                if at == 0:
                    raise self._wrong_size(shared)
                break
            if behind > end or self._crowds(contig, position, behind - at):
                break
            at = behind
            self.count += 1
        return at

    def _crowds(self, contig: int, position: int, size: int) -> bool:
        """Whether a record is one too many at its position; it is counted in otherwise."""
        if self._position != (contig, position):
            self._position = (contig, position)
            self._run, self._run_bytes = 1, size
            return False
        if not self._patient and (
            self._run >= MOST_AT_ONE_POSITION or self._run_bytes + size > MOST_BYTES_AT_ONE_POSITION
        ):
            self.crowded = True
            return True
        self._run += 1
        self._run_bytes += size
        return False

    def _wrong_size(self, shared: int) -> DamagedStreamError:
        if shared < _LEAST_SHARED:
            message = f"Record {self.count + 1:,} of the BCF has no room for its fixed fields."
            return DamagedStreamError(BCF_MALFORMED, message)
        message = f"Record {self.count + 1:,} of the BCF is longer than {RECORD_LIMIT >> 20} MiB."
        return DamagedStreamError(LINE_TOO_LONG, message)

    def _cut_off(self) -> DamagedStreamError:
        part = f"record {self.count + 1:,}" if self.header else "the header"
        return DamagedStreamError(COMPRESSION_TRUNCATED, f"The BCF breaks off within {part}.")


class LineCount:
    """Counts the lines of a VCF text behind its header.

    Attributes:
        bytes: how many were counted.
        checksum: CRC-32 of them.
        records: whole lines behind the header.
        header_bytes: how many the header has; 0 as long as it has not ended.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.checksum = 0
        self.records = 0
        self.header_bytes = 0
        self._head = bytearray(b"\n")

    def add(self, text: bytes) -> None:
        """Count a piece of the text."""
        self.bytes += len(text)
        self.checksum = isal_zlib.crc32(text, self.checksum)
        if self.header_bytes:
            self.records += text.count(b"\n")
            return
        searched = max(0, len(self._head) - len(b"\n#CHROM\t"))
        self._head += text
        start = self._head.find(b"\n#CHROM\t", searched)
        end = self._head.find(b"\n", start + 1) if start >= 0 else -1
        if end >= 0:
            self.header_bytes = end  # the line feed that was put before the text makes up for the one at the end
            self.records = self._head.count(b"\n", end + 1)
            self._head.clear()
