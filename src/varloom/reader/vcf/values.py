"""Text of a VCF value to a typed value, exactly: a text that the type cannot hold unchanged raises MisfitError."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from varloom.reader.vcf.declaration import ValueType

if TYPE_CHECKING:
    from varloom.errors import ErrorKind

Scalar = int | float | str | bool | None
Convert = Callable[[str], Scalar]

REMEMBERED = 50_000
"""How many different texts of one type are remembered; values of a file repeat, and looking up beats converting."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_NONZERO = re.compile(r"[1-9]")
_INT64 = range(-(2**63), 2**63)


class MisfitError(Exception):
    """A text does not fit its column; `count` tells that the number of values is wrong rather than one of them."""

    def __init__(self, *, count: bool = False) -> None:
        super().__init__()
        self.count = count


class OddValueError(Exception):
    """A text has a value that its column can hold, but breaks a rule of the format: `reason` says which."""

    def __init__(self, value: object, kind: ErrorKind, reason: str) -> None:
        super().__init__(reason)
        self.value = value
        self.kind = kind
        self.reason = reason


class _Remembered(dict[str, Scalar]):
    """Texts with their values; a missing one is converted and, while there is room, kept."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, text: str) -> Scalar:
        value = self._convert(text)
        if len(self) < REMEMBERED:
            self[text] = value
        return value


def to_integer(text: str) -> int | None:
    """A whole number within 64 bits; a dot is missing."""
    if text == ".":
        return None
    if len(text) > 40 or not _INTEGER.fullmatch(text):
        raise MisfitError
    value = int(text)
    if value not in _INT64:
        raise MisfitError
    return value


def to_float(text: str) -> float | None:
    """The nearest 64-bit float; what is too large or too small for one is a misfit. A dot is missing."""
    if text == ".":
        return None
    if not _FLOAT.fullmatch(text):
        if _NOT_FINITE.fullmatch(text):
            return float(text)
        raise MisfitError
    value = float(text)
    if math.isinf(value) or (value == 0 and _NONZERO.search(text.lower().split("e", 1)[0])):
        raise MisfitError
    return value


def is_number(text: str) -> bool:
    """Whether the text is written as a number, however large or small."""
    return bool(_FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text))


def to_string(text: str) -> str | None:
    """The text itself; a dot is missing."""
    return None if text == "." else text


_ENCODED = re.compile("%(3A|3B|3D|25|2C|0D|0A|09)")
_DECODED: Final = {
    "3A": ":",
    "3B": ";",
    "3D": "=",
    "25": "%",
    "2C": ",",
    "0D": "\r",
    "0A": "\n",
    "09": "\t",
}


def to_decoded_string(text: str) -> str | None:
    """The text with the percent encodings of VCF 4.3 (section 1.2, these eight and no others) undone."""
    if "%" in text:
        return _ENCODED.sub(lambda match: _DECODED[match[1]], text)
    return None if text == "." else text


def converters(*, percent_encoded: bool) -> dict[ValueType, Convert]:
    """One function for each type of value; those for numbers remember what they have seen."""
    return {
        ValueType.INTEGER: _Remembered(to_integer).__getitem__,
        ValueType.FLOAT: _Remembered(to_float).__getitem__,
        ValueType.STRING: to_decoded_string if percent_encoded else to_string,
    }
