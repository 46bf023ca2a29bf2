"""What the beginning of a file tells while the rest is still on its way, with the words of the reader itself.

Only what the rest cannot change is told: a header that is whole, and the kind of file. Where more of the file is needed
to say anything, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from varloom.errors import Place, safe_excerpt
from varloom.genomics.assemblies import AssemblyGuess, guess_assembly
from varloom.genomics.recognition import SAMPLE_BYTES, Compression, Recognition, SourceFormat, recognise
from varloom.reader.bcf_records import WholeRecords
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.delimited.dialect import find_dialect
from varloom.reader.delimited.header_row import looks_like_data
from varloom.reader.delimited.inference import CellType
from varloom.reader.delimited.rows import Row, Rows
from varloom.reader.diagnosis import Diagnosis
from varloom.reader.opening import refuse_unreadable
from varloom.reader.problems import COMPRESSION_TRUNCATED, CSV_HEADER_MISSING, CSV_QUOTE_INVALID, FileRefused, refusal
from varloom.reader.vcf.header_reading import read_header
from varloom.reader.whole_lines import WholeLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from varloom.errors import Problem
    from varloom.reader.delimited.dialect import Dialect

LEAST_BYTES = SAMPLE_BYTES
"""Fewer do not tell even the kind of file for certain."""
MOST_BYTES = 64 << 20
"""A file of which so many bytes told nothing is not looked at again."""
MOST_NAMES = 200
"""How many names of samples or columns are told; all are counted."""
MOST_OF_NAME = 200
"""Characters of each: one can be as long as a line."""
MOST_WARNINGS = 20

_PACKED_BYTES = 8 << 20
"""A packed file may have to be unpacked so far before its content is seen."""
_LONG_HEADER_BYTES = 16 << 20
"""A header that is longer unpacked is left to the reader, which has a process of its own for it. A hundred thousand
contigs take half as much; and a kilobyte can be unpacked to a gigabyte of blank lines."""
_BLANK_ROWS = 100_000
"""The same of a table that begins with so many blank rows: each takes a microsecond."""
_CHUNK = 1 << 18
_HIDDEN = frozenset({SourceFormat.EMPTY, SourceFormat.BINARY, SourceFormat.TEXT})
_BCF_HEAD_BYTES = 9


class Verdict(StrEnum):
    """What is known of the file."""

    SOUND = "sound"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the beginning told.

    Attributes:
        verdict: whether the header is sound, or refuses the file, or does not tell.
        format, compression: of the file.
        samples, columns: how many there are; None for formats that have none.
        names: of the first of them.
        assembly: which it is by the header; None where that does not tell.
        problems: why the file is refused, else what is odd about its header.
    """

    verdict: Verdict
    format: str | None
    compression: str | None
    samples: int | None = None
    columns: int | None = None
    names: tuple[str, ...] = ()
    assembly: AssemblyGuess | None = None
    problems: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "verdict": self.verdict.value,
            "format": self.format,
            "compression": self.compression,
            "samples": self.samples,
            "columns": self.columns,
            "names": list(self.names),
            "assembly": self.assembly.assembly if self.assembly else None,
            "assembly_evidence": self.assembly.evidence if self.assembly else None,
            "problems": [problem.as_dict() for problem in self.problems],
        }


class _PrefixEndedError(DamagedStreamError):
    """What is there of the file ends; nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__(COMPRESSION_TRUNCATED, "")


class _LongHeaderError(DamagedStreamError):
    """The header is too long to be looked at here; nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__(COMPRESSION_TRUNCATED, "")


class _Beginning(ByteStream):
    """The content of a file, as far as it is looked at."""

    def pieces(self) -> Iterator[bytes]:
        """See `ByteStream.pieces`."""
        seen = 0
        for piece in super().pieces():
            if seen > _LONG_HEADER_BYTES:
                raise _LongHeaderError
            yield piece
            seen += len(piece)


def preflight(  # noqa: PLR0911 - a table of what can be said
    path: Path, name: str, *, whole: bool
) -> tuple[Preflight, FileRefused | None] | None:
    """Look at the beginning of a file.

    Args:
        path: what is there of it.
        name: what its owner calls it.
        whole: whether that is all of it.

    Returns:
        What it tells, and the refusal if it tells that; None when more of the file is needed.
    """
    size = path.stat().st_size
    if size < LEAST_BYTES and not whole:
        return None
    found = recognise(path, name)
    if not whole and _may_show_more(found, size):
        return None
    if found.compression is Compression.ZIP and not whole:  # the list of its files stands at its end
        return Preflight(Verdict.UNKNOWN, None, found.compression.value), None
    unknown = Preflight(Verdict.UNKNOWN, *_kind(found))
    try:
        refuse_unreadable(found)
        return _header_of(path, found, whole=whole), None
    except _LongHeaderError:
        return unknown, None
    except FileRefused as refused:
        if _is_due_to(_LongHeaderError, refused):
            return unknown, None
        if not whole and _is_due_to(_PrefixEndedError, refused):
            return None if size < MOST_BYTES else (unknown, None)
        if found.format is SourceFormat.BCF:  # the program that decodes it may know better
            return unknown, None
        return Preflight(Verdict.REFUSED, *_kind(found), problems=refused.problems), refused


