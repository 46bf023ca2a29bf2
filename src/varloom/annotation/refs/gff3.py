"""Reading GFF3 line by line, as Ensembl, GENCODE and RefSeq publish it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from varloom.annotation.refs.problems import REFERENCE_MALFORMED
from varloom.errors import Place, VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.refs.published_text import PublishedText

_INTEGER = re.compile(r"-?[0-9]{1,10}")
_LONGEST = 2**31 - 1
_SEQUENCES = b"##FASTA"
"""Behind this line there are no features any more."""


class Feature(NamedTuple):
    """A line of a GFF3 file.

    Attributes:
        contig: as the file writes it.
        kind: the third column, such as `exon`.
        start: 1-based; 1 where the line has a smaller one, as genes have that reach beyond a cut sequence.
        end: 1-based, inclusive.
        strand: `+`, `-`, `.` or `?`.
        phase: 0, 1 or 2; None where the line has none.
        attributes: the ninth column as it stands.
    """

    contig: str
    kind: str
    start: int
    end: int
    strand: str
    phase: int | None
    attributes: str


class Unreadable(NamedTuple):
    """A line that is not GFF3, with its number from 1."""

    number: int
    line: str


def read_features(text: PublishedText, ignored: frozenset[str]) -> Iterator[Feature | Unreadable | str]:
    """Every feature of a file in its order; of the kinds in `ignored` only the kind.

    Raises:
        VarloomError: `reference_malformed`, where the file is cut short or is GTF.
    """
    number = 0
    for chunk in text.chunks():
        for raw in bytes(chunk).split(b"\n"):
            number += 1
            if raw.startswith(_SEQUENCES):
                return
            line = raw.decode("utf-8", "replace").rstrip("\r")
            if line and not line.startswith("#"):
                yield _parsed(number, line, ignored)
        number -= bytes(chunk[-1:]) == b"\n"  # behind the last line of the chunk stands nothing


def _parsed(number: int, line: str, ignored: frozenset[str]) -> Feature | Unreadable | str:
    columns = line.split("\t", 8)  # some files have tabs in their descriptions
    if len(columns) != 9:
        return Unreadable(number, line)
    contig, _, kind, start, end, _, strand, phase, attributes = columns
    if kind in ignored:
        return kind
    if "=" not in attributes and ' "' in attributes:
        message = f"Line {number:,} is GTF, not GFF3. Take the GFF3 file of the same release."
        raise VarloomError(REFERENCE_MALFORMED, message, Place(line=number, excerpt=safe_excerpt(line)))
    if not (_INTEGER.fullmatch(start) and _INTEGER.fullmatch(end)) or not max(1, int(start)) <= int(end) <= _LONGEST:
        return Unreadable(number, line)
    known_phase = int(phase) if phase in {"0", "1", "2"} else None
    return Feature(contig, kind, max(1, int(start)), int(end), strand, known_phase, attributes)


def attributes_of(text: str) -> dict[str, str]:
    """The ninth column as names and values; values keep their commas, which stand between the parts of lists."""
    found = {}
    for pair in text.split(";"):
        name, equals, value = pair.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    return found


def plain(value: str) -> str:
    """A value without the escapes of GFF3 (`%3B`)."""
    return unquote(value) if "%" in value else value


def parents_of(attributes: str) -> list[str]:
    """The ids after `Parent=`; found without taking the column apart, since most lines are exons and coding parts."""
    begin = 0 if attributes.startswith("Parent=") else attributes.find(";Parent=") + 1
    if begin == 0 and not attributes.startswith("Parent="):
        return []
    end = attributes.find(";", begin)
    value = attributes[begin + 7 : end if end >= 0 else None]
    return value.split(",") if value else []


def versioned(name: str, version: str | None) -> str:
    """An id with its version, without the escapes of GFF3."""
    return plain(f"{name}.{version}" if version and "." not in name else name)
