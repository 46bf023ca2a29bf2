"""The content hash: the same for the same schema and values, whatever the layout of the files.

docs/reference/dataset-format.md defines it so that an independent program can recompute it. Values go into running
BLAKE3 states in row order, so batch borders, row groups, compression and encodings leave no trace. Arrow's buffers,
which are little-endian wherever Arrow is at home, are hashed where they lie; only what has holes is copied.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from blake3 import blake3

from varloom.dataset.column_types import is_list, is_struct, plain_type, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_Values: TypeAlias = npt.NDArray[Any]
_MAGIC = b"varloom content 1\n"
_TOGETHER = 1 << 18
"""Bytes that are hashed at once: the more, the faster, but from here on by a few percent."""

_REPEATED = (np.zeros(_TOGETHER, np.uint8), np.ones(_TOGETHER, np.uint8))


class _Stream:
    """A running BLAKE3 that is fed large pieces: it hashes 16 KiB side by side, and odd ends one after another.

    Pieces wait, uncopied, until there is enough of them or `flush` is called; of 13 KB each they would take four times
    as long alone.
    """

    def __init__(self) -> None:
        self._state = blake3()
        self._waiting: list[memoryview] = []
        self._waiting_bytes = 0

    def add(self, values: _Values) -> None:
        """Take the bytes of contiguous values."""
        piece = values.view(np.uint8).data
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes >= _TOGETHER:
            self.flush()

    def add_repeated(self, byte: int, count: int) -> None:
        """Take one byte several times."""
        while count > 0:
            piece = _REPEATED[byte][:count]
            self.add(piece)
            count -= len(piece)

    def flush(self) -> None:
        """Hash what waits."""
        if len(self._waiting) == 1:
            self._state.update(self._waiting[0])
        elif self._waiting:
            self._state.update(b"".join(self._waiting))
        self._waiting, self._waiting_bytes = [], 0

    def digest(self) -> bytes:
        """The 32 bytes for everything added so far."""
        self.flush()
        return self._state.digest()


class _Presence(_Stream):
    """Which values are there: a byte for each, or no bytes at all if none is missing."""

    def __init__(self) -> None:
        super().__init__()
        self._before_first_missing = 0
        self._some_missing = False

    def add_present(self, count: int) -> None:
        """Add `count` values that are there."""
        if self._some_missing:
            self.add_repeated(1, count)
        else:
            self._before_first_missing += count

    def add_missing(self, count: int) -> None:
        """Add `count` missing values."""
        if count:
            self._begin()
            self.add_repeated(0, count)

    def add_mixed(self, present: _Values) -> None:
        """Add values of which at least one is missing: 1 for each that is there, else 0."""
        self._begin()
        self.add(present)

    def _begin(self) -> None:
        if not self._some_missing:
            self._some_missing = True
            self.add_repeated(1, self._before_first_missing)


class ColumnDigest:
    """The running digest of one column, or of the elements of a list column, or of a field of structs."""

    def __init__(self, data_type: pa.DataType) -> None:
        self.type = plain_type(data_type)
        self._presence = _Presence()
        self._lengths = _Stream()
        self._data = _Stream()
        self._elements = ColumnDigest(self.type.value_type) if is_list(self.type) else None
        self._fields = [ColumnDigest(field.type) for field in self.type] if is_struct(self.type) else []

    def add_missing(self, count: int) -> None:
        """Add `count` missing values."""
        self._presence.add_missing(count)
        self._presence.flush()

    def add(self, chunks: Iterable[pa.Array]) -> None:
        """Add the values of arrays whose type is the column's."""
        pieces = [(chunk, self._add_presence(chunk)) for chunk in chunks if len(chunk)]
        pieces = [(chunk, present) for chunk, present in pieces if chunk.null_count < len(chunk)]
        if self._elements is not None:
            self._elements.add([self._add_lists(chunk, present) for chunk, present in pieces])
        elif self._fields:
            self._add_structs([chunk if present is None else chunk.drop_null() for chunk, present in pieces])
        elif self.type == pa.string():
            for chunk, present in pieces:
                self._add_texts(chunk, present)
        else:
            for chunk, present in pieces:
                self._add_scalars(chunk, present)
        for stream in (self._presence, self._lengths, self._data):
            stream.flush()

    def _add_presence(self, array: pa.Array) -> _Values | None:
        """Add which values are there; for each a byte that tells it, or None if all or none are."""
        missing = array.null_count
        if not missing:
            self._presence.add_present(len(array))
            return None
        if missing == len(array):
            self._presence.add_missing(missing)
            return None
        present = _bits(array, 0)
        self._presence.add_mixed(present)
        return present

    def _add_lists(self, array: Any, present: _Values | None) -> Any:
        """Add the lengths of the lists that are there, and give back their elements."""
        array, lengths, first, last = _spans(array, present)
        self._lengths.add(lengths)
        return array.values.slice(first, last - first)

    def _add_structs(self, arrays: Sequence[Any]) -> None:
        fields = [array.flatten() for array in arrays]
        for index, digest in enumerate(self._fields):
            digest.add([values[index] for values in fields])

    def _add_texts(self, array: pa.Array, present: _Values | None) -> None:
        """Add byte lengths and bytes of the texts that are there."""
        array, lengths, first, last = _spans(array, present)
        self._lengths.add(lengths)
        if last > first:
            self._data.add(np.frombuffer(array.buffers()[2], np.uint8, last - first, first))

    def _add_scalars(self, array: pa.Array, present: _Values | None) -> None:
        """Add the numbers or bools that are there."""
        values = _bits(array, 1) if self.type == pa.bool_() else _numbers(array)
        values = values if present is None else _chosen(values, present)
        self._data.add(_with_one_nan(values) if values.dtype.kind == "f" else values)

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
        return blake3(b"".join(parts)).digest()


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
        digest.add(column.chunks)

    def digest(self, field: pa.Field, reread: Callable[[str], Iterable[pa.ChunkedArray]] = lambda _: ()) -> bytes:
        """The digest of a column of the final schema; `reread` yields its values as they were finally written."""
        digest = self._columns.get(field.name)
        if digest is not None and field.name not in self._stale and digest.type == plain_type(field.type):
            return digest.digest()
        digest = ColumnDigest(field.type)
        for column in reread(field.name):
            digest.add(column.chunks)
        return digest.digest()


