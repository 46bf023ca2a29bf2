"""Declarations of INFO and FORMAT fields: what type and how many values a field has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.problems import VCF_DECLARATION_ODD, VCF_RESERVED_KEY_REDEFINED
from varloom.reader.vcf.reserved import RESERVED

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis


class ValueType(StrEnum):
    """The Types of VCF; Character is read as String."""

    INTEGER = "Integer"
    FLOAT = "Float"
    FLAG = "Flag"
    STRING = "String"


class Arity(StrEnum):
    """What the Number of a declaration means for the table."""

    ONE = "1"
    ALTERNATE = "A"
    ALLELES = "R"
    GENOTYPES = "G"
    LIST = "."


@dataclass(frozen=True, slots=True)
class Declaration:
    """One INFO or FORMAT field.

    `count` is a fixed Number above 1, else None; `declared` tells whether the header has the field.
    """

    kind: str
    key: str
    type: ValueType
    arity: Arity
    count: int | None = None
    description: str | None = None
    declared: bool = True


_TYPES = {
    "Integer": ValueType.INTEGER,
    "Float": ValueType.FLOAT,
    "Flag": ValueType.FLAG,
    "String": ValueType.STRING,
    "Character": ValueType.STRING,
}
_SPECIAL = {"A": Arity.ALTERNATE, "R": Arity.ALLELES, "G": Arity.GENOTYPES, ".": Arity.LIST}
_LOCAL = frozenset({"LA", "LR", "LG", "P", "M"})


def declare(kind: str, attributes: dict[str, str], diagnosis: Diagnosis, place: Place) -> Declaration:
    """The declaration that a header line makes; what it leaves unclear is read as text, with a warning.

    `kind` is INFO or FORMAT; `attributes` has an ID.
    """
    key, number, type_name = attributes["ID"], attributes.get("Number"), attributes.get("Type")
    problem = _oddity(kind, attributes)
    if problem:
        diagnosis.warn(VCF_DECLARATION_ODD, f"{kind}.{key}", f"{kind} {safe_excerpt(key, 40)}: {problem}", place)
    elif (reserved := RESERVED[kind].get(key)) and (number, type_name) not in reserved:
        wanted = " or ".join(f"Number={n}, Type={t}" for n, t in reserved)
        diagnosis.warn(
            VCF_RESERVED_KEY_REDEFINED,
            f"{kind}.{key}",
            f"{kind} {key} is declared as Number={number}, Type={type_name}; the VCF specification has {wanted}.",
            place,
        )
    value_type = _TYPES.get(type_name or "", ValueType.STRING)
    description = attributes.get("Description")
    if kind == "FORMAT" and key == "GT":
        return Declaration(kind, key, ValueType.STRING, Arity.ONE, description=description)
    if value_type is ValueType.FLAG and kind == "FORMAT":
        value_type = ValueType.STRING
    if value_type is ValueType.FLAG or (number == "0" and kind == "INFO" and value_type is ValueType.STRING):
        return Declaration(kind, key, ValueType.FLAG, Arity.ONE, description=description)
    arity, count = _arity("." if number == "0" and kind == "INFO" else number)
    return Declaration(kind, key, value_type, arity, count, description)


def _arity(number: str | None) -> tuple[Arity, int | None]:
    if number in {"1", "0"}:
        return Arity.ONE, None
    if number in _SPECIAL:
        return _SPECIAL[number], None
    if number is not None and number.isascii() and number.isdigit() and len(number) < 10:
        return Arity.LIST, int(number)
    return Arity.LIST, None


def _oddity(kind: str, attributes: dict[str, str]) -> str | None:  # noqa: PLR0911 - a list of rules
    number, type_name = attributes.get("Number"), attributes.get("Type")
    if number is None:
        return "the declaration has no Number; it is read as a list."
    if type_name is None:
        return "the declaration has no Type; it is read as text."
    if type_name not in _TYPES:
        return f"Type={safe_excerpt(type_name, 40)} is not a type of VCF; it is read as text."
    if number not in _SPECIAL and number not in _LOCAL and not (number.isascii() and number.isdigit()):
        return f"Number={safe_excerpt(number, 40)} is not a number of VCF; it is read as a list."
    if kind == "FORMAT" and type_name == "Flag":
        return "Type=Flag is not allowed for FORMAT; it is read as text."
    if (type_name == "Flag") != (number == "0"):
        return f"Number={number} and Type={type_name} do not go together; only a Flag has Number=0."
    if "Description" not in attributes:
        return "the declaration has no Description."
    return None
