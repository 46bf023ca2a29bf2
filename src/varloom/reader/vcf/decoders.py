"""From the text of one INFO or FORMAT field of one record to the values of its rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from varloom.errors import counted
from varloom.reader.problems import VCF_RULE_BROKEN, VCF_VALUE_COUNT
from varloom.reader.vcf.alleles import AlleleShape, genotype_places
from varloom.reader.vcf.declaration import Arity, Declaration, ValueType
from varloom.reader.vcf.values import REMEMBERED, Convert, MisfitError, OddValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

_GENOTYPE = re.compile(r"[/|]?(?:\.|[0-9]{1,9})(?:[/|](?:\.|[0-9]{1,9}))*")
_NO_GENOTYPE = 1 << 62

ARROW_TYPES = {
    ValueType.INTEGER: pa.int32(),
    ValueType.FLOAT: pa.float64(),
    ValueType.STRING: pa.string(),
    ValueType.FLAG: pa.bool_(),
}


class Decoder(Protocol):
    """Reads the values of one field.

    Attributes:
        suffixes: of the columns that the field fills, one each: `("",)`, or `("_ref", "_alt")` for Number=R.
        per_allele: whether rows of one record differ; then `decode` gives a value for each row of each column, else
            one value for all rows of the one column.
        type: Arrow type of the columns, before integers widen.
    """

    suffixes: tuple[str, ...]
    per_allele: bool
    type: pa.DataType

    def decode(self, text: str, shape: AlleleShape) -> Any:
        """The value of all rows, or for `per_allele` a sequence of rows for each column. Raises MisfitError."""
        ...


class OneValue:
    """Number=1."""

    suffixes: tuple[str, ...] = ("",)
    per_allele = False

    def __init__(self, declared: ValueType, convert: Convert) -> None:
        self.type = ARROW_TYPES[declared]
        self.convert = convert

    def decode(self, text: str, shape: AlleleShape) -> Any:  # noqa: ARG002 - one interface for all
        """One value."""
        return self.convert(text)


class OneText(OneValue):
    """Number=1 of a String: a comma belongs to the text, but other programs will see several values."""

    def decode(self, text: str, shape: AlleleShape) -> Any:  # noqa: ARG002 - one interface for all
        """The text, odd if it has commas."""
        value = self.convert(text)
        if "," in text:
            raise OddValueError(value, VCF_VALUE_COUNT, "has commas although the header says Number=1")
        return value


class Genotype:
    """GT, kept verbatim; a genotype that names no allele of the record is odd."""

    suffixes: tuple[str, ...] = ("",)
    per_allele = False
    type = pa.string()

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}

    def decode(self, text: str, shape: AlleleShape) -> Any:
        """The genotype, odd if the record has no such allele."""
        highest = self._highest.get(text)
        if highest is None:
            highest = _highest_allele(text)
            if len(self._highest) < REMEMBERED:
                self._highest[text] = highest
        if highest > shape.alternates:
            raise OddValueError(text, VCF_RULE_BROKEN, "is not a genotype of this record's alleles")
        return None if text == "." else text


class ManyValues:
    """Number=. or a fixed number above 1: a list as long as the file has it."""

    suffixes: tuple[str, ...] = ("",)
    per_allele = False

    def __init__(self, declared: ValueType, convert: Convert, count: int | None) -> None:
        self.type = pa.list_(ARROW_TYPES[declared])
        self._convert = convert
        self._count = count

    def decode(self, text: str, shape: AlleleShape) -> Any:  # noqa: ARG002 - one interface for all
        """A list, odd if it has not the declared length."""
        if text == ".":
            return None
        values = list(map(self._convert, text.split(",")))
        if self._count is not None and len(values) != self._count:
            reason = f"has {counted(len(values), 'value')} where the header says Number={self._count}"
            raise OddValueError(values, VCF_VALUE_COUNT, reason)
        return values


class AlternateValues:
    """Number=A: each row gets its own allele's value."""

    suffixes: tuple[str, ...] = ("",)
    per_allele = True

    def __init__(self, declared: ValueType, convert: Convert) -> None:
        self.type = ARROW_TYPES[declared]
        self._convert = convert

    def decode(self, text: str, shape: AlleleShape) -> Sequence[Sequence[Any]]:
        """A value for each row."""
        if shape.alternates < 2 and "," not in text:
            return ((self._convert(text),),)
        if text == ".":
            return ((None,) * shape.rows,)
        values = list(map(self._convert, text.split(",")))
        if len(values) != shape.alternates:
            raise MisfitError(count=True)
        return ([values[index - 1] for index in shape.kept],)


