"""The keys that the VCF specification reserves, with the Number and Type that it gives them.

Source: VCF 4.1 to 4.5, sections 1.4 (INFO, FORMAT) and 3 (structural variants). Where versions differ, each counts.
"""

from __future__ import annotations

from typing import Final

Meaning = tuple[str, str]

_INFO: dict[str, tuple[Meaning, ...]] = {
    "AA": (("1", "String"),),
    "AC": (("A", "Integer"),),
    "AD": (("R", "Integer"),),
    "ADF": (("R", "Integer"),),
    "ADR": (("R", "Integer"),),
    "AF": (("A", "Float"),),
    "AN": (("1", "Integer"),),
    "BQ": (("1", "Float"),),
    "CIGAR": (("A", "String"),),
    "DB": (("0", "Flag"),),
    "DP": (("1", "Integer"),),
    "END": (("1", "Integer"),),
    "H2": (("0", "Flag"),),
    "H3": (("0", "Flag"),),
    "MQ": (("1", "Float"),),
    "MQ0": (("1", "Integer"),),
    "NS": (("1", "Integer"),),
    "SB": (("4", "Integer"),),
    "SOMATIC": (("0", "Flag"),),
    "VALIDATED": (("0", "Flag"),),
    "1000G": (("0", "Flag"),),
}
_FORMAT: dict[str, tuple[Meaning, ...]] = {
    "AD": (("R", "Integer"),),
    "ADF": (("R", "Integer"),),
    "ADR": (("R", "Integer"),),
    "DP": (("1", "Integer"),),
    "EC": (("A", "Integer"),),
    "FT": (("1", "String"),),
    "GL": (("G", "Float"),),
    "GLE": (("G", "String"), (".", "String")),
    "GP": (("G", "Float"),),
    "GQ": (("1", "Integer"),),
    "GT": (("1", "String"),),
    "HQ": (("2", "Integer"),),
    "MQ": (("1", "Integer"),),
    "PL": (("G", "Integer"),),
    "PP": (("G", "Integer"),),
    "PQ": (("1", "Integer"),),
    "PS": (("1", "Integer"),),
}
RESERVED: Final = {"INFO": _INFO, "FORMAT": _FORMAT}
"""By kind and key: the (Number, Type) pairs that the specification allows."""
