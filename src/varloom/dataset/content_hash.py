"""The content hash: the same for the same schema and values, whatever the layout of the files.

docs/reference/dataset-format.md defines it so that an independent program can recompute it. Values go into running
BLAKE3 states in row order, so batch borders, row groups, compression and encodings leave no trace. Native code puts
them together first, all of a column in a table: BLAKE3 needs 256 KiB in a row to be fast.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pyarrow as pa
from blake3 import blake3

from varloom.dataset.arrow_columns import batches_of
from varloom.dataset.column_types import is_list, is_struct, plain_type, type_name
from varloom.dataset.native.present_values import PresentValues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MAGIC = b"varloom content 1\n"
_REPEATED = (bytes(1 << 18), b"\1" * (1 << 18))


class _Presence:
    """Which values are there: a byte for each, or no bytes at all if none is missing."""

    def __init__(self) -> None:
        self._state = blake3()
        self._before_first_missing = 0
        self._some_missing = False

    def add(self, values: PresentValues) -> None:
        """Add which of these are there."""
        presence = values.presence()
        if presence is not None:
            self._begin()
            self._state.update(presence)
        elif self._some_missing:
            self._add_repeated(1, values.slots)
        else:
            self._before_first_missing += values.slots

    def add_missing(self, count: int) -> None:
        """Add `count` missing values."""
        if count:
            self._begin()
            self._add_repeated(0, count)

    def digest(self) -> bytes:
        """The 32 bytes for everything added so far."""
        return self._state.digest()

    def _begin(self) -> None:
        if not self._some_missing:
            self._some_missing = True
            self._add_repeated(1, self._before_first_missing)

    def _add_repeated(self, byte: int, count: int) -> None:
        while count > 0:
            piece = _REPEATED[byte][:count]
            self._state.update(piece)
            count -= len(piece)


class ColumnDigest:
    """The running digest of one column, or of the elements of a list column, or of a field of structs."""

    def __init__(self, data_type: pa.DataType) -> None:
        self.type = plain_type(data_type)
        self._presence = _Presence()
        self._lengths = blake3()
        self._data = blake3()
        self._elements = ColumnDigest(self.type.value_type) if is_list(self.type) else None
        self._fields = [ColumnDigest(field.type) for field in self.type] if is_struct(self.type) else []

    def add_missing(self, count: int) -> None:
        """Add `count` missing values."""
        self._presence.add_missing(count)

    def add(self, values: PresentValues) -> None:
        """Add values whose type is the column's."""
        self._presence.add(values)
        if self._elements is not None:
            self._lengths.update(values.lengths())
            self._elements.add(values.elements())
        elif self._fields:
            for number, digest in enumerate(self._fields):
                digest.add(values.field(number))
        elif self.type == pa.string():
            self._lengths.update(values.lengths())
            self._data.update(values.texts())
        elif self.type == pa.bool_():
            self._data.update(values.bools())
        else:
            self._data.update(values.numbers(self.type.bit_width // 8, bool(pa.types.is_floating(self.type))))

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
        batches = batches_of(table)
        for index, field in enumerate(table.schema):
            self._add_column(field, PresentValues(batches, index))
        for name in self._columns.keys() - set(table.column_names):
            self._columns[name].add_missing(table.num_rows)
        self._rows += table.num_rows

    def _add_column(self, field: pa.Field, values: PresentValues) -> None:
        if field.name in self._stale:
            return
        digest = self._columns.get(field.name)
        if digest is None:
            digest = self._columns[field.name] = ColumnDigest(field.type)
            digest.add_missing(self._rows)
        if digest.type != plain_type(field.type):
            self._stale.add(field.name)
            return
        digest.add(values)

    def digest(self, field: pa.Field, reread: Callable[[str], Iterable[pa.ChunkedArray]] = lambda _: ()) -> bytes:
        """The digest of a column of the final schema; `reread` yields its values as they were finally written."""
        digest = self._columns.get(field.name)
        if digest is not None and field.name not in self._stale and digest.type == plain_type(field.type):
            return digest.digest()
        digest = ColumnDigest(field.type)
        for column in reread(field.name):
            digest.add(values_of(column))
        return digest.digest()


def values_of(column: pa.ChunkedArray) -> PresentValues:
    """All values of a column."""
    return PresentValues(batches_of(pa.table([column], names=[""])), 0)


def content_hash(columns: Sequence[tuple[str, pa.DataType, bytes]], rows: int) -> str:
    """Combine names, types and digests of the columns, in their order, into the hash of the content."""
    combined = blake3(_MAGIC + struct.pack("<Q", rows))
    for name, data_type, digest in columns:
        for text in (name, type_name(data_type)):
            encoded = text.encode()
            combined.update(struct.pack("<I", len(encoded)) + encoded)
        combined.update(digest)
    return f"blake3:{combined.hexdigest()}"