class AlleleValues:
    """Number=R: each row gets the value of the reference and its own allele's."""

    suffixes: tuple[str, ...] = ("_ref", "_alt")
    per_allele = True

    def __init__(self, declared: ValueType, convert: Convert) -> None:
        self.type = ARROW_TYPES[declared]
        self._convert = convert

    def decode(self, text: str, shape: AlleleShape) -> Sequence[Sequence[Any]]:
        """The reference's value and a value for each row."""
        rows = shape.rows
        if text == ".":
            missing = (None,) * rows
            return missing, missing
        values = list(map(self._convert, text.split(",")))
        if len(values) != shape.alternates + 1:
            raise MisfitError(count=True)
        if not shape.alternates:
            return (values, (None,))
        return ((values[0],) * rows, [values[index] for index in shape.kept])


class GenotypeValues:
    """Number=G: each row gets the genotypes of the reference and its own allele, as a list."""

    suffixes: tuple[str, ...] = ("",)
    per_allele = True

    def __init__(self, declared: ValueType, convert: Convert) -> None:
        self.type = pa.list_(ARROW_TYPES[declared])
        self._convert = convert

    def decode(self, text: str, shape: AlleleShape) -> Sequence[Sequence[Any]]:
        """A list of genotype values for each row."""
        if text == ".":
            return ((None,) * shape.rows,)
        values = list(map(self._convert, text.split(",")))
        if shape.alternates == 1 and len(values) == 3:
            return ((values,),)
        places = genotype_places(shape, len(values))
        if places is None:
            raise MisfitError(count=True)
        return ([[values[place] for place in row] for row in places],)


class FlagValue:
    """Type=Flag: present or not; a value beside it is a misfit, kept as text by the caller."""

    suffixes: tuple[str, ...] = ("",)
    per_allele = False
    type = pa.bool_()

    def decode(self, text: str, shape: AlleleShape) -> Any:  # noqa: ARG002 - one interface for all
        """Never a value: what has one does not fit."""
        raise MisfitError


def decoder_for(declaration: Declaration, convert: dict[ValueType, Convert]) -> Decoder:  # noqa: PLR0911 - a table
    """The decoder of a declared field."""
    if declaration.type is ValueType.FLAG:
        return FlagValue()
    value_type, function = declaration.type, convert[declaration.type]
    match declaration.arity:
        case Arity.ONE:
            if declaration.kind == "FORMAT" and declaration.key == "GT":
                return Genotype()
            single = OneText if value_type is ValueType.STRING else OneValue
            return single(value_type, function)
        case Arity.ALTERNATE:
            return AlternateValues(value_type, function)
        case Arity.ALLELES:
            return AlleleValues(value_type, function)
        case Arity.GENOTYPES:
            return GenotypeValues(value_type, function)
        case Arity.LIST:
            return ManyValues(value_type, function, declaration.count)


def _highest_allele(genotype: str) -> int:
    """The highest allele index of a GT; beyond any record's when the text is no genotype."""
    if not _GENOTYPE.fullmatch(genotype):
        return _NO_GENOTYPE
    return max((int(index) for index in re.findall("[0-9]+", genotype)), default=0)
