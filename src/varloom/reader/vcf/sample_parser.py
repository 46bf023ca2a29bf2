"""FORMAT and the sample columns of a record into the table: a column for each sample, or lists over all samples."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from varloom.errors import Place, counted, safe_excerpt
from varloom.reader.problems import VCF_FORMAT_KEY_EMPTY, VCF_SAMPLE_VALUES
from varloom.reader.vcf.values import MisfitError, OddValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.vcf.fields import Field, GatheredField
    from varloom.reader.vcf.record import Spot
    from varloom.reader.vcf.record_table import RecordTable

_FIRST_SAMPLE = 9


class _Samples:
    """What both ways of keeping samples share: keys, and samples with more values than keys."""

    def __init__(self, table: RecordTable, diagnosis: Diagnosis) -> None:
        self._table = table
        self._diagnosis = diagnosis
        self._names = table.samples

    def _keys(self, line: int, text: str) -> list[str]:
        """The keys of a FORMAT column; none where it is a dot or empty."""
        if text in {".", ""}:
            return []
        keys = text.split(":")
        if not all(keys):
            message = "FORMAT has an empty key between its colons."
            place = Place(line=line, column=9, field="FORMAT", excerpt=safe_excerpt(text))
            self._diagnosis.error(VCF_FORMAT_KEY_EMPTY, message, place)
        return [key for key in keys if key]

    def _too_many_values(self, line: int, index: int, cell: str, keys: int) -> None:
        sample = safe_excerpt(self._names[index], 40)
        self._diagnosis.error(
            VCF_SAMPLE_VALUES,
            f"Sample {sample} has {counted(cell.count(':') + 1, 'value')} where FORMAT has {counted(keys, 'key')}.",
            Place(line=line, column=_FIRST_SAMPLE + 1 + index, field=sample, excerpt=safe_excerpt(cell)),
        )


class SampleParser(_Samples):
    """Writes a column for each sample and key."""

    def __init__(self, table: RecordTable, diagnosis: Diagnosis) -> None:
        super().__init__(table, diagnosis)
        self._layouts: dict[str, list[list[Field]]] = {}

    def parse(self, spot: Spot, cells: list[str]) -> None:
        """Write all samples of one record; `cells` are all columns of its line."""
        layout = self._layouts.get(cells[8])
        if layout is None:
            layout = self._layout(spot.line, cells[8])
        for index, fields in enumerate(layout):
            cell = cells[_FIRST_SAMPLE + index]
            if cell == ".":
                continue
            texts = cell.split(":")
            if len(texts) <= len(fields):
                self._put(spot, fields, texts)
            elif cell:
                self._too_many_values(spot.line, index, cell, len(fields))

    def _put(self, spot: Spot, fields: list[Field], texts: list[str]) -> None:
        """Write the values of one sample; trailing ones may be left out."""
        line, row, single = spot.line, spot.row, spot.shape.rows == 1
        for field, text in zip(fields, texts, strict=False):
            if text == ".":
                continue
            if field.last_line == line:
                self._repeated(field, spot, fields, texts)
                continue
            field.last_line = line
            try:
                if single and field.convert is not None:
                    field.buffers[0].cells[row] = field.convert(text)
                else:
                    field.put(row, spot.shape, text)
            except (OddValueError, MisfitError) as trouble:
                self._table.put_troubled(field, trouble, spot, text)

    def _layout(self, line: int, format_column: str) -> list[list[Field]]:
        """The fields of each sample for one FORMAT column; files use few different ones."""
        by_key = [self._table.sample_fields(key, line) for key in self._keys(line, format_column)]
        layout = [[fields[index] for fields in by_key] for index in range(len(self._names))]
        self._layouts[format_column] = layout
        return layout

    def _repeated(self, field: Field, spot: Spot, fields: list[Field], texts: list[str]) -> None:
        """Keep all texts of a key that stands again; the first that is not missing was written."""
        given = [text for other, text in zip(fields, texts, strict=False) if other is field and text != "."]
        self._table.replace_text(field, spot, ";".join(given))
        self._table.warn_repeated(field.label, spot.line, given[1])


class GatheredSampleParser(_Samples):
    """Writes one list column for each key, with a value for each sample."""

    def __init__(self, table: RecordTable, diagnosis: Diagnosis) -> None:
        super().__init__(table, diagnosis)
        self._layouts: dict[str, list[GatheredField]] = {}

    def parse(self, spot: Spot, cells: list[str]) -> None:
        """Write all samples of one record; `cells` are all columns of its line."""
        layout = self._layouts.get(cells[8])
        if layout is None:
            keys = self._keys(spot.line, cells[8])
            layout = self._layouts[cells[8]] = [self._table.gathered_field(key, spot.line) for key in keys]
        by_key = self._split(spot.line, cells[_FIRST_SAMPLE:], len(layout))
        given: dict[GatheredField, list[Sequence[str | None]]] = {}
        for field, texts in zip(layout, by_key, strict=False):
            given.setdefault(field, []).append(texts)
        for field, several in given.items():
            if len(several) == 1:
                self._put(field, spot, several[0])
            else:
                self._repeated(field, spot, several)

    def _split(self, line: int, cells: list[str], keys: int) -> list[Sequence[str | None]]:
        """The texts of all samples for each key; None where a sample leaves trailing ones out."""
        if keys == 1 and ":" not in "".join(cells):
            return [cells]
        split = [cell.split(":") for cell in cells]
        for index, texts in enumerate(split):
            if len(texts) > keys and cells[index] not in {".", ""}:
                self._too_many_values(line, index, cells[index], keys)
        by_key: list[Sequence[str | None]] = list(zip_longest(*split))
        return by_key + [(None,) * len(cells)] * (keys - len(by_key))

    def _put(self, field: GatheredField, spot: Spot, texts: Sequence[str | None]) -> None:
        for index, trouble in field.put_all(spot.row, spot.shape, texts):
            text = texts[index] or ""
            label = f"{self._names[index]}.{field.decl.key}"
            if isinstance(trouble, MisfitError):
                self._table.keep_gathered_text(field, spot, index, text)
            self._table.note_trouble(field, trouble, text, spot.line, label=label)

    def _repeated(self, field: GatheredField, spot: Spot, several: list[Sequence[str | None]]) -> None:
        """Write the first text that is not missing of each sample, and keep all where there are more."""
        given = [[text for text in texts if text is not None and text != "."] for texts in zip(*several, strict=True)]
        self._put(field, spot, [texts[0] if texts else None for texts in given])
        for index, texts in enumerate(given):
            if len(texts) > 1:
                kept = texts[1:] if self._table.has_gathered_text(field, spot, index) else texts
                self._table.keep_gathered_text(field, spot, index, ";".join(kept))
        if any(len(texts) > 1 for texts in given):
            self._table.warn_repeated(field.label, spot.line, field.decl.key)
