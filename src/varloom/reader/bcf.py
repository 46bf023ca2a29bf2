"""BCF, the binary form of VCF: read as the VCF text it stands for, with the same checks.

The bytes are unpacked here, where damage has words, and cut into records, which are counted. Whole records go to
htslib, in a process of its own: it is fast C code that trusts its input more than we do, writes to the error output as
it likes, and is not reentrant. What comes back has to have one line for each record.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, cast

from varloom.errors import Problem, Severity
from varloom.genomics.recognition import Compression, Recognition
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.problems import (
    BCF_MALFORMED,
    BGZIP_END_MISSING,
    COMPRESSION_TRUNCATED,
    FORMAT_NOT_SUPPORTED,
    LINE_TOO_LONG,
    VCF_HEADER_TOO_LONG,
)
from varloom.reader.stored_file import CHUNK_BYTES, StoredFile
from varloom.reader.vcf.reader import VcfReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from varloom.reader.model import ReadOptions, ReadProgress, ReadSummary

RECORD_LIMIT = 128 << 20
"""The longest record in bytes, as for lines of a VCF."""

_HEADER_LIMIT = 64 << 20
_HEAD = struct.Struct("<5sI")
_SIZES = struct.Struct("<II")
_LEAST_SHARED = 24
_MAGIC = b"BCF\x02\x02"
_PASSED_ON = 1 << 18

_ALL_AT_ONCE = """
import pysam.bcftools
pysam.bcftools.view("--no-version", "-Ov", "-", catch_stdout=False)
"""
_ONE_BY_ONE = """
import sys
import pysam
pysam.set_verbosity(0)
with pysam.VariantFile("-") as file:
    write = sys.stdout.buffer.write
    write(str(file.header).encode("utf-8", "surrogateescape"))
    for record in file:
        write(str(record).encode("utf-8", "surrogateescape"))
"""
"""Half as fast, but all that comes before a record that cannot be decoded is written out."""


class BcfReader:
    """A BCF; its header is read when it is made. Raises FileRefused, then and from `batches`."""

    def __init__(
        self,
        path: Path,
        recognition: Recognition,
        options: ReadOptions,
        on_progress: Callable[[ReadProgress], None] | None,
    ) -> None:
        self.recognition = recognition
        self._file = BcfFile(path, recognition.compression, on_progress=on_progress)
        self._reader = VcfReader(self._file, replace(recognition, compression=Compression.NONE), options)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as typed batches; see TableReader."""
        return self._reader.batches()

    def summary(self) -> ReadSummary:
        """What was read; see TableReader."""
        summary = self._reader.summary()
        if not self._file.end_marker_missing:
            return summary
        message = "The marker that ends a bgzip file is missing, although the last record is whole."
        warning = Problem(BGZIP_END_MISSING, message, Severity.WARNING)
        return replace(summary, warnings=(*summary.warnings, warning))


class BcfFile(StoredFile):
    """A stored BCF whose chunks are the VCF text that it stands for; bytes and hash are those of the file.

    `end_marker_missing` is true once all is read when the file is packed by bgzip and lacks its closing block.
    """

    def __init__(
        self, path: Path, compression: Compression, *, on_progress: Callable[[ReadProgress], None] | None = None
    ) -> None:
        super().__init__(path, on_progress=on_progress)
        self.end_marker_missing = False
        self._compression = compression

    def chunks(self, *, report: bool = True) -> Iterator[bytes]:
        """The text, header first. Raises DamagedStreamError behind the last good record, and OSError."""
        stream = ByteStream(super().chunks(report=False), self._compression)
        records = _WholeRecords(stream.pieces())
        lines = _LineCount()
        for text in _decoded(records, _ALL_AT_ONCE):
            lines.add(text)
            if report:
                self.tell()
            yield text
        if lines.records != records.count or not lines.in_records:
            yield from self._up_to_the_fault(lines.bytes)
        if records.failure is not None:
            raise records.failure
        self.end_marker_missing = stream.end_marker_missing
        if report:
            self.report_end_of_pass()

    def _up_to_the_fault(self, known: int) -> Iterator[bytes]:
        """The text beyond what is known already, up to the record that cannot be decoded, and what is wrong there."""
        lines = _LineCount()
        with self.path.open("rb") as file:
            chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
            records = _WholeRecords(ByteStream(chunks, self._compression).pieces())
            for text in _decoded(records, _ONE_BY_ONE):
                before = lines.bytes
                lines.add(text)
                if lines.bytes > known:
                    yield text[max(0, known - before) :]
        if records.header_is_whole and not lines.in_records:
            raise DamagedStreamError(BCF_MALFORMED, "The header of the BCF cannot be decoded.")
        if lines.records < records.count:
            raise DamagedStreamError(BCF_MALFORMED, f"Record {lines.records + 1:,} of the BCF cannot be decoded.")
        if lines.records > records.count:
            raise DamagedStreamError(BCF_MALFORMED, "A text within the BCF holds a line feed.")


