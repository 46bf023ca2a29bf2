"""Rows of a CSV with the physical line each starts at, however its cells are quoted."""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from varloom.errors import Place, safe_excerpt
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.problems import (
    CONTROL_CHARACTER,
    CSV_QUOTE_INVALID,
    CSV_TOO_MANY_COLUMNS,
    CSV_UTF16_INVALID,
    LINE_TOO_LONG,
    refusal,
)
from varloom.reader.whole_lines import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.reader.delimited.dialect import Dialect

CELL_LIMIT = 16 << 20
"""The longest cell in characters; one that is longer comes of a quote that is never closed."""


MOST_SEPARATORS = 1_000_000
"""The most separators of a line, those within quotes counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `line` is the physical line it starts at, from 1, and `lines` how many it covers."""

    line: int
    cells: list[str]
    lines: int = 1


class Rows:
    """Iterates over the rows of a text. Raises FileRefused, and UnicodeDecodeError when `encoding` is wrong.

    Attributes:
        lines: how many physical lines were read so far.
        above: the lines above the header row, without their line ends.
    """

    def __init__(self, stream: ByteStream, encoding: str, mark_bytes: int, dialect: Dialect) -> None:
        self.lines = 0
        self.above: list[str] = []
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._mark_bytes = mark_bytes
        self._dialect = dialect

    def __iter__(self) -> Iterator[Row]:
        csv.field_size_limit(CELL_LIMIT)
        quote = '"' if self._dialect.quotes else None
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        lines = self._physical_lines()
        self.above = [line.rstrip("\r\n") for line in islice(lines, self._dialect.above)]
        skipped = len(self.above)
        reader = csv.reader(
            self._unmarked(lines),
            delimiter=self._dialect.separator,
            quotechar=quote,
            quoting=quoting,
            strict=True,
        )
        start = skipped + 1
        try:
            for cells in reader:
                end = skipped + reader.line_num
                yield Row(start, cells, end - start + 1)
                start = end + 1
        except csv.Error as error:
            raise refusal(
                CSV_QUOTE_INVALID,
                f"The row that starts at line {start:,} is not valid CSV: {_reason(str(error))}.",
                Place(line=start),
            ) from error

    def _unmarked(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines, the first one without the mark of a comment."""
        first = next(lines, None)
        if first is not None:
            yield first.removeprefix(self._dialect.mark)
        yield from lines

    def _physical_lines(self) -> Iterator[str]:
        """Lines with their line end, as the csv module wants them."""
        end = self._dialect.line_end
        carry: list[str] = []
        carried = 0
        for text in self._texts():
            carry.append(text)
            carried += len(text)
            if end not in text:
                if carried > LINE_LIMIT:
                    raise self._too_long(carry[0])
                continue
            *whole, rest = "".join(carry).split(end)
            carry, carried = [rest], len(rest)
            for line in whole:
                self.lines += 1
                yield self._narrow(line) + "\n"
        last = "".join(carry)
        if last:
            self.lines += 1
            yield self._narrow(last)

    def _narrow(self, line: str) -> str:
        """The line, unless cutting it would take up the memory of the machine."""
        if line.count(self._dialect.separator) > MOST_SEPARATORS:
            message = f"Line {self.lines:,} has more than {MOST_SEPARATORS:,} separators."
            raise refusal(CSV_TOO_MANY_COLUMNS, message, Place(line=self.lines, excerpt=safe_excerpt(line)))
        return line

    def _texts(self) -> Iterator[str]:
        skip = self._mark_bytes
        try:
            for piece in self._stream.pieces():
                text = self._decoded(piece[skip:])
                skip = 0
                self._check_characters(text)
                yield text
        except DamagedStreamError as damage:
            line = self.lines + 1
            message = f"{damage.message} The last line that could be read whole is line {self.lines:,}."
            raise refusal(damage.kind, message, Place(line=line)) from damage
        yield self._decoded(b"", final=True)

    def _decoded(self, raw: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(raw, final)
        except UnicodeDecodeError as error:
            if not self._encoding.startswith("utf-16"):
                raise
            before = error.object[: error.start].decode(self._encoding, "replace")
            line = self.lines + before.count(self._dialect.line_end) + 1
            raise refusal(
                CSV_UTF16_INVALID, f"Line {line:,} holds bytes that are not UTF-16.", Place(line=line)
            ) from error

    def _check_characters(self, text: str) -> None:
        if "\0" in text:
            line = self.lines + text.count(self._dialect.line_end, 0, text.index("\0")) + 1
            raise refusal(
                CONTROL_CHARACTER,
                f"Line {line:,} holds a NUL character, which no text has.",
                Place(line=line),
            )

    def _too_long(self, start: str) -> Exception:
        message = f"Line {self.lines + 1:,} is longer than {LINE_LIMIT >> 20} MiB."
        return refusal(LINE_TOO_LONG, message, Place(line=self.lines + 1, excerpt=safe_excerpt(start)))


def _reason(error: str) -> str:
    if "unexpected end of data" in error:
        return "a quoted cell does not end"
    if "expected after" in error:
        return "text follows a closing quote"
    if "new-line" in error:
        return "it has a carriage return outside of quotes"
    if "limit" in error:
        return f"a cell is longer than {CELL_LIMIT >> 20} Mi characters, which a quote that is never closed leads to"
    return "its quotes do not match"
