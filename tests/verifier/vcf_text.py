"""What the text of a VCF stands for, row by row: a second, slow and plain reader that shares no code with Varloom's.

The rules are those of the VCF specification and of the project's table: one row for each ALT allele, Number=A and R and
G by allele, missing values left out, percent encoding from 4.3 on, and what a column cannot hold in its `_text` column.
"""

from __future__ import annotations

import bz2
import gzip
import math
import re
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MANY_SAMPLES = 16
FIXED = ("rowno", "record", "line", "allele", "contig", "position", "id", "ref", "alt", "qual", "filter")
CODES = {"3A": ":", "3B": ";", "3D": "=", "2C": ",", "0D": "\r", "0A": "\n", "09": "\t", "25": "%"}


class MisfitError(Exception):
    """The column cannot hold the text."""


class Declared(NamedTuple):
    number: str
    kind: str


UNDECLARED = Declared("1", "String")


def lines_of(path: Path) -> Iterator[str]:
    """The lines as they stand in the file, without their line feed; whatever it is packed in is unpacked."""
    with path.open("rb") as file:
        yield from text_lines(unpacked(file))


def unpacked(file: IO[bytes]) -> IO[bytes]:
    start = file.read(3)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        return unpacked(gzip.open(file))
    return unpacked(bz2.open(file)) if start == b"BZh" else file


def text_lines(lines: Iterable[bytes]) -> Iterator[str]:
    for number, raw in enumerate(lines):
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            line = raw.decode("latin-1")
        yield (line if number else line.removeprefix("\ufeff")).removesuffix("\n")


def attributes(body: str) -> dict[str, str] | None:
    """What stands between `<` and `>`; None if it is not made of pairs. A last description may have quotes within."""
    found: dict[str, str] = {}
    rest = body
    while rest:
        key, equals, rest = rest.partition("=")
        if not equals or not key or set(key) & set(',<>"'):
            break
        value, rest = quoted(rest.lstrip()) if rest.lstrip().startswith('"') else plain(rest)
        if value is None:
            break
        found.setdefault(key.strip(), value)
    else:
        return found
    loose = re.search(r'(^|,)Description=".*"\s*$', body)
    return attributes(body[: loose.start()]) if loose else None


def quoted(text: str) -> tuple[str | None, str]:
    """A text in quotes, and what follows the comma behind it."""
    at = 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    behind = text[at + 1 :].lstrip()
    if at >= len(text) or (behind and not behind.startswith(",")):
        return None, ""
    return text[1:at], behind[1:]


def plain(text: str) -> tuple[str | None, str]:
    """A text without quotes, or a list in brackets, and what follows the comma behind it."""
    inner = text.lstrip()
    if inner.startswith("[") and "]" in inner:
        value, _, behind = inner.partition("]")
        if not behind.strip() or behind.lstrip().startswith(","):
            return value + "]", behind.lstrip()[1:]
    value, _, behind = inner.partition(",")
    return (None, "") if '"' in value else (value, behind)


class Header:
    """Declarations, samples and version; only as much as the cells need."""

    def __init__(self, lines: list[str]) -> None:
        version = re.match(r"##fileformat=VCFv4\.([0-5])\s*$", lines[0])
        self.encoded = version is not None and int(version[1]) >= 3
        self.info: dict[str, Declared] = {}
        self.format: dict[str, Declared] = {}
        for line in lines:
            if line.startswith(("##INFO=<", "##FORMAT=<")):
                self._declare(line)
        self.samples = [name or f"sample_{at}" for at, name in enumerate(lines[-1].split("\t")[9:], 1)]
        self.many = len(self.samples) > MANY_SAMPLES
        self.flags = [key for key, declared in self.info.items() if declared.kind == "Flag"]

    def _declare(self, line: str) -> None:
        table = self.info if line.startswith("##INFO") else self.format
        said = attributes(line.rstrip()[line.index("<") + 1 : -1]) if line.rstrip().endswith(">") else None
        name = said and said.get("ID")
        if not said or not name or name in table:
            return
        number, kind = said.get("Number", "."), said.get("Type", "String")
        if kind not in {"Integer", "Float", "Flag"} or (kind == "Flag" and table is self.format):
            kind = "String"
        if (kind == "Flag" or (number == "0" and kind == "String")) and table is self.info:
            number, kind = "0", "Flag"
        elif number == "0":
            number = "." if table is self.info else "1"
        if name == "GT" and table is self.format:
            number, kind = "1", "Genotype"
        table[name] = Declared(number, kind)


