"""One data line after another into the table; faults are noted with line, column and field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import ErrorKind, Place, counted, safe_excerpt
from varloom.reader.problems import (
    LINE_TOO_LONG,
    VCF_ALT_INVALID,
    VCF_COLUMN_COUNT,
    VCF_CONTIG_INVALID,
    VCF_FIELD_EMPTY,
    VCF_HEADER_LINE_AMONG_RECORDS,
    VCF_POSITION_INVALID,
    VCF_QUALITY_INVALID,
    VCF_REF_INVALID,
)
from varloom.reader.vcf.alleles import split_alleles
from varloom.reader.vcf.header import FIXED_COLUMNS, Header
from varloom.reader.vcf.info_parser import InfoParser
from varloom.reader.vcf.record import FixedFields, Spot
from varloom.reader.vcf.sample_parser import GatheredSampleParser, SampleParser
from varloom.reader.vcf.structural_rules import StructuralRules
from varloom.reader.vcf.values import MisfitError, is_number, to_float

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.vcf.record_rules import RecordRules
    from varloom.reader.vcf.record_table import RecordTable

_EXPANDED_LIMIT = 1 << 30
"""The most characters that all rows of one record may have; a column of one batch holds twice as many bytes."""
_SAFE_DIGITS = 18
"""So many digits always fit into 64 bits."""


class RecordParser:
    """The careful parser: fills a RecordTable with the lines that the kernel leaves alone, and words their faults.

    `records` and `variants` count what was written; whoever lets the kernel read other lines sets them right.
    """

    def __init__(self, header: Header, table: RecordTable, rules: RecordRules, diagnosis: Diagnosis) -> None:
        self.records = 0
        self.variants = 0
        self._columns = header.columns
        self._unnamed_samples = header.unnamed_samples
        self._buffer = table.buffer
        self._diagnosis = diagnosis
        self._info = InfoParser(table, diagnosis)
        self._samples = (GatheredSampleParser if table.gathered else SampleParser)(table, diagnosis)
        self._rules = rules
        self._structural = StructuralRules(header, diagnosis)

    def parse(self, line: int, text: str) -> None:
        """Write one data line, or note why it cannot be."""
        cells = text.split("\t")
        if len(cells) != self._columns or text[0] == "#":
            self._wrong_count(line, text, len(cells))
            return
        errors = len(self._diagnosis.errors)
        fixed = self._fixed_fields(line, cells, text)
        if len(self._diagnosis.errors) > errors:
            return
        spot = self._write(line, fixed)
        if cells[7] != ".":
            self._info.parse(spot, cells[7])
        if self._columns > 9:
            self._samples.parse(spot, cells)
        self._rules.check_texts(line, fixed)
        if self._structural.apply:
            self._structural.check(line, cells)

    def _fixed_fields(self, line: int, cells: list[str], text: str) -> FixedFields:
        contig, position, identifier, ref, alt, quality, filters = cells[:7]
        if not contig:
            self._error(VCF_CONTIG_INVALID, "CHROM is empty.", line, 1, text)
        if not ref:
            self._error(VCF_REF_INVALID, "REF is empty; it must hold the reference bases.", line, 4, text)
        if alt.startswith(",") or alt.endswith(",") or ",," in alt:
            self._error(VCF_ALT_INVALID, "ALT has an empty allele between its commas.", line, 5, text)
        if "," in alt and (alt.count(",") + 1) * (len(text) - len(alt)) > _EXPANDED_LIMIT:
            message = f"The line has {len(text):,} characters, too many for {alt.count(',') + 1:,} ALT alleles."
            self._error(LINE_TOO_LONG, message, line, 5, text)
        return FixedFields(
            contig,
            self._position(line, position, text),
            identifier or self._empty(line, 3),
            ref,
            alt or self._empty(line, 5),
            self._quality(line, quality, text),
            filters or self._empty(line, 7),
        )

    def _write(self, line: int, fixed: FixedFields) -> Spot:
        """Write the fixed columns of all rows of a record."""
        shape, alternates = split_alleles(fixed.alt)
        buffer = self._buffer
        row = buffer.rows
        if row + shape.rows > buffer.capacity:
            buffer.grow(row + shape.rows)
        self.records += 1
        identifier = None if fixed.identifier == "." else fixed.identifier
        filters = None if fixed.filters == "." else fixed.filters
        for allele, alternate in zip(shape.kept, alternates, strict=True):
            buffer.fixed.append(
                (
                    self.variants,
                    self.records,
                    line,
                    allele,
                    fixed.contig,
                    fixed.position,
                    identifier,
                    fixed.ref,
                    alternate,
                    fixed.quality,
                    filters,
                )
            )
            self.variants += 1
        buffer.rows = row + shape.rows
        return Spot(line, row, shape)

    def _position(self, line: int, text: str, record: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= _SAFE_DIGITS:
            return int(text)
        message = f"POS must be a whole number of 0 or more, but it is {safe_excerpt(text, 40)!r}."
        self._error(VCF_POSITION_INVALID, message, line, 2, record)
        return 0

    def _quality(self, line: int, text: str, record: str) -> float | None:
        try:
            return to_float(text or self._empty(line, 6))
        except MisfitError:
            shown = repr(safe_excerpt(text, 40))
            if is_number(text):
                message = f"QUAL must be a number that 64-bit floats can hold, or a dot, but it is {shown}."
            else:
                message = f"QUAL must be a number or a dot, but it is {shown}."
            self._error(VCF_QUALITY_INVALID, message, line, 6, record)
            return None

    def _empty(self, line: int, column: int) -> str:
        """Warn of an empty cell; gives the dot that it should have been."""
        name = FIXED_COLUMNS[column - 1]
        place = Place(line=line, column=column, field=name)
        self._diagnosis.warn(VCF_FIELD_EMPTY, name, f"{name} is empty; it was read as missing.", place)
        return "."

    def _wrong_count(self, line: int, text: str, found: int) -> None:
        if text.startswith("#"):
            message = f"Line {line:,} starts with # but stands after the #CHROM line."
            place = Place(line=line, excerpt=safe_excerpt(text))
            self._diagnosis.error(VCF_HEADER_LINE_AMONG_RECORDS, message, place)
            return
        hint = ""
        if found == 1 and len(text.split()) >= 8:
            hint = " Its words seem to be separated by spaces."
        elif self._unnamed_samples and found == self._columns - 1:
            hint = " The #CHROM line ends with a tab, which counts as one more column: remove it."
        self._diagnosis.error(
            VCF_COLUMN_COUNT,
            f"The line has {counted(found, 'tab-separated column')} where the #CHROM line has {self._columns:,}.{hint}",
            Place(line=line, column=min(found, self._columns) + 1, excerpt=safe_excerpt(text)),
        )

    def _error(self, kind: ErrorKind, message: str, line: int, column: int, text: str) -> None:
        place = Place(line=line, column=column, field=FIXED_COLUMNS[column - 1], excerpt=safe_excerpt(text))
        self._diagnosis.error(kind, message, place)
