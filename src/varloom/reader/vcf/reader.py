"""Reads a VCF into typed batches: header first, then blocks of lines, with every fault gathered on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.decompression import ByteStream
from varloom.reader.diagnosis import Diagnosis
from varloom.reader.lines import LineBlock, line_blocks
from varloom.reader.model import ReadOptions, ReadSummary
from varloom.reader.problems import (
    BGZIP_END_MISSING,
    BLANK_LINE,
    BYTE_ORDER_MARK,
    CONTROL_CHARACTER,
    FINAL_NEWLINE_MISSING,
    HEADER_NOT_UTF8,
    TEXT_NOT_UTF8,
    FileRefused,
)
from varloom.reader.vcf.header import Header, HeaderParser
from varloom.reader.vcf.record_parser import RecordParser
from varloom.reader.vcf.record_table import RecordTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from varloom.genomics.recognition import Recognition
    from varloom.reader.stored_file import StoredFile

_CONTROLS = bytes((*range(9), *range(11, 32), 127))
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PORTION = 256
_TEXT_BUDGET = 64 << 20
"""About how many bytes of text the rows of one batch are made of at most; each ALT allele has its line's text again."""


class VcfReader:
    """A VCF; the header is read when it is made. Raises FileRefused, then and from `batches`."""

    def __init__(self, file: StoredFile, recognition: Recognition, options: ReadOptions) -> None:
        self.recognition = recognition
        self._file = file
        self._stream = ByteStream(file.chunks(), recognition.compression)
        self._blocks = line_blocks(self._stream)
        self._diagnosis = Diagnosis(options.max_problems)
        self._cut = False
        self._first_records: LineBlock | None = None
        self._header = self._read_header()
        self._table = RecordTable(self._header, self._diagnosis, options.batch_rows)
        self._parser = RecordParser(self._header, self._table, self._diagnosis)
        self._summary: ReadSummary | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as typed batches; see TableReader."""
        text_bytes = 0
        try:
            for block in self._record_blocks():
                for first, lines in _portions(block):
                    before = self._table.buffer.rows
                    self._parse_lines(first, lines)
                    rows = self._table.buffer.rows - before
                    text_bytes += sum(map(len, lines)) * max(rows, len(lines)) // len(lines)
                    if self._diagnosis.errors:
                        self._table.buffer.discard()
                    elif self._table.buffer.rows >= self._table.capacity or text_bytes > _TEXT_BUDGET:
                        text_bytes = 0
                        yield self._table.take()
                self._file.records = self._parser.records
                if self._diagnosis.full:
                    break
        except FileRefused as refused:
            self._diagnosis.add_refusal(refused)
        self._diagnosis.refuse_if_broken()
        if self._table.buffer.rows:
            yield self._table.take()
        self._finish()

    def summary(self) -> ReadSummary:
        """What was read; see TableReader."""
        if self._summary is None:
            raise RuntimeError("the summary is known only after all batches were taken")
        return self._summary

    # --- header ---------------------------------------------------------------------------------------------------

    def _read_header(self) -> Header:
        parser = HeaderParser(self._diagnosis)
        for block in self._blocks:
            self._cut = block.cut
            for index, raw in enumerate(block.lines):
                number = block.first + index
                if parser.feed(number, self._header_text(number, raw)):
                    self._diagnosis.refuse_if_broken()
                    self._first_records = LineBlock(number + 1, block.lines[index + 1 :], cut=block.cut)
                    return parser.header
        parser.end_of_file(parser.lines)
        self._diagnosis.refuse_if_broken()
        return parser.header

    def _header_text(self, number: int, raw: bytes) -> str:
        if number == 1 and self.recognition.mark_bytes:
            raw = raw[self.recognition.mark_bytes :]
            message = "The file starts with a byte order mark; it was left out."
            self._diagnosis.warn(BYTE_ORDER_MARK, "", message, Place(line=1))
        raw = raw.removesuffix(b"\r")
        if len(raw.translate(None, _CONTROLS)) != len(raw):
            self._control_character(number, raw.decode("utf-8", "replace"))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
            place = Place(line=number, excerpt=safe_excerpt(text))
            message = "A header line is not valid UTF-8; it was read as Latin-1."
            self._diagnosis.warn(HEADER_NOT_UTF8, "", message, place)
            return text

    # --- records --------------------------------------------------------------------------------------------------

    def _record_blocks(self) -> Iterator[LineBlock]:
        if self._first_records is not None and self._first_records.lines:
            yield self._first_records
        for block in self._blocks:
            self._cut = block.cut
            yield block

    def _parse_lines(self, first: int, lines: list[bytes]) -> None:
        """Parse some lines; as long as nothing is wrong with their characters this is one decode for all."""
        raw = b"\n".join(lines)
        try:
            texts = raw.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            texts = [self._decoded(first + index, line) for index, line in enumerate(lines)]
        suspicious = len(raw.translate(None, _CONTROLS)) != len(raw)
        parse = self._parser.parse
        if suspicious:
            texts = [text.removesuffix("\r") for text in texts]
        for number, text in enumerate(texts, first):
            if suspicious and _CONTROL.search(text):
                self._control_character(number, text)
            elif text:
                parse(number, text)
            else:
                self._blank(number)
            if self._diagnosis.full:
                return

    def _decoded(self, number: int, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            column = raw.count(b"\t", 0, error.start) + 1
            self._diagnosis.error(
                TEXT_NOT_UTF8,
                f"The line is not valid UTF-8 at its byte {error.start + 1:,}.",
                Place(line=number, column=column, excerpt=safe_excerpt(raw)),
            )
            return raw.decode("latin-1")

    def _control_character(self, number: int, text: str) -> None:
        match = _CONTROL.search(text)
        where = match.start() if match else 0
        name = "carriage return" if text[where] == "\r" else f"control character {ord(text[where]):#04x}"
        self._diagnosis.error(
            CONTROL_CHARACTER,
            f"The line holds a {name}, which a line of a VCF cannot have.",
            Place(line=number, column=text.count("\t", 0, where) + 1, excerpt=safe_excerpt(text)),
        )

    def _blank(self, number: int) -> None:
        self._diagnosis.warn(BLANK_LINE, "", f"Line {number:,} is empty.", Place(line=number))

    # --- the end --------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._stream.end_marker_missing:
            message = "The marker that ends a bgzip file is missing, although the last line is whole."
            self._diagnosis.warn(BGZIP_END_MISSING, "", message)
        if self._cut:
            self._diagnosis.warn(FINAL_NEWLINE_MISSING, "", "The last line does not end with a line end.")
        self._summary = ReadSummary(
            records=self._parser.records,
            variants=self._parser.variants,
            columns=self._table.columns(),
            samples=self._header.samples,
            warnings=self._diagnosis.warnings(),
            header=self._header.text,
            sha256=self._file.sha256 or "",
            bytes=self._file.bytes,
            contigs=self._parser.contigs,
        )


def _portions(block: LineBlock) -> Iterator[tuple[int, list[bytes]]]:
    """A block in portions of some thousand lines, so that batches end near their capacity."""
    for start in range(0, len(block.lines), _PORTION):
        yield block.first + start, block.lines[start : start + _PORTION]