def content_hash(columns: Sequence[tuple[str, pa.DataType, bytes]], rows: int) -> str:
    """Combine names, types and digests of the columns, in their order, into the hash of the content."""
    combined = blake3(_MAGIC + struct.pack("<Q", rows))
    for name, data_type, digest in columns:
        for text in (name, type_name(data_type)):
            encoded = text.encode()
            combined.update(struct.pack("<I", len(encoded)) + encoded)
        combined.update(digest)
    return f"blake3:{combined.hexdigest()}"


def _spans(array: Any, present: _Values | None) -> tuple[Any, _Values, int, int]:
    """The lengths of the texts or lists that are there, and where in the array's data they begin and end.

    Missing ones may have bytes or elements, which do not count: then the array that is given back is another one.
    """
    offsets = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)
    lengths, first, last = offsets[1:] - offsets[:-1], int(offsets[0]), int(offsets[-1])
    if present is not None:
        lengths = _chosen(lengths, present)
        if int(lengths.sum(dtype=np.int32)) != last - first:
            return _spans(array.drop_null(), None)
    return array, lengths, first, last


def _bits(array: pa.Array, buffer: int) -> _Values:
    """A buffer with a bit for each value, as a byte for each: 0 or 1."""
    bits = np.frombuffer(array.buffers()[buffer], np.uint8)
    first, skipped = divmod(array.offset, 8)
    last = (array.offset + len(array) + 7) // 8
    return np.unpackbits(bits[first:last], bitorder="little")[skipped : skipped + len(array)]


def _numbers(array: pa.Array) -> _Values:
    """The numbers of an array where they lie; anything stands in the place of a missing one."""
    width = np.dtype(array.type.to_pandas_dtype())
    return np.frombuffer(array.buffers()[1], width, len(array), array.offset * width.itemsize)


def _chosen(values: _Values, present: _Values) -> _Values:
    """The values that are there; `compress` is up to 6 times as fast as a subscript."""
    return values.compress(present.view(np.bool_))


def _with_one_nan(values: _Values) -> _Values:
    holes = np.isnan(values)
    return np.where(holes, values.dtype.type(np.nan), values) if holes.any() else values
