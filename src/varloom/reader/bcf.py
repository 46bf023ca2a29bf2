"""BCF, the binary form of VCF: read as the VCF text it stands for, with the same checks.

The bytes are unpacked here, where damage has words, and cut into records, which are counted. Whole records go to
htslib, in a process of its own: it is fast C code that trusts its input more than we do, writes to the error output as
it likes, and is not reentrant. What comes back has to have one line for each record, and the process has to end well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import Problem, Severity
from varloom.genomics.recognition import Compression, Recognition
from varloom.reader.bcf_decoder import ALL_AT_ONCE, LINE_FEED_FOUND, ONE_BY_ONE, Decoder
from varloom.reader.bcf_records import LineCount, WholeRecords
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.problems import BCF_MALFORMED, BGZIP_END_MISSING
from varloom.reader.stored_file import CHUNK_BYTES, StoredFile
from varloom.reader.vcf.reader import VcfReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from varloom.reader.model import ReadOptions, ReadProgress, ReadSummary


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
        try:
            self._reader = VcfReader(self._file, recognition._replace(compression=Compression.NONE), options)
        except BaseException:
            self._file.close()
            raise

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as typed batches; see TableReader."""
        try:
            yield from self._reader.batches()
        finally:
            self._file.close()

    def summary(self) -> ReadSummary:
        """What was read; see TableReader."""
        summary = self._reader.summary()
        if not self._file.end_marker_missing:
            return summary
        message = "The marker that ends a bgzip file is missing, although the last record is whole."
        warning = Problem(BGZIP_END_MISSING, message, Severity.WARNING)
        return summary._replace(warnings=(*summary.warnings, warning))


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
        self._decoder: Decoder | None = None
        self._closed = False

    def close(self) -> None:
        """End the process that decodes, if one runs; what is still to come of the chunks will not come."""
        self._closed = True
        if self._decoder is not None:
            self._decoder.close()

    def chunks(self, *, report: bool = True) -> Iterator[bytes]:
        """The text, header first. Raises DamagedStreamError behind the last good record, and OSError."""
        stream = ByteStream(super().chunks(report=False), self._compression)
        records = WholeRecords(stream.pieces())
        lines = LineCount()
        for text in self._text(records, lines):
            if report:
                self.tell()
            yield text
        if self._closed:
            return
        if records.header and not self._is_whole(records, lines):
            yield from self._up_to_the_fault(lines)
        if records.failure is not None:
            raise records.failure
        self.end_marker_missing = stream.end_marker_missing
        if report:
            self.report_end_of_pass()

    def _text(self, records: WholeRecords, lines: LineCount) -> Iterator[bytes]:
        for text in self._decoded(records, ALL_AT_ONCE):
            lines.add(text)
            yield text
        if not records.crowded or self._closed or not self._is_whole(records, lines):
            return
        before = lines.header_bytes
        for text in self._decoded(records, ONE_BY_ONE):
            new, before = text[before:], max(0, before - len(text))
            if new:
                lines.add(new)
                yield new

    def _decoded(self, records: WholeRecords, program: str) -> Iterator[bytes]:
        self._decoder = Decoder(records, program)
        return iter(self._decoder)

    def _is_whole(self, records: WholeRecords, lines: LineCount) -> bool:
        """Whether the program came to a good end, and a line came back for each record that it was given."""
        sound = self._decoder is not None and self._decoder.status == 0
        return sound and lines.header_bytes > 0 and lines.records == records.count

    def _up_to_the_fault(self, known: LineCount) -> Iterator[bytes]:
        """The text beyond what is known already, up to the record that cannot be decoded; then raises what is wrong."""
        with self.path.open("rb") as file:
            chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
            records = WholeRecords(ByteStream(chunks, self._compression).pieces(), patient=True)
            lines = LineCount()
            for text in self._decoded(records, ONE_BY_ONE):
                behind = max(0, known.bytes - lines.bytes)
                lines.add(text[:behind])
                if lines.bytes == known.bytes and lines.checksum != known.checksum:
                    raise DamagedStreamError(BCF_MALFORMED, "The BCF is decoded in two ways that differ.")
                if new := text[behind:]:
                    lines.add(new)
                    yield new
        if not self._closed:
            raise self._fault(records, lines)

    def _fault(self, records: WholeRecords, lines: LineCount) -> DamagedStreamError:
        status = None if self._decoder is None else self._decoder.status
        record = f"ecord {lines.records + 1:,} of the BCF"
        if not lines.header_bytes:
            message = "The header of the BCF cannot be decoded."
        elif status == LINE_FEED_FOUND:
            message = f"A text within r{record} holds a line feed."
        elif lines.records < records.count:
            message = f"R{record} cannot be decoded."
        else:
            message = "The BCF cannot be decoded to its end."
        return DamagedStreamError(BCF_MALFORMED, message)