def _may_show_more(found: Recognition, size: int) -> bool:
    hidden = found.compression is not Compression.NONE and found.format in _HIDDEN and found.hurdle is None
    return hidden and size < _PACKED_BYTES


def _kind(found: Recognition) -> tuple[str, str]:
    return found.format.value, found.compression.value


def _is_due_to(kind: type[DamagedStreamError], refused: BaseException) -> bool:
    """Whether the text ended for this reason alone."""
    cause: BaseException | None = refused
    while cause is not None:
        if isinstance(cause, kind):
            return True
        cause = cause.__cause__
    return False


def _header_of(path: Path, found: Recognition, *, whole: bool) -> Preflight:
    """Raises FileRefused."""
    match found.format:
        case SourceFormat.VCF:
            return _of_vcf(_Text(_Beginning(_stored(path, whole=whole), found.compression).pieces()), found)
        case SourceFormat.BCF:
            return _of_vcf(_Text(_bcf_text(path, found, whole=whole)), found)
        case _:
            return _of_table(path, found, whole=whole)


def _of_vcf(text: _Text, found: Recognition) -> Preflight:
    diagnosis = Diagnosis()
    header = read_header(WholeLines(text), found.mark_bytes, diagnosis)
    return Preflight(
        Verdict.SOUND,
        *_kind(found),
        samples=len(header.samples),
        names=_shown(header.samples),
        assembly=guess_assembly(header.contigs, header.text),
        problems=diagnosis.warnings()[:MOST_WARNINGS],
    )


def _bcf_text(path: Path, found: Recognition, *, whole: bool) -> Iterator[bytes]:
    """The text of the header that a BCF begins with."""
    records = WholeRecords(_Beginning(_stored(path, whole=whole), found.compression).pieces())
    next(iter(records), None)
    if not records.header:
        raise records.failure or _PrefixEndedError()
    yield records.header[_BCF_HEAD_BYTES:].rstrip(b"\0")


def _of_table(path: Path, found: Recognition, *, whole: bool) -> Preflight:
    """The header row of a CSV or TSV. Whether it is data rather than names, its own cells alone may say here."""
    raw = b""
    stream = _Beginning(_stored(path, whole=whole), found.compression)
    try:
        for piece in stream.pieces():
            raw += piece
            if len(raw) >= SAMPLE_BYTES:
                break
    except DamagedStreamError:
        pass  # of a packed file that is short; told with its line when the rows are read
    sample = raw[found.mark_bytes : SAMPLE_BYTES].decode(found.encoding, "replace")
    dialect = find_dialect(sample, whole=len(raw) < SAMPLE_BYTES, named_tsv=found.named is SourceFormat.TSV)

    def first_row(encoding: str, dialect: Dialect) -> Row | None:
        stream = _Beginning(_stored(path, whole=whole), found.compression)
        return _first_filled(Rows(stream, encoding, found.mark_bytes, dialect))

    is_tsv = dialect.separator == "\t"
    try:
        row = _in_either_encoding(first_row, found, dialect)
    except FileRefused as refused:
        if not is_tsv or refused.kind is not CSV_QUOTE_INVALID:
            raise
        row = _in_either_encoding(first_row, found, replace(dialect, quotes=False))  # as the reader does
    if row is None:
        raise refusal(CSV_HEADER_MISSING, "The file has no row at all.", Place(line=1))
    if looks_like_data(row.cells, [CellType.TEXT] * len(row.cells)):
        shown = Place(line=row.line, excerpt=safe_excerpt(dialect.separator.join(row.cells)))
        raise refusal(CSV_HEADER_MISSING, "The first row looks like data: it must name the columns.", shown)
    kind = SourceFormat.TSV if is_tsv else SourceFormat.CSV
    names = _shown(row.cells)
    return Preflight(Verdict.SOUND, kind.value, found.compression.value, columns=len(row.cells), names=names)


def _first_filled(rows: Iterable[Row]) -> Row | None:
    """The first row that is not blank."""
    for number, row in enumerate(rows):
        if row.cells:
            return row
        if number == _BLANK_ROWS:
            raise _LongHeaderError
    return None


def _shown(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(safe_excerpt(name, MOST_OF_NAME) for name in names[:MOST_NAMES])


def _in_either_encoding(
    first_row: Callable[[str, Dialect], Row | None], found: Recognition, dialect: Dialect
) -> Row | None:
    try:
        return first_row(found.encoding.value, dialect)
    except UnicodeDecodeError:
        return first_row("latin-1", dialect)


def _stored(path: Path, *, whole: bool) -> Iterator[bytes]:
    """The stored bytes that are there; where they are not all, their end is no end of the file."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    if not whole:
        raise _PrefixEndedError


class _Text:
    """A text in pieces, as `WholeLines` takes it; nothing is unpacked before it is asked for."""

    end_marker_missing = False

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[list[bytes]]:
        return ([piece] for piece in self._pieces if piece)
