"""A second, slow and plain reader of VCF that shares no code with Varloom's, to hold its every cell to the file's text.

`differences(path)` reads the file here as text and there through `open_reader`, and says where they differ. The rules
are those of the VCF specification and of the project's table: one row for each ALT allele, Number=A and R and G by
allele, missing values None, percent encoding from 4.3 on, and what a column cannot hold in its `_text` column.
"""

from __future__ import annotations

import gzip
import math
import re
from typing import TYPE_CHECKING, Any

from varloom.reader import open_reader

if TYPE_CHECKING:
    from pathlib import Path

MOST_DIFFERENCES = 20
MANY_SAMPLES = 16


class MisfitError(Exception):
    """The column cannot hold the text."""


class Declared:
    def __init__(self, number: str, kind: str) -> None:
        self.number = number
        self.kind = kind


def text_of(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    return raw.decode("utf-8").removeprefix("\ufeff")


def attribute(line: str, name: str) -> str | None:
    found = re.search(rf'[<,]\s*{name}\s*=\s*("([^"]*)"|[^,>]*)', line)
    return None if found is None else (found[2] if found[2] is not None else found[1]).strip()


class Header:
    """Declarations, samples and version; only as much as the cells need."""

    def __init__(self, lines: list[str]) -> None:
        version = re.match(r"##fileformat=VCFv4\.(\d)", lines[0])
        self.encoded = version is not None and int(version[1]) >= 3
        self.info: dict[str, Declared] = {}
        self.format: dict[str, Declared] = {}
        self.samples: list[str] = []
        for line in lines:
            if line.startswith(("##INFO=<", "##FORMAT=<")):
                self._declare(line)
            elif line.startswith("#CHROM"):
                self.samples = line.split("\t")[9:]
        if "GT" in self.format:
            self.format["GT"] = Declared("1", "String")

    def _declare(self, line: str) -> None:
        table = self.info if line.startswith("##INFO") else self.format
        name = attribute(line, "ID")
        if not line.rstrip().endswith(">") or not name or name in table:
            return
        number, kind = attribute(line, "Number") or ".", attribute(line, "Type") or "String"
        if kind not in {"Integer", "Float", "Flag"}:
            kind = "String"
        if kind == "Flag" and table is self.format:
            kind = "String"
        if (kind == "Flag" or (number == "0" and kind == "String")) and table is self.info:
            number, kind = "0", "Flag"
        elif number == "0" and table is self.info:
            number = "."
        if number == "0" and table is self.format:
            number = "1"
        table[name] = Declared(number, kind)


def scalar(text: str, kind: str, *, encoded: bool) -> Any:
    if text == ".":
        return None
    if kind == "Integer":
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not -(2**63) <= int(text) < 2**63:
            raise MisfitError
        return int(text)
    if kind == "Float":
        if not re.fullmatch(r"[+-]?(nan|inf(inity)?|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)", text, re.ASCII | re.IGNORECASE):
            raise MisfitError
        value = float(text)
        named = re.search(r"[a-df-z]", text, re.IGNORECASE)
        if not named and (math.isinf(value) or (value == 0.0 and re.match(r"[^eE]*[1-9]", text))):
            raise MisfitError
        return value
    if encoded:
        for code, char in (
            ("3A", ":"),
            ("3B", ";"),
            ("3D", "="),
            ("2C", ","),
            ("0D", "\r"),
            ("0A", "\n"),
            ("09", "\t"),
        ):
            text = text.replace(f"%{code}", char) if f"%25{code}" not in text else decoded_slowly(text)
        if "%25" in text:
            text = text.replace("%25", "%")
    return text


def decoded_slowly(text: str) -> str:
    codes = {"3A": ":", "3B": ";", "3D": "=", "2C": ",", "0D": "\r", "0A": "\n", "09": "\t", "25": "%"}
    out, at = [], 0
    while at < len(text):
        code = text[at + 1 : at + 3] if text[at] == "%" else ""
        out.append(codes.get(code, text[at]))
        at += 3 if code in codes else 1
    return "".join(out).replace("%", "%25")  # the caller undoes this once


def genotype_list(values: list[Any], alleles: int, allele: int) -> list[Any]:
    """The genotypes of 0 and `allele`, found by writing down all genotypes in VCF order."""
    if alleles == 1:
        if len(values) != 1:
            raise MisfitError
        return values
    for ploidy in range(1, 12):
        order = genotypes(ploidy, alleles - 1)
        if len(order) == len(values):
            return [value for genotype, value in zip(order, values, strict=True) if set(genotype) <= {0, allele}]
        if len(order) > len(values):
            break
    raise MisfitError


def genotypes(ploidy: int, highest: int) -> list[tuple[int, ...]]:
    """As the pseudo code of the specification has it."""
    if ploidy == 1:
        return [(allele,) for allele in range(highest + 1)]
    return [(*rest, allele) for allele in range(highest + 1) for rest in genotypes(ploidy - 1, allele)]


def cell(text: str, declared: Declared, allele: int, alternates: int, *, encoded: bool) -> dict[str, Any]:  # noqa: PLR0911 - one return for each Number
    """What one row's columns must hold, by suffix."""
    number, kind = declared.number, declared.kind
    if kind == "Flag":
        raise MisfitError
    if number == "1":
        return {"": scalar(text, kind, encoded=encoded)}
    if text == ".":
        return {"_ref": None, "_alt": None} if number == "R" else {"": None}
    values = [scalar(part, kind, encoded=encoded) for part in text.split(",")]
    if number == "A":
        if alternates == 0 and len(values) == 1:
            return {"": values[0]}
        if len(values) != alternates:
            raise MisfitError
        return {"": values[allele - 1]}
    if number == "R":
        if len(values) != alternates + 1:
            raise MisfitError
        return {"_ref": values[0], "_alt": values[allele] if allele else None}
    if number == "G":
        return {"": genotype_list(values, alternates + 1, allele)}
    return {"": values}


class Expected:
    """The rows that a file's text stands for, as dictionaries without the missing values."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        end = next(index for index, line in enumerate(lines) if line.startswith("#CHROM"))
        self.header = Header([line.rstrip("\r") for line in lines[: end + 1]])
        self.lines = [(number, line.rstrip("\r")) for number, line in enumerate(lines[end + 1 :], end + 2)]
        self.flags = [key for key, declared in self.header.info.items() if declared.kind == "Flag"]

    def rows(self) -> Any:
        record, rowno = 0, 0
        for number, line in self.lines:
            if not line:
                continue
            record += 1
            fields = line.split("\t")
            for allele, alternate, alternates in self.alleles(fields[4]):
                row = {"rowno": rowno, "record": record, "line": number, "allele": allele}
                row |= {"contig": fields[0], "position": int(fields[1]), "ref": fields[3]}
                for name, text in (("id", fields[2]), ("alt", alternate), ("filter", fields[6])):
                    if text not in {".", ""}:
                        row[name] = text
                if fields[5] not in {".", ""}:
                    row["qual"] = float(fields[5])
                row |= {f"INFO.{key}": False for key in self.flags}
                self.info(row, fields[7], allele, alternates)
                self.samples(row, fields, allele, alternates)
                rowno += 1
                yield row

    def alleles(self, alt: str) -> list[tuple[int, str, int]]:
        if alt in {".", ""}:
            return [(0, ".", 0)]
        named = alt.split(",")
        real = [(k, a, len(named)) for k, a in enumerate(named, 1) if a not in {"<NON_REF>", "<*>"}]
        return real or [(k, a, len(named)) for k, a in enumerate(named, 1)]

    def info(self, row: dict[str, Any], text: str, allele: int, alternates: int) -> None:
        entries: dict[str, list[str | None]] = {}
        for entry in text.split(";") if text != "." else []:
            if entry:
                key, equals, value = entry.partition("=")
                entries.setdefault(key, []).append(value if equals else None)
        for key, values in entries.items():
            declared = self.header.info.get(key)
            if declared is None:
                declared = Declared("0", "Flag") if values[0] is None else Declared("1", "String")
                self.header.info[key] = declared
            if len(values) > 1:
                row[f"INFO.{key}_text"] = ";".join(value or "" for value in values)
            if values[0] is None and declared.kind != "Flag":
                row[f"INFO.{key}_text"] = ";".join(value or "" for value in values)
            elif values[0] is None:
                row[f"INFO.{key}"] = True
            else:
                self.put(row, f"INFO.{key}", values[0], declared, allele, alternates)

    def put(self, row: dict[str, Any], name: str, text: str, declared: Declared, allele: int, alternates: int) -> None:
        try:
            values = cell(text, declared, allele, alternates, encoded=self.header.encoded)
        except MisfitError:
            row.setdefault(f"{name}_text", text)
            if declared.kind == "Flag":
                row[name] = True
            return
        for suffix, value in values.items():
            if value is not None:
                row[name + suffix] = value

    def samples(self, row: dict[str, Any], fields: list[str], allele: int, alternates: int) -> None:
        keys = fields[8].split(":") if len(fields) > 9 and fields[8] not in {".", ""} else []
        many = len(self.header.samples) > MANY_SAMPLES
        for index, sample in enumerate(self.header.samples):
            texts: dict[str, list[str]] = {}
            for key, text in zip(keys, fields[9 + index].split(":"), strict=False):
                if text != ".":
                    texts.setdefault(key, []).append(text)
            for key in keys:
                self.header.format.setdefault(key, Declared("1", "String"))
            alone: dict[str, Any] = {}
            for key, values in texts.items():
                if len(values) > 1:
                    alone[f"{key}_text"] = ";".join(values)
                self.put(alone, key, values[0], self.header.format[key], allele, alternates)
            for key, value in alone.items():
                if many:
                    row.setdefault(f"FORMAT.{key}", [None] * len(self.header.samples))[index] = value
                else:
                    row[f"{sample}.{key}"] = value


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    return type(one) is type(other) and one == other


def empty(value: Any) -> bool:
    return value is None or (isinstance(value, list) and bool(value) and all(part is None for part in value))


def differences(path: Path) -> list[str]:
    """Where the reader's cells differ from the text; empty when all is equal and no row is missing or too many."""
    found: list[str] = []
    expected = Expected(text_of(path)).rows()
    reader = open_reader(path)
    for batch in reader.batches():
        for actual in batch.to_pylist():
            wanted = next(expected, None)
            if wanted is None:
                return [*found, f"a row too many: {actual}"]
            for name in {*wanted, *actual}:
                value, want = actual.get(name), wanted.get(name)
                if not same(value, want) and not (empty(value) and empty(want)):
                    found.append(f"line {wanted['line']}, {name}: {want!r} became {value!r}")
            if len(found) > MOST_DIFFERENCES:
                return found
    if (missing := next(expected, None)) is not None:
        found.append(f"a row is missing: {missing}")
    return found
