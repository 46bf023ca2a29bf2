"""The INFO column of a record into the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.problems import VCF_FIELD_EMPTY, VCF_INFO_KEY_EMPTY
from varloom.reader.vcf.declaration import ValueType
from varloom.reader.vcf.values import MisfitError, OddValueError

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.vcf.fields import Field
    from varloom.reader.vcf.record import Spot
    from varloom.reader.vcf.record_table import RecordTable


class InfoParser:
    """Writes the entries of INFO columns."""

    def __init__(self, table: RecordTable, diagnosis: Diagnosis) -> None:
        self._table = table
        self._fields = table.info
        self._diagnosis = diagnosis
        self._gathered_line = 0
        self._texts: dict[str, list[str]] = {}

    def parse(self, spot: Spot, info: str) -> None:
        """Write all entries of one record."""
        fields, line, row, single = self._fields, spot.line, spot.row, spot.shape.rows == 1
        for entry in info.split(";"):
            key, equals, text = entry.partition("=")
            field = fields.get(key)
            if field is None:
                if not key:
                    self._without_key(line, entry, info)
                    continue
                field = self._table.undeclared_info(key, bare=not equals, line=line)
            if field.last_line == line:
                self._repeated(field, spot, info)
                continue
            field.last_line = line
            if not equals:
                self._put_bare(field, spot)
                continue
            try:
                if single and field.convert is not None:
                    field.buffers[0].cells[row] = field.convert(text)
                else:
                    field.put(row, spot.shape, text)
            except (OddValueError, MisfitError) as trouble:
                self._table.put_troubled(field, trouble, spot, text)

    def _put_bare(self, field: Field, spot: Spot) -> None:
        if field.decl.type is ValueType.FLAG:
            field.put_value(spot.row, spot.shape, value=True)
            return
        self._table.keep_text(field, spot, "")
        self._table.warn_bare(field, spot.line)

    def _repeated(self, field: Field, spot: Spot, info: str) -> None:
        """Keep all texts of a key that stands again; they are gathered once a record, however often keys repeat."""
        if self._gathered_line != spot.line:
            self._gathered_line, self._texts = spot.line, {}
            for entry in info.split(";"):
                key, _, text = entry.partition("=")
                self._texts.setdefault(key, []).append(text)
        if texts := self._texts.pop(field.decl.key, None):
            self._table.replace_text(field, spot, ";".join(texts))
            self._table.warn_repeated(field.label, spot.line, info)

    def _without_key(self, line: int, entry: str, info: str) -> None:
        place = Place(line=line, column=8, field="INFO", excerpt=safe_excerpt(info))
        if entry:
            message = f"INFO has the value {safe_excerpt(entry, 40)!r} without a key."
            self._diagnosis.error(VCF_INFO_KEY_EMPTY, message, place)
        else:
            warn_empty_entry(self._diagnosis, line, info)


def warn_empty_entry(diagnosis: Diagnosis, line: int, info: str, count: int = 1) -> None:
    """Warn of an INFO column, met `count` times, that is empty or has nothing between two semicolons."""
    message = "INFO is empty or has an empty entry between its semicolons."
    place = Place(line=line, column=8, field="INFO", excerpt=safe_excerpt(info))
    diagnosis.warn(VCF_FIELD_EMPTY, "INFO", message, place, count)
