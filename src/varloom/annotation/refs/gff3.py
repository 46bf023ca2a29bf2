"""Reading GFF3 line by line, as Ensembl, GENCODE and RefSeq publish it: plain or packed with gzip."""

from __future__ import annotations

import re
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from urllib.parse import unquote

from isal import igzip

from varloom.annotation.refs.problems import REFERENCE_MALFORMED
from varloom.errors import Place, VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.annotation.refs.importer import OnProgress

_LINES_BETWEEN_REPORTS = 20_000
_GZIP = b"\x1f\x8b"
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_LONGEST = 2**31 - 1


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


def read_features(path: Path, ignored: frozenset[str], on_progress: OnProgress) -> Iterator[Feature | Unreadable | str]:
    """Every feature of a file in its order; of the kinds in `ignored` only the kind.

    Raises:
        VarloomError: `reference_malformed`, where the file is cut short or is GTF.
    """
    total = path.stat().st_size
    with path.open("rb") as packed, _text(packed) as text:
        number = 0
        try:
            for number, raw in enumerate(text, 1):  # told in the message below
                if number % _LINES_BETWEEN_REPORTS == 0:
                    on_progress(packed.tell(), total)
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if line.startswith("##FASTA"):
                    break
                if line and not line.startswith("#"):
                    yield _parsed(number, line, ignored)
        except (EOFError, zlib.error, igzip.BadGzipFile) as error:
            message = f"The file is cut short or damaged after line {number:,}."
            raise VarloomError(REFERENCE_MALFORMED, message, Place(line=number or None)) from error
    on_progress(total, total)


@contextmanager
def _text(packed: BinaryIO) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file, whether it is packed or not."""
    magic = packed.read(2)
    packed.seek(0)
    if magic != _GZIP:
        yield packed
        return
    unpacked: Any = igzip.open
    with unpacked(packed, "rb") as text:
        yield text


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
