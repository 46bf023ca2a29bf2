"""Parquet files of what a dataset can hold, written by encoders of our own: pyarrow takes three times as long.

https://github.com/apache/parquet-format: pages of version 1, packed by zstd, and a footer that tells where they are.
docs/decisions.md says why this is not left to a library.
"""

from __future__ import annotations

import base64
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa

import varloom
from varloom.dataset.arrow_columns import ArrowColumns
from varloom.dataset.native.column_encoder import (
    BOOL,
    DELTA_BINARY_PACKED,
    DELTA_LENGTH_BYTE_ARRAY,
    PLAIN,
    RLE_DICTIONARY,
    TEXT,
    ColumnEncoder,
    EncodedLeaf,
)
from varloom.dataset.native.thrift_compact import CompactWriter
from varloom.dataset.parquet_leaves import Leaf, leaves_of, write_schema

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import Buffer

_MAGIC = b"PAR1"
_VERSION = 2
_ZSTD, _ZSTD_LEVEL = 6, 1
_RLE = 3
_LONGEST_EXTREME = 4096
"""Bytes of a text beyond which extremes are left out, so that a footer stays small; readers take them for unknown."""

_DATA_PAGE, _DICTIONARY_PAGE = 0, 2


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: Buffer, /) -> int: ...  # noqa: D102 - as of any file


class _Chunk(NamedTuple):
    """The pages of one leaf in one row group, and where they are in the file.

    `missing` counts the slots without a value; None where no statistics are told.
    """

    leaf: Leaf
    encodings: tuple[int, ...]
    slots: int
    missing: int | None
    extremes: tuple[bytes, bytes] | None
    stored_bytes: int
    plain_bytes: int
    dictionary_at: int | None
    pages_at: int

    @property
    def begins(self) -> int:
        """Where its first byte is."""
        return self.pages_at if self.dictionary_at is None else self.dictionary_at


class _RowGroup(NamedTuple):
    rows: int
    chunks: tuple[_Chunk, ...]


class ParquetFile:
    """A file that is being written: row groups, then `close`.

    Args:
        sink: where its bytes go; it stays open.
        schema: the columns.
        dictionary: the names of the leaves whose distinct values are stored once in a row group, if they are not many.
        extremes: the names of the leaves whose least and greatest value is told; whole numbers, or texts.

    Raises:
        ValueError: a dataset cannot hold one of the types.
    """

    def __init__(
        self, sink: Sink, schema: pa.Schema, *, dictionary: Collection[str], extremes: Collection[str]
    ) -> None:
        self._sink = sink
        self._schema = schema
        self._dictionary = frozenset(dictionary)
        self._extremes = frozenset(extremes)
        self._leaves = [leaves_of(field.name, field.type) for field in schema]
        self._compressor = zstd.ZstdCompressor(level=_ZSTD_LEVEL)
        self._encoder = ColumnEncoder()
        self._row_groups: list[_RowGroup] = []
        self._at = 0
        self._put(_MAGIC)

    def write(self, table: pa.Table) -> None:
        """Append a table as one row group; nothing where it has no rows.

        Raises:
            ValueError: it has other columns, or a page has more than 2 GiB.
            OSError: from the sink.
        """
        if not table.schema.equals(self._schema):
            raise ValueError("a row group has the columns of its file")
        if not table.num_rows:
            return
        columns = ArrowColumns(table, self._encoder)
        chunks: list[_Chunk] = []
        for index, leaves in enumerate(self._leaves):
            columns.take(index)
            chunks += map(self._write_leaf, leaves)
        self._row_groups.append(_RowGroup(table.num_rows, tuple(chunks)))

    def close(self) -> None:
        """Write the footer."""
        footer = self._footer()
        self._put(footer)
        self._put(struct.pack("<I", len(footer)))
        self._put(_MAGIC)

    # --- pages ------------------------------------------------------------------------------------------------------

    def _write_leaf(self, leaf: Leaf) -> _Chunk:
        encoded = self._encoder.encode(
            field=leaf.field,
            kind=leaf.kind,
            width=leaf.width,
            unsigned=leaf.unsigned,
            dictionary=leaf.name in self._dictionary and leaf.kind != BOOL,
            encoding=_without_dictionary(leaf),
            extremes=leaf.name in self._extremes,
        )
        begins, plain = self._at, 0
        dictionary_at = None
        if encoded.dictionary is not None:
            dictionary_at = begins
            plain += self._write_page(_DICTIONARY_PAGE, encoded.dictionary, encoded.distinct, PLAIN)
        pages_at = self._at
        for page, slots in encoded.pages:
            plain += self._write_page(_DATA_PAGE, page, slots, encoded.encoding)
        return _Chunk(
            leaf=leaf,
            encodings=_encodings(encoded),
            slots=encoded.slots,
            missing=encoded.missing if leaf.name in self._extremes else None,
            extremes=encoded.extremes if max(map(len, encoded.extremes or [b""])) <= _LONGEST_EXTREME else None,
            stored_bytes=self._at - begins,
            plain_bytes=plain,
            dictionary_at=dictionary_at,
            pages_at=pages_at,
        )

    def _write_page(self, kind: int, page: memoryview, values: int, encoding: int) -> int:
        """Write a page behind its header, and tell how many bytes it had before it was compressed."""
        stored = self._compressor.compress(page, self._compressor.FLUSH_FRAME)
        header = _page_header(kind, len(page), len(stored), values, encoding)
        self._put(header)
        self._put(stored)
        return len(header) + len(page)

    def _put(self, data: Buffer) -> None:
        self._at += self._sink.write(data)

    # --- FileMetaData of parquet.thrift -----------------------------------------------------------------------------

    def _footer(self) -> bytes:
        out = CompactWriter()
        out.number(1, _VERSION)
        write_schema(out, 2, [(field.name, field.type) for field in self._schema])
        out.long(3, sum(group.rows for group in self._row_groups))
        out.structs(4, len(self._row_groups))
        for ordinal, group in enumerate(self._row_groups):
            _write_row_group(out, ordinal, group)
        described = {**(self._schema.metadata or {}), b"ARROW:schema": base64.b64encode(self._schema.serialize())}
        out.structs(5, len(described))
        for key, value in described.items():
            out.begin()
            out.binary(1, key)
            out.binary(2, value)
            out.end()
        out.binary(6, f"varloom version {varloom.__version__}".encode())
        leaves = sum(map(len, self._leaves))
        out.structs(7, leaves)
        for _ in range(leaves):
            _write_column_order(out)
        return out.finish()


