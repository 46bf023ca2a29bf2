"""Reads a VCF into typed batches: header first, then chunks of lines that the kernel parses in threads.

The kernel does nearly all of the work. Lines that it leaves alone are given to the careful parser, and both parts are
put together in the order of the file.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from varloom.reader.diagnosis import Diagnosis
from varloom.reader.model import ReadOptions, ReadSummary
from varloom.reader.native.memory import make_room
from varloom.reader.native.plain_text import is_suspicious
from varloom.reader.native.vcf_records import MARGIN, Chunk
from varloom.reader.portions import Portions
from varloom.reader.problems import (
    BGZIP_END_MISSING,
    FILE_UNREADABLE,
    FINAL_NEWLINE_MISSING,
    refusal,
)
from varloom.reader.threads import reading_threads
from varloom.reader.vcf.header_reading import read_header
from varloom.reader.whole_lines import Broken, Lines, WholeLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    import pyarrow as pa

    from varloom.genomics.recognition import Recognition
    from varloom.reader.native.vcf_layout import Layout
    from varloom.reader.stored_file import StoredFile
    from varloom.reader.vcf.chunk_reader import ChunkReader


class VcfReader:
    """A VCF; the header is read when it is made. Raises FileRefused, then and from `batches`."""

    def __init__(self, file: StoredFile, recognition: Recognition, options: ReadOptions) -> None:
        self.recognition = recognition
        self._file = file
        self._options = options
        self._threads = reading_threads(options)
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="vcf-reader", initializer=make_room)
        self._portions = Portions(file, recognition.compression, self._pool, self._threads + 1)
        self._lines = WholeLines(self._portions)
        self._diagnosis = Diagnosis(options.max_problems)
        self._header = read_header(self._lines, recognition.mark_bytes, self._diagnosis)
        self._chunks = self._chunk_reader()
        self._summary: ReadSummary | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as typed batches; see TableReader."""
        try:
            yield from self._parse_ahead()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._diagnosis.refuse_if_broken()
        if self._file.changed:
            raise refusal(FILE_UNREADABLE, "The file was changed while it was read.")
        self._finish()

    def summary(self) -> ReadSummary:
        """What was read; see TableReader."""
        if self._summary is None:
            raise RuntimeError("the summary is known only after all batches were taken")
        return self._summary

    def _chunk_reader(self) -> ChunkReader:
        from varloom.reader.vcf.chunk_reader import ChunkReader  # with Arrow it takes 80 ms, in which threads unpack

        return ChunkReader(self._header, self._diagnosis, self._options)

    # --- records --------------------------------------------------------------------------------------------------

    def _parse_ahead(self) -> Iterator[pa.RecordBatch]:
        """Keep the threads busy with chunks ahead of the one that is put together here."""
        running: deque[Future[Chunk]] = deque()
        coming = iter(self._lines)
        broken: Broken | None = None
        ended = False
        while not self._diagnosis.full:
            while not ended and len(running) <= self._threads:
                try:
                    lines = next(coming, None)
                except Broken as met:
                    lines, broken = None, met
                if lines is None:
                    ended = True
                else:
                    running.append(self._parsed(lines))
            if not running:
                break
            chunk = running.popleft().result()
            text = chunk.source
            yield from self._chunks.take(chunk)
            del chunk
            self._portions.give_back(text)
            self._file.records = self._chunks.records
        if broken is not None and not self._diagnosis.full:
            self._diagnosis.add_refusal(broken.refusal(self._chunks.lines + 1))

    def _parsed(self, lines: Lines) -> Future[Chunk]:
        chunks = self._chunks
        return self._pool.submit(parse, lines, chunks.layout, chunks.most_rows, chunks.most_text)

    # --- the end --------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        self._file.report_end_of_pass()
        if self._portions.end_marker_missing:
            message = "The marker that ends a bgzip file is missing, although the last line is whole."
            self._diagnosis.warn(BGZIP_END_MISSING, "", message)
        if self._lines.cut:
            self._diagnosis.warn(FINAL_NEWLINE_MISSING, "", "The last line does not end with a line end.")
        self._summary = ReadSummary(
            records=self._chunks.records,
            variants=self._chunks.rows,
            columns=self._chunks.columns(),
            samples=self._header.samples,
            warnings=self._diagnosis.warnings(),
            header=self._header.text,
            sha256=self._file.sha256 or "",
            bytes=self._file.bytes,
            contigs=self._chunks.contigs,
        )


def parse(lines: Lines, layout: Layout, most_rows: int, most_text: int) -> Chunk:
    """Parse whole lines, in one of the reader's threads."""
    data, start, end = lines.placed(MARGIN)
    return Chunk(layout, data, start, end, is_suspicious(data, start, end), most_rows, most_text)