class _WholeRecords:
    """The header and whole records of a BCF, in pieces of many records; iterate once, in any thread.

    Attributes:
        header_is_whole: whether the header was handed on.
        count: how many records were handed on.
        failure: what ended the iteration before its time; all that is whole before it was handed on.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.header_is_whole = False
        self.count = 0
        self.failure: Exception | None = None
        self._pieces = pieces
        self._buffer = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        going = True
        while going and self.failure is None:
            going = self._fill()
            while whole := self._whole_bytes():
                yield bytes(memoryview(self._buffer)[:whole])
                del self._buffer[:whole]
        if self.failure is None and (self._buffer or not self.header_is_whole):
            self.failure = self._cut_off()

    def _fill(self) -> bool:
        """Take some further pieces; False when there are no more."""
        wanted = len(self._buffer) + _PASSED_ON
        try:
            for piece in self._pieces:
                self._buffer += piece
                if len(self._buffer) >= wanted:
                    return True
        except Exception as failure:  # noqa: BLE001 - it is raised again in the thread of the reader
            self.failure = failure
        return False

    def _whole_bytes(self) -> int:
        """How many bytes the whole records at the start of the buffer have, and the header before them.

        A fault of the very next one is noted as the failure, and takes the place of one that lies further behind.
        """
        try:
            if self.header_is_whole:
                return self._records_end()
            end = self._header_bytes()
        except DamagedStreamError as failure:
            self.failure = failure
            return 0
        self.header_is_whole = 0 < end <= len(self._buffer)
        return end if self.header_is_whole else 0

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
        buffer, end, count = self._buffer, len(self._buffer), self.count
        sizes_of, fixed = _SIZES.unpack_from, _SIZES.size
        at = 0
        while at + fixed <= end:
            shared, individual = sizes_of(buffer, at)
            behind = at + fixed + shared + individual
            if shared < _LEAST_SHARED or behind - at > RECORD_LIMIT:
                if at == 0:
                    raise self._wrong_size(shared)
                break
            if behind > end:
                break
            at = behind
            count += 1
        self.count = count
        return at

    def _wrong_size(self, shared: int) -> DamagedStreamError:
        if shared < _LEAST_SHARED:
            message = f"Record {self.count + 1:,} of the BCF has no room for its fixed fields."
            return DamagedStreamError(BCF_MALFORMED, message)
        message = f"Record {self.count + 1:,} of the BCF is longer than {RECORD_LIMIT >> 20} MiB."
        return DamagedStreamError(LINE_TOO_LONG, message)

    def _cut_off(self) -> DamagedStreamError:
        part = f"record {self.count + 1:,}" if self.header_is_whole else "the header"
        return DamagedStreamError(COMPRESSION_TRUNCATED, f"The BCF breaks off within {part}.")


class _LineCount:
    """Counts the lines of a VCF text behind its header.

    Attributes:
        bytes: how many were counted.
        records: whole lines behind the header.
        in_records: whether the header has ended.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.records = 0
        self.in_records = False
        self._head = bytearray(b"\n")

    def add(self, text: bytes) -> None:
        """Count a piece of the text."""
        self.bytes += len(text)
        if self.in_records:
            self.records += text.count(b"\n")
            return
        searched = max(0, len(self._head) - 8)
        self._head += text
        start = self._head.find(b"\n#CHROM\t", searched)
        end = self._head.find(b"\n", start + 1) if start >= 0 else -1
        if end >= 0:
            self.in_records = True
            self.records = self._head.count(b"\n", end + 1)
            self._head.clear()


def _decoded(records: _WholeRecords, program: str) -> Iterator[bytes]:
    """What a Python program writes to its output that is given the records as its input."""
    command = [sys.executable, "-P", "-c", program]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    feeder = Thread(target=_feed, args=(records, process.stdin), name="bcf-feeder", daemon=True)
    feeder.start()
    output = cast("BinaryIO", process.stdout)
    try:
        while text := output.read(_PASSED_ON):
            yield text
    finally:
        process.kill()
        process.wait()
        feeder.join()
        output.close()


def _feed(records: _WholeRecords, process_input: BinaryIO) -> None:
    try:
        with process_input:
            for whole in records:
                _write(process_input, whole)
    except BrokenPipeError:
        pass  # the program ended; what it has not told will be missed


def _write(process_input: BinaryIO, data: bytes) -> None:
    """Write all of the data; an unbuffered pipe may take only a part at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[process_input.write(rest) :]
