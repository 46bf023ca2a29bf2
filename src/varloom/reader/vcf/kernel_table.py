"""The kernel's side of a RecordTable: which of its columns the kernel fills, and its chunks as Arrow batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.reader.native.buffers import counting
from varloom.reader.native.vcf_layout import Layout
from varloom.reader.vcf.declaration import Arity, ValueType
from varloom.reader.vcf.decoders import FlagValue, Genotype, OneText
from varloom.reader.vcf.structural_rules import FIRST_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.reader.column_buffer import ColumnBuffer
    from varloom.reader.native.vcf_records import Chunk, ColumnData, Level
    from varloom.reader.vcf.decoders import Decoder
    from varloom.reader.vcf.fields import Field, GatheredField
    from varloom.reader.vcf.header import Header
    from varloom.reader.vcf.record_table import RecordTable

# The numbers of native/vcf_layout.pxd.
_TYPES = {ValueType.INTEGER: 0, ValueType.FLOAT: 1, ValueType.STRING: 2}
_FLAG, _GENOTYPE, _VERBATIM = 3, 4, 5
_ARITIES = {Arity.ONE: 0, Arity.ALTERNATE: 1, Arity.ALLELES: 2, Arity.GENOTYPES: 3, Arity.LIST: 4}
_FIXED_SLOTS = 10
_RECORD, _LINE = 0, 1


class KernelTable:
    """The layout of a table as it is now; made anew when the table gets another field.

    Attributes:
        layout: what the kernel parses by.
        fields: for each field of the layout the table's fields: one, or one for each sample.
    """

    def __init__(self, table: RecordTable, header: Header, version: int) -> None:
        self._table = table
        info = list(table.info.values())
        formats: Sequence[Sequence[Field | GatheredField]]
        if table.gathered:
            formats = [[field] for field in table.gathered_formats.values()]
        else:
            formats = list(table.formats.values())
        self.fields: list[Sequence[Field | GatheredField]] = [*([field] for field in info), *formats]
        self.layout = Layout(
            version,
            [_specification(field) for field in info],
            [_specification(fields[0]) for fields in formats],
            len(table.samples),
            table.gathered,
            header.columns,
            header.contigs,
            header.percent_encoded,
            header.minor_version >= FIRST_VERSION,
        )

    def batch(self, chunk: Chunk, *, rows: int, records: int, lines: int) -> pa.RecordBatch:
        """What the kernel wrote, in the table's order of columns.

        Columns that the table got after the layout was made are left out.

        Args:
            chunk: parsed by this layout; its columns are given away.
            rows: how many the file has before the chunk.
            records: likewise.
            lines: likewise.
        """
        count = chunk.rows
        fixed = self._table.fixed_columns
        arrays = [pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(counting(rows, count))])]
        for slot, column in enumerate(fixed[1:]):
            added = records if slot == _RECORD else lines if slot == _LINE else 0
            arrays.append(_array(column.type, count, chunk.column_data(slot, added)))
        written = self._written(chunk)
        names = [column.name for column in fixed]
        for buffer in self._table.buffer.columns:
            if buffer in written:
                names.append(buffer.column.name)
                arrays.append(self._fitted(buffer, written[buffer], count, arrays[1 + _LINE]))
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _written(self, chunk: Chunk) -> dict[ColumnBuffer, ColumnData | None]:
        """The data of each column of the layout; texts' columns only where there are texts."""
        written = {}
        for index, fields in enumerate(self.fields):
            stride = self.layout.stride_of(index)
            for sample, field in enumerate(fields):
                slot = self.layout.slot_of(index, sample)
                filled = field.buffers[0].default is False
                for which, buffer in enumerate(field.buffers):
                    written[buffer] = chunk.column_data(slot + which, 0, filled)
                texts = chunk.column_data(slot + stride - 1)
                if texts is not None:
                    written[self._table.text_buffer(field)] = texts
        return written

    def _fitted(self, buffer: ColumnBuffer, data: ColumnData | None, count: int, lines: pa.Array) -> pa.Array:
        """The array of a column, whose type widens if the data need it."""
        wide = data is not None and data[0]
        before = buffer.column
        if wide:
            buffer.widen()
        array = _array(buffer.column.type, count, data)
        if before.type != buffer.column.type:
            self._table.warn_wide(before, array, lines)
        return array


def _specification(field: Field | GatheredField) -> tuple[bytes, int, int, int]:
    """Key, type, arity and count of a field, as the layout takes them."""
    declaration = field.decl
    key = declaration.key.encode("utf-8", "surrogatepass")
    return key, _type_number(field.decoder, declaration.type), _ARITIES[declaration.arity], declaration.count or 0


def _type_number(decoder: Decoder, kind: ValueType) -> int:
    match decoder:
        case FlagValue():
            return _FLAG
        case Genotype():
            return _GENOTYPE
        case _ if kind is ValueType.STRING and decoder.suffixes == ("",) and _is_verbatim(decoder):
            return _VERBATIM
        case _:
            return _TYPES[kind]


def _is_verbatim(decoder: Decoder) -> bool:
    """Whether commas in the field's text mean nothing: it was never declared."""
    return not decoder.per_allele and not pa.types.is_list(decoder.type) and not isinstance(decoder, OneText)


def _array(data_type: pa.DataType, count: int, data: ColumnData | None) -> pa.Array:
    """An Arrow array over the kernel's buffers; all missing where there are none."""
    if data is None:
        return pa.nulls(count, data_type)
    wide, parts = data
    array = _nested(data_type, parts, wide=wide)
    return array if array.type == data_type else array.cast(data_type)


def _nested(data_type: pa.DataType, parts: list[Level], *, wide: bool) -> pa.Array:
    length, missing, validity, buffers = parts[0]
    found = [None if buffer is None else pa.py_buffer(buffer) for buffer in (validity, *buffers)]
    if len(parts) > 1:
        child = _nested(data_type.value_type, parts[1:], wide=wide)
        return pa.Array.from_buffers(pa.list_(child.type), length, found, missing, children=[child])
    if pa.types.is_integer(data_type):
        data_type = pa.int64() if wide else pa.int32()
    return pa.Array.from_buffers(data_type, length, found, missing)