# --- values -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=100_000)
def scalar(text: str, kind: str, *, encoded: bool) -> Any:
    """One value."""
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
    return decoded(text) if encoded and kind == "String" and "%" in text else text


def decoded(text: str) -> str:
    out, at = [], 0
    while at < len(text):
        code = text[at + 1 : at + 3] if text[at] == "%" else ""
        out.append(CODES.get(code, text[at]))
        at += 3 if code in CODES else 1
    return "".join(out)


def genotypes(ploidy: int, highest: int) -> Iterator[tuple[int, ...]]:
    """All genotypes in VCF order, as the pseudo code of the specification has it."""
    if ploidy == 0:
        yield ()
        return
    for allele in range(highest + 1):
        for rest in genotypes(ploidy - 1, allele):
            yield (*rest, allele)


@lru_cache(maxsize=1000)
def places(count: int, alleles: int, allele: int) -> list[int] | None:
    """Where the genotypes of 0 and `allele` stand among `count` genotypes, found by writing them all down."""
    for ploidy in range(1, 65):
        order = [genotype for genotype, _ in zip(genotypes(ploidy, alleles - 1), range(count + 1), strict=False)]
        if len(order) == count:
            return [place for place, genotype in enumerate(order) if set(genotype) <= {0, allele}]
        if len(order) > count or alleles == 1:
            return None
    return None


@lru_cache(maxsize=100_000)
def cell(text: str, declared: Declared, allele: int, alternates: int, *, encoded: bool) -> dict[str, Any]:
    """What one row's columns must hold, by suffix."""
    number, kind = declared
    if kind == "Flag":
        raise MisfitError
    if number == "1":
        return {"": scalar(text, kind, encoded=encoded)}
    if text == ".":
        return {}
    values = [scalar(part, kind, encoded=encoded) for part in text.split(",")]
    wanted = {"A": alternates or 1, "R": alternates + 1}.get(number, len(values))
    if len(values) != wanted:
        raise MisfitError
    if number == "A":
        return {"": values[max(allele, 1) - 1]}
    if number == "R":
        return {"_ref": values[0], "_alt": values[allele] if allele else None}
    if number == "G":
        chosen = places(len(values), alternates + 1, allele)
        if chosen is None:
            raise MisfitError
        return {"": [values[place] for place in chosen]}
    return {"": values}


# --- rows -------------------------------------------------------------------------------------------------------------


class Names:
    """Names of columns: each once whatever the case of its letters, the later one with a number.

    Two fields may want the same name, as a sample may be called INFO; so each is known by its group and its key. Names
    of `_text` columns come after those of all that the header declares, or right after those of an undeclared key.
    """

    def __init__(self, header: Header) -> None:
        self._taken: set[str] = set(FIXED)
        self._given: dict[tuple[str, ...], str] = {}
        self._prefixes = ["FORMAT"] if header.many else header.samples
        for texts in (False, True):
            for key, declared in header.info.items():
                self._claim([("", "INFO", key)], declared, texts=texts)
            for key, declared in header.format.items():
                self._claim([("sample", prefix, key) for prefix in self._prefixes], declared, texts=texts)

    def claim(self, key: str, declared: Declared) -> None:
        for texts in (False, True):
            self._claim([("", "INFO", key)], declared, texts=texts)

    def claim_samples(self, key: str, declared: Declared) -> None:
        for texts in (False, True):
            self._claim([("sample", prefix, key) for prefix in self._prefixes], declared, texts=texts)

    def _claim(self, fields: list[tuple[str, str, str]], declared: Declared, *, texts: bool) -> None:
        for field in fields:
            for suffix in ("_text",) if texts else ("_ref", "_alt") if declared.number == "R" else ("",):
                self.of(*field, suffix)

    def of(self, *parts: str) -> str:
        """The name for a group, a prefix, a key and a suffix."""
        given = self._given.get(parts)
        if given is None:
            _, prefix, key, suffix = parts
            wanted = given = f"{prefix}.{key}{suffix}"
            number = 1
            while given.casefold() in self._taken:
                number += 1
                given = f"{wanted}_{number}"
            self._taken.add(given.casefold())
            self._given[parts] = given
        return given


