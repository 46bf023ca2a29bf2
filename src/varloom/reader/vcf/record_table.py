"""The table that the records of one VCF fill: fixed columns, INFO, samples, and what turns up undeclared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from varloom.errors import ErrorKind, Place, safe_excerpt
from varloom.reader.column_buffer import BatchBuffer, ColumnBuffer
from varloom.reader.column_names import ColumnNames
from varloom.reader.model import Column
from varloom.reader.problems import (
    VCF_FLAG_WITH_VALUE,
    VCF_KEY_DUPLICATE,
    VCF_KEY_UNDECLARED,
    VCF_RULE_BROKEN,
    VCF_TOO_MANY_KEYS,
    VCF_VALUE_COUNT,
    VCF_VALUE_MISSING,
    VCF_VALUE_NOT_OF_TYPE,
    refusal,
)
from varloom.reader.vcf.declaration import Arity, Declaration, ValueType
from varloom.reader.vcf.decoders import Decoder, OneValue, decoder_for
from varloom.reader.vcf.fields import Field, GatheredField
from varloom.reader.vcf.values import MisfitError, OddValueError, converters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.vcf.header import Header
    from varloom.reader.vcf.record import Spot

SAMPLES_AS_COLUMNS = 16
"""With more samples than this, each FORMAT field is one list column."""
CELL_BUDGET = 1_500_000
"""About how many cells a batch may have, so that wide tables stay within memory."""

UNDECLARED_LIMIT = 5_000
"""With more undeclared keys than this the file is refused: something is wrong with its separators."""
_LEAST_ROWS = 16
_VARLOOM = (("rowno", pa.int64()), ("record", pa.int64()), ("line", pa.int64()), ("allele", pa.int32()))
_FIXED = (
    ("contig", pa.string()),
    ("position", pa.int64()),
    ("id", pa.string()),
    ("ref", pa.string()),
    ("alt", pa.string()),
    ("qual", pa.float64()),
    ("filter", pa.string()),
)
_INFO_GROUP = 1
_SAMPLE_GROUP = 2


_LINE = 2


class RecordTable:
    """Buffers for all columns, and the fields by key.

    Attributes:
        buffer: the batch under construction; its fixed columns are those from rowno to filter.
        info: the INFO fields by key.
        formats: the FORMAT fields by key, one for each sample, unless they are gathered.
        gathered_formats: the FORMAT fields by key where they are gathered.
        gathered: whether FORMAT fields are list columns over all samples.
    """

    def __init__(self, header: Header, diagnosis: Diagnosis, batch_rows: int) -> None:
        self.diagnosis = diagnosis
        self.samples = header.samples
        self.gathered = len(self.samples) > SAMPLES_AS_COLUMNS
        self._batch_rows = batch_rows
        self._names = ColumnNames(diagnosis)
        self._convert = converters(percent_encoded=header.percent_encoded)
        self._undeclared = 0
        self._widened: set[str] = set()
        self._told_wide: set[str] = set()
        self.buffer = BatchBuffer(0)
        for name, kind in (*_VARLOOM, *_FIXED):
            origin = "varloom" if (name, kind) in _VARLOOM else "VCF"
            self.buffer.add_fixed(Column(self._names.claim(name), kind, origin))
        self.info: dict[str, Field] = {}
        self.formats: dict[str, list[Field]] = {}
        self.gathered_formats: dict[str, GatheredField] = {}
        for declaration in header.info.values():
            self.info[declaration.key] = self._info_field(declaration)
        if self.samples:
            for declaration in header.formats.values():
                self._add_format(declaration)
        self._name_texts([*self.info.values(), *self._format_fields()])

    @property
    def fields(self) -> int:
        """How many fields there are now: those of INFO and of FORMAT, whatever the number of samples."""
        return len(self.info) + len(self.gathered_formats if self.gathered else self.formats)

    @property
    def capacity(self) -> int:
        """How many rows a batch may have now."""
        weight = len(self.columns()) + len(self.gathered_formats) * len(self.samples)
        return max(1, min(self._batch_rows, max(_LEAST_ROWS, CELL_BUDGET // weight)))

    @property
    def fixed_columns(self) -> tuple[Column, ...]:
        """The columns from rowno to filter."""
        return self.columns()[: len(_VARLOOM) + len(_FIXED)]

    def claim_name(self, wanted: str) -> str:
        """A name for a column beside the table's own."""
        return self._names.claim(wanted)

    def columns(self) -> tuple[Column, ...]:
        """The columns as they are now."""
        return self.buffer.described()

    def take(self) -> pa.RecordBatch:
        """The rows so far, as a batch."""
        before = self.columns()
        batch = self.buffer.take(0)
        for index, column in enumerate(before):
            if column.type != batch.schema.field(index).type or column.name in self._widened:
                self.warn_wide(column, batch.column(index), batch.column(_LINE))
        self._widened.clear()
        return batch

    def warn_wide(self, column: Column, values: pa.Array, lines: pa.Array) -> None:
        """Warn that a column became 64 bits wide, as some of its values need: VCF gives integers 32.

        Both parsers' rows of a chunk are to be looked at, as the first line counts; the warning is counted once.
        """
        self._widened.add(column.name)
        row = next((row for row, value in enumerate(values.to_pylist()) if _is_wide(value)), None)
        if row is not None:
            place = Place(line=lines[row].as_py(), field=column.name)
            message = f"{column.name} has numbers beyond 32 bits, which VCF does not allow; they are kept."
            known = column.name in self._told_wide
            self.diagnosis.warn(VCF_RULE_BROKEN, column.name, message, place, 0 if known else 1)
            self._told_wide.add(column.name)

    # --- fields ---------------------------------------------------------------------------------------------------

    def undeclared_info(self, key: str, *, bare: bool, line: int) -> Field:
        """A new field for an INFO key that the header does not declare: a flag if it comes bare, else text."""
        self._warn_undeclared("INFO", key, line)
        kind = ValueType.FLAG if bare else ValueType.STRING
        declaration = Declaration("INFO", key, kind, Arity.ONE, declared=False)
        field = self._info_field(declaration, None if bare else self._verbatim())
        self.info[key] = field
        self._name_texts([field])
        return field

    def sample_fields(self, key: str, line: int) -> list[Field]:
        """The fields of a FORMAT key, one for each sample."""
        if key not in self.formats:
            self._undeclared_format(key, line)
        return self.formats[key]

    def gathered_field(self, key: str, line: int) -> GatheredField:
        """The field of a FORMAT key over all samples."""
        if key not in self.gathered_formats:
            self._undeclared_format(key, line)
        return self.gathered_formats[key]

    def _undeclared_format(self, key: str, line: int) -> None:
        self._warn_undeclared("FORMAT", key, line)
        declaration = Declaration("FORMAT", key, ValueType.STRING, Arity.ONE, declared=False)
        self._add_format(declaration, None if key == "GT" else self._verbatim())
        self._name_texts([self.gathered_formats[key]] if self.gathered else self.formats[key])

    def _warn_undeclared(self, kind: str, key: str, line: int) -> None:
        shown = safe_excerpt(key, 40)
        self._undeclared += 1
        if self._undeclared > UNDECLARED_LIMIT:
            raise refusal(
                VCF_TOO_MANY_KEYS,
                f"INFO and FORMAT have more than {UNDECLARED_LIMIT:,} keys that the header does not declare; "
                f"the next one is {shown!r}.",
                Place(line=line, field=f"{kind}.{shown}"),
            )
        self.diagnosis.warn(
            VCF_KEY_UNDECLARED,
            f"{kind}.{key}",
            f"{kind} {shown} is not declared in the header; it is kept as text.",
            Place(line=line, field=f"{kind}.{shown}"),
        )

    def _verbatim(self) -> Decoder:
        return OneValue(ValueType.STRING, self._convert[ValueType.STRING])

    def _info_field(self, declaration: Declaration, decoder: Decoder | None = None) -> Field:
        decoder = decoder or decoder_for(declaration, self._convert)
        order = (_INFO_GROUP, len(self.info))
        return Field(declaration, decoder, self._buffers("INFO", declaration, decoder, order), order=order)

    def _add_format(self, declaration: Declaration, decoder: Decoder | None = None) -> None:
        decoder = decoder or decoder_for(declaration, self._convert)
        if self.gathered:
            order: tuple[int, ...] = (_SAMPLE_GROUP, len(self.gathered_formats))
            buffers = self._buffers("FORMAT", declaration, decoder, order)
            self.gathered_formats[declaration.key] = GatheredField(
                declaration, decoder, buffers, order=order, samples=len(self.samples)
            )
            return
        fields = []
        for index, sample in enumerate(self.samples):
            order = (_SAMPLE_GROUP + index, len(self.formats))
            buffers = self._buffers(sample, declaration, decoder, order, sample)
            fields.append(Field(declaration, decoder, buffers, order=order, sample=sample))
        self.formats[declaration.key] = fields

    def _format_fields(self) -> Iterator[Field | GatheredField]:
        yield from self.gathered_formats.values()
        for fields in self.formats.values():
            yield from fields

    def _name_texts(self, fields: Iterable[Field | GatheredField]) -> None:
        """Set names aside for columns of texts, so that they do not depend on which of them is needed first."""
        for field in fields:
            field.text_name = self._names.reserve(_text_name(field))

    def _buffers(
        self,
        prefix: str,
        declaration: Declaration,
        decoder: Decoder,
        order: tuple[int, ...],
        sample: str | None = None,
    ) -> list[ColumnBuffer]:
        kind = pa.list_(decoder.type) if prefix == "FORMAT" and self.gathered else decoder.type
        return [
            self.buffer.add(
                Column(
                    self._names.claim(f"{prefix}.{declaration.key}{suffix}"),
                    kind,
                    declaration.kind,
                    declaration.description,
                    sample,
                    declaration.key,
                ),
                (*order, index),
                default=False if declaration.type is ValueType.FLAG and declaration.declared else None,
            )
            for index, suffix in enumerate(decoder.suffixes)
        ]

    # --- texts that do not fit --------------------------------------------------------------------------------------

    def note_trouble(
        self,
        field: Field | GatheredField,
        trouble: OddValueError | MisfitError,
        text: str,
        line: int,
        *,
        label: str,
        count: int = 1,
    ) -> None:
        """Warn of a value, met `count` times, that breaks a rule but was written, or that did not fit.

        The text of one that did not fit must be kept by the caller.
        """
        if isinstance(trouble, OddValueError):
            kind, message = trouble.kind, f"{label} {safe_excerpt(text, 60)!r} {trouble.reason}."
        else:
            kind, message = self._misfit_message(field, trouble, text, label)
        place = Place(line=line, field=label, excerpt=safe_excerpt(text))
        self.diagnosis.warn(kind, f"{field.decl.kind}.{field.decl.key}", message, place, count)

    def _misfit_message(
        self, field: Field | GatheredField, misfit: MisfitError, text: str, label: str
    ) -> tuple[ErrorKind, str]:
        shown, declared = safe_excerpt(text, 60), field.decl
        if declared.type is ValueType.FLAG:
            kind, what = VCF_FLAG_WITH_VALUE, f"is a Flag but has the value {shown!r}"
        elif misfit.count:
            kind = VCF_VALUE_COUNT
            what = f"{shown!r} does not have as many values as Number={declared.arity} asks for"
        else:
            kind, what = VCF_VALUE_NOT_OF_TYPE, f"{shown!r} is not of Type={declared.type}"
        return kind, f"{label} {what}; the text is kept in {self.text_buffer(field).column.name}."

    def warn_bare(self, field: Field, line: int, count: int = 1) -> None:
        """Warn of a key that stands without the value that its declaration asks for, `count` times."""
        self.diagnosis.warn(
            VCF_VALUE_MISSING,
            field.label,
            f"{field.label} stands without a value; its _text column marks these records with an empty text.",
            Place(line=line, column=8, field=field.label),
            count,
        )

    def put_troubled(self, field: Field, trouble: OddValueError | MisfitError, spot: Spot, text: str) -> None:
        """Write a value that is odd, or keep the text of one that does not fit; either with a warning."""
        if isinstance(trouble, OddValueError):
            field.put_value(spot.row, spot.shape, value=trouble.value)
        else:
            if field.decl.type is ValueType.FLAG:
                field.put_value(spot.row, spot.shape, value=True)
            self.keep_text(field, spot, text)
        self.note_trouble(field, trouble, text, spot.line, label=field.label)

    def warn_repeated(self, label: str, line: int, excerpt: str) -> None:
        """Warn that a record has a key more than once."""
        self.diagnosis.warn(
            VCF_KEY_DUPLICATE,
            label,
            f"{label} stands more than once in a record; the first counts, all are kept in its _text column.",
            Place(line=line, field=label, excerpt=safe_excerpt(excerpt)),
        )

    def has_gathered_text(self, field: GatheredField, spot: Spot, index: int) -> bool:
        """Whether a text of this record and sample was kept already."""
        cells = field.text.cells[spot.row] if field.text is not None else None
        return cells is not None and cells[index] is not None

    def keep_text(self, field: Field, spot: Spot, text: str) -> None:
        """Keep the text of a record's field in its `_text` column, after what is there for the same record."""
        cells = self.text_buffer(field).cells
        before = cells[spot.row]
        kept = text if before is None else f"{before};{text}"
        cells[spot.row : spot.row + spot.shape.rows] = [kept] * spot.shape.rows

    def replace_text(self, field: Field, spot: Spot, text: str) -> None:
        """Keep the text of a record's field in its `_text` column, in place of what is there for the same record."""
        self.text_buffer(field).cells[spot.row : spot.row + spot.shape.rows] = [text] * spot.shape.rows

    def keep_gathered_text(self, field: GatheredField, spot: Spot, index: int, text: str) -> None:
        """Keep the text of one sample's field in the list of the `_text` column."""
        cells = self.text_buffer(field).cells
        kept: list[Any] = cells[spot.row] or [None] * field.samples
        kept[index] = text if kept[index] is None else f"{kept[index]};{text}"
        cells[spot.row : spot.row + spot.shape.rows] = [kept] * spot.shape.rows

    def text_buffer(self, field: Field | GatheredField) -> ColumnBuffer:
        """The `_text` column of a field; made when it is first asked for."""
        if field.text is None:
            first = field.buffers[0].column
            self._names.tell(_text_name(field), field.text_name)
            kind = pa.list_(pa.string()) if isinstance(field, GatheredField) else pa.string()
            column = Column(
                field.text_name,
                kind,
                first.origin,
                f"Texts of {field.label} that its column cannot hold",
                first.sample,
                first.field,
            )
            field.text = self.buffer.add(column, (*field.order, 9))
        return field.text


def _text_name(field: Field | GatheredField) -> str:
    return f"{field.sample or field.decl.kind}.{field.decl.key}_text"


def _is_wide(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_wide, value))
    return value is not None and not -(2**31) <= value < 2**31
