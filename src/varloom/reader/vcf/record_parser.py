"""One data line after another into the table; faults are noted with line, column and field."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from varloom.errors import ErrorKind, Place, safe_excerpt
from varloom.reader.diagnosis import Diagnosis
from varloom.reader.problems import (
    VCF_ALT_INVALID,
    VCF_COLUMN_COUNT,
    VCF_CONTIG_INVALID,
    VCF_FIELD_EMPTY,
    VCF_FORMAT_KEY_EMPTY,
    VCF_HEADER_LINE_AMONG_RECORDS,
    VCF_INFO_KEY_EMPTY,
    VCF_KEY_DUPLICATE,
    VCF_POSITION_INVALID,
    VCF_QUALITY_INVALID,
    VCF_REF_INVALID,
    VCF_SAMPLE_VALUES,
    VCF_VALUE_MISSING,
)
from varloom.reader.vcf.alleles import AlleleShape, split_alleles
from varloom.reader.vcf.declaration import ValueType
from varloom.reader.vcf.fields import Field, GatheredField
from varloom.reader.vcf.header import FIXED_COLUMNS, Header
from varloom.reader.vcf.record_rules import RecordRules
from varloom.reader.vcf.record_table import RecordTable
from varloom.reader.vcf.values import MisfitError, OddValueError, to_float

_INT64_DIGITS = 18


class RecordParser:
    """Fills a RecordTable; `records` and `variants` count what was written."""

    def __init__(self, header: Header, table: RecordTable, diagnosis: Diagnosis) -> None:
        self.records = 0
        self.variants = 0
        self._columns = header.columns
        self._samples = header.samples
        self._unnamed = header.unnamed_samples
        self._table = table
        self._diagnosis = diagnosis
        self._rules = RecordRules(header, diagnosis)
        self._layouts: dict[str, list[list[Field]]] = {}
        self._gathered_layouts: dict[str, list[GatheredField]] = {}

    @property
    def contigs(self) -> tuple[str, ...]:
        """The contigs met so far, in order."""
        return self._rules.contigs

    def parse(self, line: int, text: str) -> None:
        """Write one data line, or note why it cannot be."""
        cells = text.split("\t")
        if len(cells) != self._columns:
            self._wrong_count(line, text, len(cells))
            return
        errors = len(self._diagnosis.errors)
        contig, position_text, identifier, ref, alt, quality_text, filters, info = cells[:8]
        position = self._position(line, position_text, text)
        quality = self._quality(line, quality_text, text)
        if not contig or not ref or alt.startswith(",") or alt.endswith(",") or ",," in alt:
            self._empty_cell(line, text, contig, ref)
        if not alt:
            alt = self._missing(line, 5)
        if len(self._diagnosis.errors) > errors:
            return
        shape, alternates = split_alleles(alt)
        row = self._write_fixed(line, shape, alternates, contig, position, identifier, ref, quality, filters)
        if info != ".":
            self._info(line, row, shape, info)
        if self._columns > 9:
            self._genotypes(line, row, shape, cells)
        if len(self._diagnosis.errors) == errors:
            self._rules.check(line, contig, position, identifier, ref, alt, filters, quality)

    # --- fixed columns --------------------------------------------------------------------------------------------

    def _write_fixed(
        self,
        line: int,
        shape: AlleleShape,
        alternates: list[str | None],
        contig: str,
        position: int,
        identifier: str,
        ref: str,
        quality: float | None,
        filters: str,
    ) -> int:
        table = self._table.buffer
        row, rows = table.rows, shape.rows
        if row + rows > table.capacity:
            table.grow(row + rows)
        if not identifier:
            identifier = self._missing(line, 3)
        if not filters:
            filters = self._missing(line, 7)
        self.records += 1
        shared_id = None if identifier == "." else identifier
        shared_filter = None if filters == "." else filters
        for allele, alternate in zip(shape.kept, alternates, strict=True):
            table.fixed.append(
                (
                    self.variants,
                    self.records,
                    line,
                    allele,
                    contig,
                    position,
                    shared_id,
                    ref,
                    alternate,
                    quality,
                    shared_filter,
                )
            )
            self.variants += 1
        table.rows = row + rows
        return row

    def _position(self, line: int, text: str, record: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= _INT64_DIGITS:
            return int(text)
        self._error(
            VCF_POSITION_INVALID,
            f"POS must be a whole number of 0 or more, but it is {safe_excerpt(text, 40)!r}.",
            line,
            2,
            record,
        )
        return 0

    def _quality(self, line: int, text: str, record: str) -> float | None:
        if text == ".":
            return None
        if not text:
            self._missing(line, 6)
            return None
        try:
            return to_float(text)
        except MisfitError:
            message = f"QUAL must be a number or a dot, but it is {safe_excerpt(text, 40)!r}."
            self._error(VCF_QUALITY_INVALID, message, line, 6, record)
            return None

    def _empty_cell(self, line: int, text: str, contig: str, ref: str) -> None:
        if not contig:
            self._error(VCF_CONTIG_INVALID, "CHROM is empty.", line, 1, text)
        elif not ref:
            self._error(VCF_REF_INVALID, "REF is empty; it must hold the reference bases.", line, 4, text)
        else:
            self._error(VCF_ALT_INVALID, "ALT has an empty allele between its commas.", line, 5, text)

    def _missing(self, line: int, column: int) -> str:
        name = FIXED_COLUMNS[column - 1]
        self._diagnosis.warn(
            VCF_FIELD_EMPTY,
            name,
            f"{name} is empty; it was read as missing.",
            Place(line=line, column=column, field=name),
        )
        return "."

    def _wrong_count(self, line: int, text: str, found: int) -> None:
        if text.startswith("#"):
            self._diagnosis.error(
                VCF_HEADER_LINE_AMONG_RECORDS,
                f"Line {line:,} starts with # but stands after the #CHROM line.",
                Place(line=line, excerpt=safe_excerpt(text)),
            )
            return
        hint = ""
        if found == 1 and len(text.split()) >= 8:
            hint = " Its words seem to be separated by spaces."
        elif self._unnamed and found == self._columns - 1:
            hint = " The #CHROM line ends with a tab, which counts as one more column: remove it."
        self._diagnosis.error(
            VCF_COLUMN_COUNT,
            f"The line has {found:,} tab-separated columns where the #CHROM line has {self._columns:,}.{hint}",
            Place(line=line, column=min(found, self._columns) + 1, excerpt=safe_excerpt(text)),
        )

    def _error(self, kind: ErrorKind, message: str, line: int, column: int, text: str) -> None:
        field = FIXED_COLUMNS[column - 1] if column <= 8 else "FORMAT"
        self._diagnosis.error(kind, message, Place(line=line, column=column, field=field, excerpt=safe_excerpt(text)))

    # --- INFO -----------------------------------------------------------------------------------------------------

    def _info(self, line: int, row: int, shape: AlleleShape, info: str) -> None:
        fields = self._table.info
        for entry in info.split(";"):
            key, equals, text = entry.partition("=")
            field = fields.get(key)
            if field is None:
                if not key:
                    self._info_without_key(line, entry, info)
                    continue
                field = self._table.undeclared_info(key, bare=not equals, line=line)
            if field.last_line == line:
                self._repeated(field, line, row, shape, text, info)
                continue
            field.last_line = line
            if not equals:
                self._put_bare(field, line, row, shape)
                continue
            try:
                field.put(row, shape, text)
            except (OddValueError, MisfitError) as trouble:
                self._put_troubled(field, trouble, line, row, shape, text)

    def _put_troubled(
        self,
        field: Field,
        trouble: OddValueError | MisfitError,
        line: int,
        row: int,
        shape: AlleleShape,
        text: str,
    ) -> None:
        if isinstance(trouble, OddValueError):
            field.put_value(row, shape, trouble.value)
            self._table.note_odd(field, trouble, text, line, field.label)
            return
        if field.decl.type is ValueType.FLAG:
            field.put_value(row, shape, True)
        self._table.keep_text(field, row, shape, text)
        self._table.note_misfit(field, trouble, text, line, field.label)

    def _put_bare(self, field: Field, line: int, row: int, shape: AlleleShape) -> None:
        if field.decl.type is ValueType.FLAG:
            field.put_value(row, shape, True)
            return
        self._table.keep_text(field, row, shape, "")
        self._diagnosis.warn(
            VCF_VALUE_MISSING,
            field.label,
            f"{field.label} stands without a value; its _text column marks these records with an empty text.",
            Place(line=line, column=8, field=field.label),
        )

    def _repeated(self, field: Field, line: int, row: int, shape: AlleleShape, text: str, whole: str) -> None:
        separator, key = (";", field.decl.key)
        if field.text is None or field.text.cells[row] is None:
            first = next(entry for entry in whole.split(separator) if entry.partition("=")[0] == key)
            self._table.keep_text(field, row, shape, first.partition("=")[2])
        self._table.keep_text(field, row, shape, text)
        self._warn_repeated(line, field.label, whole)

    def _warn_repeated(self, line: int, label: str, excerpt: str) -> None:
        self._diagnosis.warn(
            VCF_KEY_DUPLICATE,
            label,
            f"{label} stands more than once in a record; the first counts, all are kept in its _text column.",
            Place(line=line, field=label, excerpt=safe_excerpt(excerpt)),
        )

    def _info_without_key(self, line: int, entry: str, info: str) -> None:
        if entry:
            message = f"INFO has the value {safe_excerpt(entry, 40)!r} without a key."
            self._error(VCF_INFO_KEY_EMPTY, message, line, 8, info)
            return
        self._diagnosis.warn(
            VCF_FIELD_EMPTY,
            "INFO",
            "INFO has an empty entry between its semicolons, or is empty.",
            Place(line=line, column=8, field="INFO", excerpt=safe_excerpt(info)),
        )

    # --- FORMAT and samples ---------------------------------------------------------------------------------------

    def _genotypes(self, line: int, row: int, shape: AlleleShape, cells: list[str]) -> None:
        keys = cells[8]
        if keys == "." or not keys:
            self._without_format(line, cells)
        elif self._table.gathered:
            self._gathered(line, row, shape, keys, cells)
        else:
            self._separate(line, row, shape, keys, cells)

    def _without_format(self, line: int, cells: list[str]) -> None:
        for index, cell in enumerate(cells[9:]):
            if cell not in {".", ""}:
                self._too_many_values(line, index, cell, 0)

    def _separate(self, line: int, row: int, shape: AlleleShape, keys: str, cells: list[str]) -> None:
        layout = self._layouts.get(keys)
        if layout is None:
            layout = self._layout(line, keys)
        for index, fields in enumerate(layout):
            cell = cells[9 + index]
            if cell == ".":
                continue
            texts = cell.split(":")
            if len(texts) > len(fields):
                self._too_many_values(line, index, cell, len(fields))
                continue
            for field, text in zip(fields, texts, strict=False):
                if text == ".":
                    continue
                if field.last_line == line:
                    self._repeated_value(field, line, row, shape, text, fields, texts)
                    continue
                field.last_line = line
                try:
                    field.put(row, shape, text)
                except (OddValueError, MisfitError) as trouble:
                    self._put_troubled(field, trouble, line, row, shape, text)

    def _repeated_value(
        self,
        field: Field,
        line: int,
        row: int,
        shape: AlleleShape,
        text: str,
        fields: list[Field],
        texts: list[str],
    ) -> None:
        if field.text is None or field.text.cells[row] is None:
            self._table.keep_text(field, row, shape, texts[fields.index(field)])
        self._table.keep_text(field, row, shape, text)
        self._warn_repeated(line, field.label, ":".join(texts))

    def _layout(self, line: int, keys: str) -> list[list[Field]]:
        by_key = [self._table.sample_fields(key, line) for key in self._keys(line, keys)]
        layout = [[fields[index] for fields in by_key] for index in range(len(self._samples))]
        self._layouts[keys] = layout
        return layout

    def _keys(self, line: int, keys: str) -> list[str]:
        names = keys.split(":")
        if not all(names):
            self._error(VCF_FORMAT_KEY_EMPTY, "FORMAT has an empty key between its colons.", line, 9, keys)
            return [name for name in names if name]
        return names

    def _gathered(self, line: int, row: int, shape: AlleleShape, keys: str, cells: list[str]) -> None:
        layout = self._gathered_layouts.get(keys)
        if layout is None:
            layout = [self._table.gathered_field(key, line) for key in self._keys(line, keys)]
            self._gathered_layouts[keys] = layout
        by_key = self._split_samples(line, cells[9:], len(layout))
        done: set[str] = set()
        for field, values in zip(layout, by_key, strict=False):
            if field.decl.key in done:
                self._repeated_gathered(field, line, row, shape, values)
                continue
            done.add(field.decl.key)
            self._put_gathered(field, line, row, shape, values)

    def _split_samples(self, line: int, cells: list[str], keys: int) -> list[Sequence[str | None]]:
        """The texts of all samples for each key; None where a sample leaves trailing ones out."""
        if keys == 1 and ":" not in "".join(cells):
            return [cells]
        split = [cell.split(":") for cell in cells]
        for index, texts in enumerate(split):
            if len(texts) > keys:
                self._too_many_values(line, index, cells[index], keys)
        return list(zip_longest(*split))

    def _put_gathered(
        self, field: GatheredField, line: int, row: int, shape: AlleleShape, values: Sequence[str | None]
    ) -> None:
        for index, exception in field.put_all(row, shape, values):
            text = values[index] or ""
            label = f"{self._samples[index]}.{field.decl.key}"
            if isinstance(exception, OddValueError):
                self._table.note_odd(field, exception, text, line, label)
            else:
                self._table.keep_gathered_text(field, row, shape, index, text)
                self._table.note_misfit(field, exception, text, line, label)

    def _repeated_gathered(
        self, field: GatheredField, line: int, row: int, shape: AlleleShape, values: Sequence[str | None]
    ) -> None:
        for index, text in enumerate(values):
            if text is not None and text != ".":
                self._table.keep_gathered_text(field, row, shape, index, text)
        self._warn_repeated(line, field.label, field.decl.key)

    def _too_many_values(self, line: int, index: int, cell: str, keys: int) -> None:
        sample = self._samples[index]
        self._diagnosis.error(
            VCF_SAMPLE_VALUES,
            f"Sample {safe_excerpt(sample, 40)} has {cell.count(':') + 1:,} values where FORMAT has {keys:,} keys.",
            Place(line=line, column=10 + index, field=safe_excerpt(sample, 40), excerpt=safe_excerpt(cell)),
        )
