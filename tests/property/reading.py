"""All that a reader tells about a file, in a form that can be compared; and ways to pack a text."""

from __future__ import annotations

import gzip
import struct
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from varloom.reader import FileRefused, ReadOptions, open_reader
from varloom.reader.vcf.chunk_reader import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULTS = ReadOptions()
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def outcome(path: Path, options: ReadOptions = DEFAULTS) -> dict[str, Any]:
    """Rows without their missing cells, columns, warnings; or why the file is refused."""
    try:
        reader = open_reader(path, options=options)
        rows = [
            sorted((name, repr(value)) for name, value in row.items() if value is not None)
            for batch in reader.batches()
            for row in batch.to_pylist()
        ]
    except FileRefused as refused:
        return {"problems": [problem.as_dict() for problem in refused.problems]}
    summary = reader.summary()
    return {
        "rows": rows,
        "columns": summary.columns,
        "warnings": sorted((problem.as_dict() for problem in summary.warnings), key=repr),
        "counts": (summary.records, summary.variants, summary.contigs, summary.samples),
    }


class AllLeft:
    """A chunk of whose lines the kernel parsed none: all are left to the careful parser.

    What the kernel finds out about a record's place among others is kept, as nobody else looks for it.
    """

    PLACES = range(5, 8)
    BLANK = 9
    rows = 0
    unknown = False

    def __init__(self, chunk: Any) -> None:
        self._chunk = chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chunk, name)

    def next(self, *how: Any) -> AllLeft:
        return AllLeft(self._chunk.next(*how))

    def rule_findings(self) -> list[tuple[int, ...]]:
        return [found for found in self._chunk.rule_findings() if found[0] in self.PLACES or found[0] == self.BLANK]

    def filter_texts(self) -> list[Any]:
        return []

    def field_findings(self) -> list[Any]:
        return []

    def ruled_lines(self) -> list[Any]:
        return []

    def left_lines(self) -> Iterator[tuple[int, int, int, int, int, bool]]:
        chunk, at, records = self._chunk, self._chunk.start, 0
        for line in range(1, chunk.lines + 1):
            end = chunk.source.index(b"\n", at)
            if bytes(chunk.source[at:end]) not in {b"", b"\r"}:
                yield line, at, end, 0, records, False
                records += 1
            at = end + 1


def all_carefully(monkeypatch: Any) -> None:
    """Let the careful parser read every line."""
    take = ChunkReader.take
    monkeypatch.setattr(ChunkReader, "take", lambda self, chunk: take(self, AllLeft(chunk)))


def bgzipped(data: bytes, *borders: int) -> bytes:
    """The data in bgzip blocks that end at the borders."""
    cuts = [0, *sorted(border for border in borders if 0 < border < len(data)), len(data)]
    return b"".join(block(data[start:end]) for start, end in pairwise(cuts)) + BGZIP_END


def block(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    extra = struct.pack("<2sHH", b"BC", 2, len(body) + 25)
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(extra)) + extra
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


def gzipped(data: bytes, *borders: int) -> bytes:
    """The data in gzip members that end at the borders."""
    cuts = [0, *sorted(border for border in borders if 0 < border < len(data)), len(data)]
    return b"".join(gzip.compress(data[start:end], mtime=0) for start, end in pairwise(cuts))