def _without_dictionary(leaf: Leaf) -> int:
    """Whole numbers without a dictionary are counters and places; texts shrink when their sizes lie by themselves."""
    if pa.types.is_integer(leaf.type):
        return DELTA_BINARY_PACKED
    return DELTA_LENGTH_BYTE_ARRAY if leaf.kind == TEXT else PLAIN


def _encodings(encoded: EncodedLeaf) -> tuple[int, ...]:
    """All encodings that a reader meets: of the levels, of the values, and of the dictionary."""
    return (_RLE, encoded.encoding, PLAIN) if encoded.encoding == RLE_DICTIONARY else (_RLE, encoded.encoding)


def _page_header(kind: int, plain_bytes: int, stored_bytes: int, values: int, encoding: int) -> bytes:
    """PageHeader."""
    if plain_bytes >= 1 << 31:
        raise ValueError("a page has more than 2 GiB")
    out = CompactWriter()
    out.number(1, kind)
    out.number(2, plain_bytes)
    out.number(3, stored_bytes)
    if kind == _DATA_PAGE:
        out.struct(5)
        out.number(1, values)
        out.number(2, encoding)
        out.number(3, _RLE)
        out.number(4, _RLE)
    else:
        out.struct(7)
        out.number(1, values)
        out.number(2, encoding)
    out.end()
    return out.finish()


def _write_row_group(out: CompactWriter, ordinal: int, group: _RowGroup) -> None:
    """RowGroup; its total sizes are those of its chunks."""
    out.begin()
    out.structs(1, len(group.chunks))
    for chunk in group.chunks:
        out.begin()
        out.long(2, 0)
        out.struct(3)
        _write_column_meta_data(out, chunk)
        out.end()
        out.end()
    out.long(2, sum(chunk.plain_bytes for chunk in group.chunks))
    out.long(3, group.rows)
    out.long(5, group.chunks[0].begins)
    out.long(6, sum(chunk.stored_bytes for chunk in group.chunks))
    if ordinal < 1 << 15:
        out.short(7, ordinal)
    out.end()


def _write_column_meta_data(out: CompactWriter, chunk: _Chunk) -> None:
    """ColumnMetaData."""
    out.number(1, chunk.leaf.physical)
    out.numbers(2, chunk.encodings)
    out.binaries(3, [name.encode() for name in chunk.leaf.path])
    out.number(4, _ZSTD)
    out.long(5, chunk.slots)
    out.long(6, chunk.plain_bytes)
    out.long(7, chunk.stored_bytes)
    out.long(9, chunk.pages_at)
    if chunk.dictionary_at is not None:
        out.long(11, chunk.dictionary_at)
    if chunk.missing is not None:
        out.struct(12)
        _write_statistics(out, chunk.missing, chunk.extremes)
        out.end()


def _write_statistics(out: CompactWriter, missing: int, extremes: tuple[bytes, bytes] | None) -> None:
    """Statistics, whose extremes are not cut short."""
    out.long(3, missing)
    if extremes is not None:
        least, most = extremes
        out.binary(5, most)
        out.binary(6, least)
        out.flag(7, True)
        out.flag(8, True)


def _write_column_order(out: CompactWriter) -> None:
    """ColumnOrder: that of the type."""
    out.begin()
    out.struct(1)
    out.end()
    out.end()