class ExpectedRows:
    """The rows that a file's lines stand for, as dictionaries without the missing values; iterate once.

    `records`, `rows` and `values` count those that were given, `contigs` are those of them.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.records = self.rows = self.values = 0
        self.contigs: dict[str, None] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        head: list[str] = []
        for line in self._lines:
            head.append(line.removesuffix("\r"))
            if line.startswith("#CHROM"):
                break
        self.header = Header(head)
        self.names = Names(self.header)
        for number, line in enumerate(self._lines, len(head) + 1):
            if line not in {"", "\r"}:
                yield from self._record(number, line.removesuffix("\r").split("\t"))

    def _record(self, number: int, fields: list[str]) -> Iterator[dict[str, Any]]:
        self.records += 1
        self.contigs[fields[0]] = None
        for allele, alternate, alternates in alleles(fields[4]):
            row = {"rowno": self.rows, "record": self.records, "line": number, "allele": allele}
            row |= {"contig": fields[0], "position": int(fields[1]), "ref": fields[3]}
            if alternate is not None:
                row["alt"] = alternate
            for name, text in (("id", fields[2]), ("filter", fields[6])):
                if text not in {".", ""}:
                    row[name] = text
            if fields[5] not in {".", ""}:
                row["qual"] = float(fields[5])
            row |= {self.names.of("", "INFO", key, ""): False for key in self.header.flags}
            self._info(row, fields[7], allele, alternates)
            self._samples(row, fields, allele, alternates)
            self.rows += 1
            self.values += sum(len(value) if isinstance(value, list) else 1 for value in row.values())
            yield row

    def _info(self, row: dict[str, Any], text: str, allele: int, alternates: int) -> None:
        entries: dict[str, list[str | None]] = {}
        for entry in text.split(";") if text != "." else []:
            if entry:
                key, equals, value = entry.partition("=")
                entries.setdefault(key, []).append(value if equals else None)
        for key, values in entries.items():
            if key not in self.header.info:
                self.header.info[key] = Declared("0", "Flag") if values[0] is None else UNDECLARED
                self.names.claim(key, self.header.info[key])
            declared = self.header.info[key]
            bare = values[0] is None
            if len(values) > 1 or (bare and declared.kind != "Flag"):
                row[self.names.of("", "INFO", key, "_text")] = ";".join(value or "" for value in values)
            if not bare:
                self._put(row, ("", "INFO", key), values[0], declared, allele, alternates)
            elif declared.kind == "Flag":
                row[self.names.of("", "INFO", key, "")] = True

    def _put(
        self,
        row: dict[str, Any],
        field: tuple[str, str, str],
        text: str,
        declared: Declared,
        allele: int,
        alternates: int,
    ) -> None:
        try:
            values = cell(text, declared, allele, alternates, encoded=self.header.encoded)
        except MisfitError:
            row.setdefault(self.names.of(*field, "_text"), text)
            if declared.kind == "Flag":
                row[self.names.of(*field, "")] = True
            return
        for suffix, value in values.items():
            if value is not None:
                row[self.names.of(*field, suffix)] = value

    def _samples(self, row: dict[str, Any], fields: list[str], allele: int, alternates: int) -> None:
        keys = fields[8].split(":") if len(fields) > 9 and fields[8] not in {".", ""} else []
        for key in keys:
            if key not in self.header.format:
                self.header.format[key] = Declared("1", "Genotype") if key == "GT" else UNDECLARED
                self.names.claim_samples(key, self.header.format[key])
        texts = fields[9:] if keys else []
        if not self.header.many:
            for sample, text in zip(self.header.samples, texts, strict=False):
                row |= self._sample(sample, keys, text, allele, alternates)
            return
        known = {text: self._sample("FORMAT", keys, text, allele, alternates) for text in dict.fromkeys(texts)}
        for name in dict.fromkeys(name for values in known.values() for name in values):
            row[name] = [known[text].get(name) for text in texts]

    def _sample(self, prefix: str, keys: list[str], text: str, allele: int, alternates: int) -> dict[str, Any]:
        texts: dict[str, list[str]] = {}
        for key, value in zip(keys, text.split(":"), strict=False):
            if value != ".":
                texts.setdefault(key, []).append(value)
        values: dict[str, Any] = {}
        for key, given in texts.items():
            field = ("sample", prefix, key)
            if len(given) > 1:
                values[self.names.of(*field, "_text")] = ";".join(given)
            self._put(values, field, given[0], self.header.format[key], allele, alternates)
        return values


def alleles(alt: str) -> list[tuple[int, str | None, int]]:
    """Index and text of the ALT alleles that get a row, and how many there are in all."""
    if alt in {".", ""}:
        return [(0, None, 0)]
    named = alt.split(",")
    real = [(k, a, len(named)) for k, a in enumerate(named, 1) if a not in {"<NON_REF>", "<*>"}]
    return real or [(k, a, len(named)) for k, a in enumerate(named, 1)]
