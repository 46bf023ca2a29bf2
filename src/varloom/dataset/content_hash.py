"""The content hash: the same for the same schema and values, whatever the layout of the files.

docs/reference/dataset-format.md defines it so that an independent program can recompute it. Values go into running
SHA-256 states in row order, so batch borders, row groups, compression and encodings leave no trace.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from varloom.dataset.column_types import is_list, is_struct, plain_type, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_Values: TypeAlias = npt.NDArray[Any]
_MAGIC = b"varloom content 1\n"
_CHUNK = 1 << 20
_PRESENT = memoryview(b"\x01" * _CHUNK)
_ABSENT = memoryview(bytes(_CHUNK))


class ColumnDigest:
    """The running digest of one column, or of the elements of a list column."""

    def __init__(self, data_type: pa.DataType) -> None:
        self.type = plain_type(data_type)
        self._presence = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._data = hashlib.sha256()
        self._elements = ColumnDigest(self.type.value_type) if is_list(self.type) else None
        self._fields = [ColumnDigest(field.type) for field in self.type] if is_struct(self.type) else []

    def add_missing(self, count: int) -> None:
        """Add `count` missing values."""
        _add_repeated(self._presence, _ABSENT, count)

    def add(self, array: pa.Array) -> None:
        """Add the values of an array whose type is the column's."""
        present = None
        if array.null_count:
            present = _presence(array)
            self._presence.update(present.data)
        else:
            _add_repeated(self._presence, _PRESENT, len(array))
        if self._elements is not None:
            self._add_lists(array, present, self._elements)
        elif self._fields:
            array = array.drop_null() if present is not None else array
            for digest, values in zip(self._fields, array.flatten(), strict=True):
                digest.add(values)
        elif self.type == pa.string():
            self._add_text(array, present)
        else:
            self._data.update(_bytes_of(_canonical(array.drop_null() if present is not None else array)))

    def _add_lists(self, array: Any, present: _Values | None, elements: ColumnDigest) -> None:
        """Add lengths and elements of lists; `present` tells which are there, None that all are."""
        if not len(array):
            return
        offsets = _offsets(array)
        lengths = offsets[1:] - offsets[:-1]
        if present is not None:
            lengths = lengths[present.view(np.bool_)]
            if int(lengths.sum(dtype=np.int64)) != int(offsets[-1]) - int(offsets[0]):
                # Missing lists may have elements, which do not count.
                self._add_lists(array.drop_null(), None, elements)
                return
        self._lengths.update(_bytes_of(lengths.astype("<u4", copy=False)))
        elements.add(array.values.slice(int(offsets[0]), int(offsets[-1]) - int(offsets[0])))

    def _add_text(self, array: pa.Array, present: _Values | None) -> None:
        """Add byte lengths and bytes of texts; `present` tells which are there, None that all are."""
        if not len(array):
            return
        offsets, data = _offsets(array), array.buffers()[2]
        lengths = offsets[1:] - offsets[:-1]
        if present is not None:
            whole, lengths = lengths, lengths[present.view(np.bool_)]
            if int(lengths.sum(dtype=np.int64)) != int(whole.sum(dtype=np.int64)):
                # Missing texts may have bytes, which do not count.
                self._add_text(array.drop_null(), None)
                return
        self._lengths.update(_bytes_of(lengths.astype("<u4", copy=False)))
        if data is not None:
            self._data.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])

    def digest(self) -> bytes:
        """The 32 bytes for everything added so far."""
        parts = [self._presence.digest()]
        if self._elements is not None:
            parts += [self._lengths.digest(), self._elements.digest()]
        elif self._fields:
            parts += [digest.digest() for digest in self._fields]
        elif self.type == pa.string():
            parts += [self._lengths.digest(), self._data.digest()]
        else:
            parts += [self._data.digest()]
        return hashlib.sha256(b"".join(parts)).digest()


class ContentHasher:
    """The digests of all columns of a table that comes in pieces.

    A column that appears late counts as missing in the rows before; one whose type widens is digested anew from what
    was written, by the `reread` given to `digest`.
    """

    def __init__(self) -> None:
        self._columns: dict[str, ColumnDigest] = {}
        self._stale: set[str] = set()
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        """Add the next rows."""
        for name, column in zip(table.column_names, table.columns, strict=True):
            self._add_column(name, column)
        for name in self._columns.keys() - set(table.column_names):
            self._columns[name].add_missing(table.num_rows)
        self._rows += table.num_rows

    def _add_column(self, name: str, column: pa.ChunkedArray) -> None:
        if name in self._stale:
            return
        digest = self._columns.get(name)
        if digest is None:
            digest = self._columns[name] = ColumnDigest(column.type)
            digest.add_missing(self._rows)
        if digest.type != plain_type(column.type):
            self._stale.add(name)
            return
        for chunk in column.chunks:
            digest.add(chunk)

    def digest(self, field: pa.Field, reread: Callable[[str], Iterable[pa.ChunkedArray]] = lambda _: ()) -> bytes:
        """The digest of a column of the final schema; `reread` yields its values as they were finally written."""
        digest = self._columns.get(field.name)
        if digest is not None and field.name not in self._stale and digest.type == plain_type(field.type):
            return digest.digest()
        digest = ColumnDigest(field.type)
        for column in reread(field.name):
            for chunk in column.chunks:
                digest.add(chunk)
        return digest.digest()


def content_hash(columns: Sequence[tuple[str, pa.DataType, bytes]], rows: int) -> str:
    """Combine names, types and digests of the columns, in their order, into the hash of the content."""
    combined = hashlib.sha256(_MAGIC + struct.pack("<Q", rows))
    for name, data_type, digest in columns:
        for text in (name, type_name(data_type)):
            encoded = text.encode()
            combined.update(struct.pack("<I", len(encoded)) + encoded)
        combined.update(digest)
    return f"sha256:{combined.hexdigest()}"


def _offsets(array: pa.Array) -> _Values:
    """Where the texts or lists begin, and the last one ends."""
    return np.frombuffer(array.buffers()[1], dtype="<i4")[array.offset : array.offset + len(array) + 1]


def _presence(array: pa.Array) -> _Values:
    """For each value one byte, 1 where it is there."""
    bitmap = np.frombuffer(array.buffers()[0], np.uint8)
    first, skipped = divmod(array.offset, 8)
    last = (array.offset + len(array) + 7) // 8
    return np.unpackbits(bitmap[first:last], bitorder="little")[skipped : skipped + len(array)]


def _canonical(array: pa.Array) -> _Values:
    """Fixed-width values, none of them missing, in little-endian bytes and with one kind of NaN."""
    values: _Values = array.to_numpy(zero_copy_only=False)
    if pa.types.is_floating(array.type):
        holes = np.isnan(values)
        if holes.any():
            values = np.where(holes, np.array(np.nan, dtype=values.dtype), values)
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def _bytes_of(values: _Values) -> memoryview:
    return np.ascontiguousarray(values).view(np.uint8).data


def _add_repeated(state: hashlib._Hash, block: memoryview, count: int) -> None:
    while count > 0:
        state.update(block[:count])
        count -= len(block)
