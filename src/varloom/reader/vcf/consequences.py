"""Consequence annotations unfolded into columns: the most severe consequence of a row, and all of its entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from varloom.errors import Place
from varloom.genomics.consequences import CONSEQUENCES
from varloom.reader.model import Column
from varloom.reader.native.consequences import Terms, Unfolding
from varloom.reader.problems import VCF_ANNOTATION_ALLELE, VCF_ANNOTATION_COUNT
from varloom.reader.vcf.annotation_format import annotation_formats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.native.consequences import Data
    from varloom.reader.vcf.annotation_format import AnnotationFormat
    from varloom.reader.vcf.record_table import RecordTable

_IMPACTS = ("HIGH", "MODERATE", "LOW", "MODIFIER")
_TERMS = Terms(
    [(each.term.encode(), each.rank, _IMPACTS.index(each.impact)) for each in CONSEQUENCES],
    [impact.encode() for impact in _IMPACTS],
)
_NOTHING = memoryview(bytes(1))
_DESCRIPTIONS = {
    "consequence": "Most severe consequence in {label}",
    "impact": "Impact of the most severe consequence in {label}",
    "gene": "Gene of the most severe consequence in {label}",
    "transcripts": "All entries of {label} for this allele",
}


class Consequences:
    """Adds to each batch the columns that its annotations unfold into; they stand behind the raw ones."""

    def __init__(self, table: RecordTable, diagnosis: Diagnosis) -> None:
        self._diagnosis = diagnosis
        formats = annotation_formats([field.decl for field in table.info.values()], diagnosis)
        self._annotations = [_Annotation(form, table) for form in formats]

    def columns(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """The columns with those that were added."""
        added = {annotation.raw: annotation.columns for annotation in self._annotations}
        return tuple(each for column in columns for each in (column, *added.get(column.name, ())))

    def unfolded(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the columns that its annotations unfold into."""
        for annotation in self._annotations:
            batch = annotation.added_to(batch, self._diagnosis)
        return batch


class _Annotation:
    """One INFO field that holds annotations.

    Attributes:
        raw: the name of its column.
        columns: those that are added behind it.
    """

    def __init__(self, form: AnnotationFormat, table: RecordTable) -> None:
        self._form = form
        field = table.info[form.key]
        self._label = field.label
        self.raw = field.buffers[0].column.name
        struct = pa.struct([pa.field(name, pa.string()) for name in form.subfields])
        types = {"transcripts": pa.list_(struct)}
        self.columns = tuple(
            Column(
                table.claim_name(f"{self.raw}.{name}"),
                types.get(name, pa.string()),
                "INFO",
                text.format(label=self._label),
                None,
                form.key,
            )
            for name, text in _DESCRIPTIONS.items()
        )

    def added_to(self, batch: pa.RecordBatch, diagnosis: Diagnosis) -> pa.RecordBatch:
        index = batch.schema.names.index(self.raw)
        arrays = self._arrays(batch, diagnosis) if batch.num_rows else [pa.array([], c.type) for c in self.columns]
        names, columns = batch.schema.names, batch.columns
        names[index + 1 : index + 1] = [column.name for column in self.columns]
        columns[index + 1 : index + 1] = arrays
        return pa.RecordBatch.from_arrays(columns, names=names)

    def _arrays(self, batch: pa.RecordBatch, diagnosis: Diagnosis) -> list[pa.Array]:
        form = self._form
        raw = _from_start(batch.column(self.raw))
        lists, entries = (None, raw) if form.single else (_offsets(raw), _from_start(raw.values))
        found = Unfolding(
            _TERMS,
            len(form.subfields),
            form.places,
            form.naming,
            form.shorter,
            _numbers(_from_start(batch.column("record")), "q"),
            _numbers(_from_start(batch.column("allele")), "i"),
            _texts(_from_start(batch.column("alt"))),
            _texts(_from_start(batch.column("ref"))),
            lists,
            _texts(entries),
        )
        self._warn(found, batch.column("line"), diagnosis)
        struct: pa.DataType = self.columns[-1].type.value_type
        children = [_text_array(found.child_data(number)) for number in range(len(form.subfields))]
        rows, missing, validity, offsets = found.level_data()
        entries = pa.StructArray.from_arrays(children, fields=list(struct))
        buffers = [None if buffer is None else pa.py_buffer(buffer) for buffer in (validity, *offsets)]
        nested = pa.Array.from_buffers(self.columns[-1].type, rows, buffers, missing, children=[entries])
        return [*(_text_array(found.best_data(which)) for which in range(3)), nested]

    def _warn(self, found: Unfolding, lines: pa.Array, diagnosis: Diagnosis) -> None:
        if found.ragged:
            line = lines[found.first_ragged].as_py()
            message = (
                f"An entry of {self._label} does not have the {len(self._form.subfields)} subfields of the header."
            )
            place = Place(line=line, column=8, field=self._label)
            diagnosis.warn(VCF_ANNOTATION_COUNT, self._label, message, place, found.ragged)
        if found.unmatched:
            line = lines[found.first_unmatched].as_py()
            message = f"An entry of {self._label} names none of the ALT alleles; it is told with each of them."
            place = Place(line=line, column=8, field=self._label)
            diagnosis.warn(VCF_ANNOTATION_ALLELE, self._label, message, place, found.unmatched)


def _from_start(array: Any) -> Any:
    """The array with its first value at the start of its buffers."""
    return array if array.offset == 0 else pa.concat_arrays([array])


def _numbers(array: Any, form: Literal["q", "i"]) -> memoryview[int]:
    """The values of a column without missing ones."""
    return memoryview(array.buffers()[1]).cast("B").cast(form)[: len(array)]


def _offsets(array: Any) -> memoryview[int]:
    """The offsets of texts or lists, one more than there are."""
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return memoryview(bytes(4 * (len(array) + 1))).cast("i")
    return memoryview(buffer).cast("B").cast("i")[: len(array) + 1]


def _texts(array: Any) -> tuple[memoryview[int], memoryview[int]]:
    """Offsets and bytes of texts; missing ones have no bytes."""
    data = array.buffers()[2]
    return _offsets(array), memoryview(data).cast("B") if data is not None and data.size else _NOTHING


def _text_array(data: Data) -> pa.Array:
    length, missing, validity, buffers = data
    found: Sequence[pa.Buffer | None] = [
        None if buffer is None else pa.py_buffer(buffer) for buffer in (validity, *buffers)
    ]
    return pa.Array.from_buffers(pa.string(), length, found, missing)
