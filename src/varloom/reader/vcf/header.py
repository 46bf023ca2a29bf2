"""The header of a VCF: version, declarations, samples, and every fault of it with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.problems import (
    COLUMN_RENAMED,
    VCF_CHROM_LINE_MISSING,
    VCF_CHROM_LINE_WRONG,
    VCF_DECLARATION_DUPLICATE,
    VCF_DECLARATION_ODD,
    VCF_FILEFORMAT_MISSING,
    VCF_HEADER_LINE_MALFORMED,
    VCF_HEADER_TOO_LONG,
    VCF_RULE_BROKEN,
    VCF_SAMPLE_DUPLICATE,
    VCF_VERSION_NOT_SUPPORTED,
    refusal,
)
from varloom.reader.vcf.declaration import Declaration, declare
from varloom.reader.vcf.header_line import Attribute, parse_attributes
from varloom.reader.vcf.header_rules import fault_of_attributes, fault_of_plain_line

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis

FIXED_COLUMNS = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_CHROM_LINE_SHOWN = "#" + "<tab>".join(FIXED_COLUMNS)
_VERSION = re.compile(r"##fileformat=VCFv4\.(?P<minor>[0-5])\s*$")
_NAMED = frozenset({"INFO", "FORMAT", "FILTER", "contig", "ALT", "META", "SAMPLE"})
_STRUCTURED = _NAMED | {"PEDIGREE"}


@dataclass(slots=True)
class Header:
    """What the header declares.

    Attributes:
        minor_version: the 2 of VCF 4.2.
        info, formats: declarations by key, in the order of the header.
        filters: declared identifiers.
        contigs: declared identifiers with their lengths in bases, None where the header gives none.
        samples: names of the sample columns; an unnamed one is called by its place.
        unnamed_samples: whether there was one without a name.
        columns: how many tab-separated columns each record must have.
        text: all header lines verbatim, each with a line feed.
        lines: how many lines stand before the first record.
    """

    minor_version: int = 2
    info: dict[str, Declaration] = field(default_factory=dict)
    formats: dict[str, Declaration] = field(default_factory=dict)
    filters: set[str] = field(default_factory=lambda: {"PASS"})
    contigs: dict[str, int | None] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    unnamed_samples: bool = False
    columns: int = len(FIXED_COLUMNS)
    text: str = ""
    lines: int = 0

    @property
    def percent_encoded(self) -> bool:
        """Whether values may hold characters as %3A and the like: from VCF 4.3 on."""
        return self.minor_version >= 3


def _identifier(attributes: dict[str, Attribute]) -> str:
    return attributes["ID"].value if "ID" in attributes else ""


def _length(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


HEADER_LIMIT = 64 << 20
"""The longest header in characters; it is kept whole, in memory and in the manifest."""


class HeaderParser:
    """Takes the header line by line; `feed` tells when it is complete."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.header = Header()
        self._diagnosis = diagnosis
        self._lines: list[str] = []
        self._size = 0

    def feed(self, number: int, line: str) -> bool:
        """Take the next line; true when it was the `#CHROM` line or a line that cannot stand in a header."""
        self.header.lines = number
        self._size += len(line)
        if self._size > HEADER_LIMIT:
            message = f"The header has no end within its first {HEADER_LIMIT >> 20} MiB."
            raise refusal(VCF_HEADER_TOO_LONG, message, Place(line=number, excerpt=safe_excerpt(line)))
        if number == 1:
            self._version(line)
        if line.startswith("##"):
            self._lines.append(line)
            self._meta(number, line)
            return False
        if not line.strip() and number > 1:
            return False
        if line.startswith("#CHROM") or (number == 1 and line.lower().startswith("#chrom")):
            self._lines.append(line)
            self._columns(number, line)
        else:
            self._not_a_header_line(number, line)
        self.header.text = "".join(f"{kept}\n" for kept in self._lines)
        return True

    def end_of_file(self, lines: int) -> None:
        """The file ended before the `#CHROM` line."""
        self._chrom_line_missing(lines + 1, "The file ends without the line that names its columns.", None)

    def _version(self, line: str) -> None:
        match = _VERSION.match(line)
        if match:
            self.header.minor_version = int(match["minor"])
            return
        place = Place(line=1, excerpt=safe_excerpt(line))
        if not line.startswith("##fileformat="):
            self._diagnosis.error(
                VCF_FILEFORMAT_MISSING,
                "The first line must be ##fileformat=VCFv4.x, such as ##fileformat=VCFv4.2, but it is another.",
                place,
            )
        elif re.match(r"##fileformat=VCFv?4(\.\d+)?\s*$", line):
            self._diagnosis.warn(
                VCF_RULE_BROKEN, "fileformat", "The version is written in an unusual way; VCF 4.2 is assumed.", place
            )
        else:
            self._diagnosis.error(
                VCF_VERSION_NOT_SUPPORTED,
                "The first line names a version other than VCFv4.0 to VCFv4.5.",
                place,
            )

    def _meta(self, number: int, line: str) -> None:
        key, equals, value = line[2:].partition("=")
        value = value.rstrip()
        if not equals or not key:
            self._odd(number, line, f"Line {number:,} does not have the form ##KEY=VALUE.")
        elif key in _STRUCTURED:
            attributes = parse_attributes(value[1:-1]) if value[:1] == "<" and value[-1:] == ">" else None
            if attributes is None or (key in _NAMED and not _identifier(attributes)):
                self._malformed(number, line, f"The ##{key} line must have the form ##{key}=<ID=...,...>.")
            else:
                self._structured(number, line, key, attributes)
        elif fault := fault_of_plain_line(key, value):
            self._odd(number, line, fault)

    def _structured(self, number: int, line: str, key: str, attributes: dict[str, Attribute]) -> None:
        if fault := fault_of_attributes(key, attributes, self.header.minor_version):
            self._odd(number, line, f"##{key} {fault}.")
        values = {name: attribute.value for name, attribute in attributes.items()}
        match key:
            case "INFO" | "FORMAT":
                self._declare(number, line, key, values)
            case "FILTER":
                self.header.filters.add(values["ID"])
            case "contig":
                self.header.contigs.setdefault(values["ID"], _length(values.get("length", "")))
            case _:
                pass

    def _declare(self, number: int, line: str, kind: str, attributes: dict[str, str]) -> None:
        known = self.header.info if kind == "INFO" else self.header.formats
        place = Place(line=number, field=f"{kind}.{attributes['ID']}", excerpt=safe_excerpt(line))
        if attributes["ID"] in known:
            self._diagnosis.warn(
                VCF_DECLARATION_DUPLICATE,
                f"{kind}.{attributes['ID']}",
                f"{kind} {attributes['ID']} is declared again; the first declaration counts.",
                place,
            )
            return
        declaration = declare(kind, attributes, self._diagnosis, place)
        known[declaration.key] = declaration

    def _columns(self, number: int, line: str) -> None:
        names = line[1:].split("\t")
        place = Place(line=number, excerpt=safe_excerpt(line))
        if tuple(names[:8]) != FIXED_COLUMNS:
            self._chrom_line_wrong(line, names, place)
            return
        if len(names) > 8 and names[8] != "FORMAT":
            self._diagnosis.error(
                VCF_CHROM_LINE_WRONG,
                f"Column 9 of the #CHROM line must be FORMAT, but it is {safe_excerpt(names[8], 40)!r}.",
                Place(line=number, column=9, excerpt=safe_excerpt(line)),
            )
            return
        self.header.columns = len(names)
        self.header.samples = self._sample_names(names[9:], place)
        if len(names) == 9:
            self._odd(number, line, "The #CHROM line has a FORMAT column but no samples.")

    def _chrom_line_wrong(self, line: str, names: list[str], place: Place) -> None:
        if "\t" not in line and line[1:].split()[:8] == list(FIXED_COLUMNS):
            message = "The words of the #CHROM line are separated by spaces; they must be separated by single tabs."
            column = None
        else:
            wrong = next((i for i, want in enumerate(FIXED_COLUMNS) if names[i : i + 1] != [want]), 0)
            found = safe_excerpt(names[wrong], 40) if wrong < len(names) else "missing"
            message = f"Column {wrong + 1} of the #CHROM line must be {FIXED_COLUMNS[wrong]}, but it is {found!r}."
            column = wrong + 1
        self._diagnosis.error(
            VCF_CHROM_LINE_WRONG,
            message,
            Place(line=place.line, column=column, excerpt=place.excerpt),
            (
                f"Write the line as `{_CHROM_LINE_SHOWN}`, then FORMAT and the samples if there are any.",
                *VCF_CHROM_LINE_WRONG.resolution[1:],
            ),
        )

    def _sample_names(self, samples: list[str], place: Place) -> tuple[str, ...]:
        named: list[str] = []
        seen: set[str] = set()
        for index, written in enumerate(samples, 1):
            sample = written or f"sample_{index}"
            column = Place(line=place.line, column=9 + index, excerpt=place.excerpt)
            if sample in seen:
                message = f"Sample name {safe_excerpt(sample, 40)!r} stands twice in the #CHROM line."
                self._diagnosis.error(VCF_SAMPLE_DUPLICATE, message, column)
            elif not written:
                self.header.unnamed_samples = True
                message = f"Sample {index:,} has no name in the #CHROM line; it is called {sample}."
                self._diagnosis.warn(COLUMN_RENAMED, sample, message, column)
            seen.add(sample)
            named.append(sample)
        return tuple(named)

    def _not_a_header_line(self, number: int, line: str) -> None:
        if line.count("\t") >= 4 and not line.startswith("#"):
            self._chrom_line_missing(
                number, f"Records start at line {number:,} without the #CHROM line before them.", line
            )
        elif line.startswith("#") and line[1:].split()[:2] == ["CHROM", "POS"]:
            self._columns(number, line)
        else:
            self._diagnosis.error(
                VCF_HEADER_LINE_MALFORMED,
                f"Line {number:,} of the header must start with ## or with #CHROM.",
                Place(line=number, excerpt=safe_excerpt(line)),
            )

    def _chrom_line_missing(self, number: int, message: str, line: str | None) -> None:
        self._diagnosis.error(
            VCF_CHROM_LINE_MISSING,
            message,
            Place(line=number, excerpt=None if line is None else safe_excerpt(line)),
            (f"Add this line before the records: `{_CHROM_LINE_SHOWN}`", *VCF_CHROM_LINE_MISSING.resolution[1:]),
        )

    def _malformed(self, number: int, line: str, message: str) -> None:
        """A declaration that says nothing: what it would have declared is read as undeclared, so nothing is lost."""
        self._diagnosis.warn(
            VCF_HEADER_LINE_MALFORMED, str(number), message, Place(line=number, excerpt=safe_excerpt(line))
        )

    def _odd(self, number: int, line: str, message: str) -> None:
        self._diagnosis.warn(VCF_DECLARATION_ODD, str(number), message, Place(line=number, excerpt=safe_excerpt(line)))
