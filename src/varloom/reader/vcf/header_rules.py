"""Rules for header lines whose breach loses nothing. Source: VCF 4.1 to 4.5, section 1.4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from varloom.reader.vcf.header_line import Attribute

_SPACE = re.compile(r"\s")
_NUMBER = re.compile(r"[0-9]+|[ARG.]|LA|LR|LG|P|M")
_ORDER = ("ID", "Number", "Type", "Description")
_STRUCTURAL = frozenset({"DEL", "INS", "DUP", "INV", "CNV", "BND", "TRA", "NON_REF", "*", "X"})


def fault_of_plain_line(key: str, value: str) -> str | None:
    """What is wrong with `##key=value`, or None."""
    if not value:
        return f"##{safe_excerpt(key, 40)} has no value."
    if key == "pedigreeDB" and not _is_url(value.removeprefix("<").removesuffix(">")):
        return "##pedigreeDB is not a URL."
    return None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(parts.scheme and host) and not host.isdigit()


def fault_of_attributes(key: str, attributes: dict[str, Attribute], minor_version: int) -> str | None:  # noqa: PLR0911 - rules
    """What is wrong with a structured line, in words that follow its key, or None."""
    named = attributes.get("ID")
    if named is not None and next(iter(attributes)) != "ID":
        return "should have ID as its first attribute"
    description = attributes.get("Description")
    if description is not None and not description.quoted:
        return "should have its Description in double quotes"
    for name, attribute in attributes.items():
        if not attribute.quoted and not attribute.value.startswith("[") and _SPACE.search(attribute.value):
            return f"has a space in {safe_excerpt(name, 40)}, which is not in quotes"
    ranks = [_ORDER.index(name) for name in attributes if name in _ORDER]
    if key == "ALT" and ranks != sorted(ranks):
        return "should have its attributes in the order " + ", ".join(_ORDER)
    match key:
        case "ALT":
            return _fault_of_alt(named.value if named else "", minor_version)
        case "META":
            number = attributes.get("Number")
            return "has a Number that is none of VCF" if number and not _NUMBER.fullmatch(number.value) else None
        case "SAMPLE":
            return _fault_of_sample(attributes, minor_version)
        case _:
            return None


def _fault_of_alt(name: str, minor_version: int) -> str | None:
    if "<" in name or ">" in name:
        return "has an angle bracket in its ID"
    kind, colon, _ = name.partition(":")
    if kind not in _STRUCTURAL and (colon or minor_version < 3) and not re.fullmatch("[A-Z]", name):
        return "has an ID that is no kind of structural variant"
    return None


def _fault_of_sample(attributes: dict[str, Attribute], minor_version: int) -> str | None:
    if minor_version < 3 and not {"Genomes", "Mixture"} <= attributes.keys():
        return "should have Genomes and Mixture"
    if any(attribute.quoted for name, attribute in attributes.items() if name in {"Genomes", "Mixture"}):
        return "should have quotes around its Description only"
    return None
