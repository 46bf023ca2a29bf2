"""Fields of the table under construction: where the text of an INFO or FORMAT entry goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.reader.vcf.decoders import OneValue
from varloom.reader.vcf.values import MisfitError, OddValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.reader.column_buffer import ColumnBuffer
    from varloom.reader.vcf.alleles import AlleleShape
    from varloom.reader.vcf.declaration import Declaration
    from varloom.reader.vcf.decoders import Decoder


class Field:
    """One INFO field, or one FORMAT field of one sample.

    Attributes:
        label: how messages call it, such as `INFO.DP` or `HG002.DP`.
        text: the column for texts that do not fit, once there is one.
        text_name: the name that such a column has.
        last_line: the line that was last put, which tells a key that a record repeats.
        convert: for a field with one value for all rows, what makes the value of its text: a caller with one row may
            write it into the only buffer itself, which is much faster than `put`.
    """

    __slots__ = (
        "_per_allele",
        "buffers",
        "convert",
        "decl",
        "decode",
        "decoder",
        "label",
        "last_line",
        "order",
        "sample",
        "text",
        "text_name",
    )

    def __init__(
        self,
        declaration: Declaration,
        decoder: Decoder,
        buffers: Sequence[ColumnBuffer],
        *,
        order: tuple[int, ...],
        sample: str | None = None,
    ) -> None:
        self.decl = declaration
        self.sample = sample
        self.label = f"{sample or declaration.kind}.{declaration.key}"
        self.order = order
        self.buffers = buffers
        self.text: ColumnBuffer | None = None
        self.text_name = ""
        self.last_line = 0
        self.convert = decoder.convert if type(decoder) is OneValue else None
        self.decoder = decoder
        self.decode = decoder.decode
        self._per_allele = decoder.per_allele

    def put(self, row: int, shape: AlleleShape, text: str) -> None:
        """Write the values of one record, whose first row is `row`. Raises MisfitError, OddValueError."""
        value = self.decode(text, shape)
        rows = shape.rows
        if not self._per_allele:
            if rows == 1:
                self.buffers[0].cells[row] = value
            else:
                self.buffers[0].cells[row : row + rows] = [value] * rows
        elif rows == 1:
            for buffer, values in zip(self.buffers, value, strict=True):
                buffer.cells[row] = values[0]
        else:
            for buffer, values in zip(self.buffers, value, strict=True):
                buffer.cells[row : row + rows] = values

    def put_value(self, row: int, shape: AlleleShape, *, value: object) -> None:
        """Write one value into all rows of a record."""
        if shape.rows == 1:
            self.buffers[0].cells[row] = value
        else:
            self.buffers[0].cells[row : row + shape.rows] = [value] * shape.rows


class GatheredField:
    """One FORMAT field of all samples: cells are lists with a value for each sample, in the header's order."""

    __slots__ = ("buffers", "decl", "decoder", "label", "order", "samples", "text", "text_name")

    sample: str | None = None

    def __init__(
        self,
        declaration: Declaration,
        decoder: Decoder,
        buffers: Sequence[ColumnBuffer],
        *,
        order: tuple[int, ...],
        samples: int,
    ) -> None:
        self.decl = declaration
        self.label = f"FORMAT.{declaration.key}"
        self.order = order
        self.buffers = buffers
        self.samples = samples
        self.text: ColumnBuffer | None = None
        self.text_name = ""
        self.decoder = decoder

    def put_all(
        self, row: int, shape: AlleleShape, texts: Sequence[str | None]
    ) -> list[tuple[int, MisfitError | OddValueError]]:
        """Write one record; returns the samples whose text is odd or did not fit."""
        decoded_texts: dict[str | None, Any] = {None: None}
        troubled: dict[str, MisfitError | OddValueError] = {}
        for text in set(texts):
            if text is not None:
                decoded_texts[text] = self._value(text, shape, troubled)
        decoded = [decoded_texts[text] for text in texts]
        rows = shape.rows
        if not self.decoder.per_allele:
            self.buffers[0].cells[row : row + rows] = [decoded] * rows
            return _by_sample(texts, troubled)
        for which, buffer in enumerate(self.buffers):
            buffer.cells[row : row + rows] = [
                [None if value is None else value[which][at] for value in decoded] for at in range(rows)
            ]
        return _by_sample(texts, troubled)

    def _value(self, text: str, shape: AlleleShape, troubled: dict[str, MisfitError | OddValueError]) -> Any:
        try:
            return self.decoder.decode(text, shape)
        except OddValueError as odd:
            troubled[text] = odd
            return odd.value
        except MisfitError as misfit:
            troubled[text] = misfit
            return None


def _by_sample(
    texts: Sequence[str | None], troubled: dict[str, MisfitError | OddValueError]
) -> list[tuple[int, MisfitError | OddValueError]]:
    if not troubled:
        return []
    return [(index, troubled[text]) for index, text in enumerate(texts) if text in troubled]
