"""Rules of VCF 4.4 and later between the annotations of structural variants, tandem repeats and phase sets.

Their breach loses nothing: each gives a warning. Sources are the sections of the VCF 4.4 specification.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.errors import Place, counted, safe_excerpt
from varloom.reader.problems import VCF_STRUCTURAL_ANNOTATION
from varloom.reader.vcf.alleles import UNSEEN
from varloom.reader.vcf.values import MisfitError, to_float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.vcf.header import Header

FIRST_VERSION = 4
"""The rules came with VCF 4.4."""
PHASE_KEYS = frozenset({"PSL", "PSO", "PSQ"})
_SIZED = frozenset({"DEL", "INS", "DUP", "INV", "CNV"})
_CLAIMED = frozenset({"DEL", "DUP"})
_COPIED = frozenset({"DEL", "DUP", "CNV"})
_REPEAT_LISTS = ("RUS", "RUL", "RUC", "RB")
_SEPARATOR = re.compile("[/|]")

_Info = dict[str, list[str]]


class StructuralRules:
    """Looks at the records with symbolic alleles, and at those whose samples have phase sets by allele."""

    def __init__(self, header: Header, diagnosis: Diagnosis) -> None:
        self.apply = header.minor_version >= FIRST_VERSION
        self._samples = header.samples
        self._diagnosis = diagnosis

    def check(self, line: int, cells: Sequence[str]) -> None:
        """Note what breaks a rule within a record; `cells` are all columns of its line."""
        alleles = cells[4].split(",")
        symbolic = [_kind(allele) for allele in alleles]
        keys = cells[8].split(":") if len(cells) > 9 else []
        if any(symbolic):
            info = _entries(cells[7])
            self._check_alleles(line, symbolic, info)
            if "<CNV:TR>" in alleles:
                self._check_repeats(line, alleles.count("<CNV:TR>"), [a == "<CNV:TR>" for a in alleles], info)
            if "CN" in keys:
                self._check_copies(line, symbolic, info)
        if PHASE_KEYS.intersection(keys) and "GT" in keys:
            for sample, cell in zip(self._samples, cells[9:], strict=False):
                self._check_phases(line, sample, dict(zip(keys, cell.split(":"), strict=False)))

    # --- structural variants: section 3 -----------------------------------------------------------------------------

    def _check_alleles(self, line: int, kinds: list[str], info: _Info) -> None:
        """Each symbolic allele has a length, and each deletion and duplication says what it claims.

        Where a record has one allele, its END does for the length, as before VCF 4.4.
        """
        if len(kinds) == 1 and not _missing(info, "END", 0):
            info = info | {"SVLEN": info["END"]}
        for key, asked in (("SVLEN", _SIZED), ("SVCLAIM", _CLAIMED)):
            lacking = next((kind for at, kind in enumerate(kinds) if kind in asked and _missing(info, key, at)), None)
            if lacking is not None:
                self._warn(line, f"INFO.{key}", f"is missing for the allele <{lacking}>.", "needs")

    def _check_copies(self, line: int, kinds: list[str], info: _Info) -> None:
        """A sample has one CN for all alleles, so that they must be of one length."""
        lengths = {length for kind, length in zip(kinds, info.get("SVLEN", []), strict=False) if kind in _COPIED}
        if len(lengths) > 1:
            self._warn(line, "INFO.SVLEN", "differs between the alleles that share the samples' CN.", "CN")

    # --- tandem repeats: section 1.6.1, RN to RUB -------------------------------------------------------------------

    def _check_repeats(self, line: int, count: int, places: list[bool], info: _Info) -> None:
        """As many values as there are repeats: RN for each <CNV:TR> allele, or one where there is no RN."""
        repeats = _total(info["RN"], places) if "RN" in info else count
        for key in _REPEAT_LISTS:
            if repeats is not None and key in info and info[key] != ["."] and len(info[key]) != repeats:
                message = f"has {counted(len(info[key]), 'value')} for {counted(repeats, 'repeat')}, as RN counts."
                self._warn(line, f"INFO.{key}", message, "RN")
        for key, of in (("CIRUC", "RUC"), ("CIRB", "RB")):
            if key in info and of in info and len(info[key]) != 2 * len(info[of]):
                message = f"has {counted(len(info[key]), 'value')}, not two for each of the {len(info[of])} of {of}."
                self._warn(line, f"INFO.{key}", message, of)
        for unit, length in zip(info.get("RUS", []), info.get("RUL", []), strict=False):
            if "." not in {unit, length} and length.isdecimal() and int(length[:9]) != len(unit):
                self._warn(
                    line,
                    "INFO.RUL",
                    f"is {safe_excerpt(length, 20)} for a unit of {counted(len(unit), 'base')}.",
                    "RUS",
                )
        if "RUB" in info:
            self._check_units(line, info["RUB"], info.get("RUC", []))

    def _check_units(self, line: int, units: list[str], counts: list[str]) -> None:
        """RUB has a value for each single unit, so that RUC must count whole ones."""
        numbers = [_number(count) for count in counts]
        whole = [int(number) for number in numbers if number is not None and number.is_integer()]
        if not numbers or len(whole) + counts.count(".") != len(numbers):
            self._warn(line, "INFO.RUB", "needs RUC as whole numbers.", "whole")
        elif "." not in counts and sum(whole) != len(units):
            self._warn(
                line,
                "INFO.RUB",
                f"has {counted(len(units), 'value')} for {counted(sum(whole), 'unit')}, as RUC counts.",
                "RUC",
            )

    # --- phase sets by allele: section 1.6.2, PSL, PSO, PSQ ---------------------------------------------------------

    def _check_phases(self, line: int, sample: str, values: dict[str, str]) -> None:
        """PSL has a value for each phased allele of the genotype and for no other; PSO and PSQ where PSL has one."""
        phased = _phases(values.get("GT", "."))
        lists = {key: values[key].split(",") for key in PHASE_KEYS if values.get(key, ".") != "."}
        for key in sorted(lists):
            if len(lists[key]) != len(phased):
                message = f"has {counted(len(lists[key]), 'value')} for {counted(len(phased), 'allele')} of GT."
                self._warn(line, f"{safe_excerpt(sample, 40)}.{key}", message, key)
                return
        sets = lists.get("PSL", ["."] * len(phased))
        if any(name != "." and not is_phased for name, is_phased in zip(sets, phased, strict=True)):
            self._warn(line, f"{safe_excerpt(sample, 40)}.PSL", "names a phase set for an unphased allele.", "unphased")
        for key in sorted(lists.keys() - {"PSL"}):
            if any(value != "." and name == "." for value, name in zip(lists[key], sets, strict=True)):
                self._warn(line, f"{safe_excerpt(sample, 40)}.{key}", "has a value where PSL has none.", "PSL")

    def _warn(self, line: int, field: str, message: str, rule: str) -> None:
        subject = f"{field.rpartition('.')[2]}.{rule}"
        place = Place(line=line, column=8 if field.startswith("INFO.") else None, field=field)
        self._diagnosis.warn(VCF_STRUCTURAL_ANNOTATION, subject, f"{field} {message}", place)


def _kind(allele: str) -> str:
    """The first level of a symbolic allele, such as DUP of <DUP:TANDEM>; empty for any other allele."""
    if allele[:1] != "<" or allele in UNSEEN:
        return ""
    return allele.strip("<>").partition(":")[0]


def _entries(info: str) -> _Info:
    """The values of each key; the first counts where one stands twice."""
    entries: _Info = {}
    for entry in info.split(";"):
        key, equals, text = entry.partition("=")
        if equals:
            entries.setdefault(key, text.split(","))
    return entries


def _missing(info: _Info, key: str, at: int) -> bool:
    values = info.get(key, [])
    return at >= len(values) or values[at] in {".", ""}


def _total(numbers: list[str], places: list[bool]) -> int | None:
    """The sum of RN over the repeats; None where it is not all there, or not made of whole numbers."""
    chosen = [number for number, place in zip(numbers, places, strict=False) if place]
    if len(numbers) != len(places) or not all(number.isdecimal() and len(number) < 9 for number in chosen):
        return None
    return sum(map(int, chosen))


def _number(text: str) -> float | None:
    try:
        return to_float(text)
    except MisfitError:
        return float("nan")


def _phases(genotype: str) -> list[bool]:
    """Of each allele of a GT whether it is phased; the first one is when it says so, or all others are."""
    prefix = genotype[:1] if genotype[:1] in {"/", "|"} else ""
    separators = _SEPARATOR.findall(genotype[len(prefix) :])
    first = prefix == "|" if prefix else "/" not in separators
    return [first, *(separator == "|" for separator in separators)]
