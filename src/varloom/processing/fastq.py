"""FASTQ as text: unpacked a piece at a time, and held to the format read by read.

Format: Cock et al., Nucleic Acids Res 2010; 38(6): 1767-71. Reads have four lines each; sequences over several lines,
which no sequencer has written for years, are refused.
"""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from varloom.errors import Place, VarloomError, counted, safe_excerpt
from varloom.genomics.packing import BGZIP_END, DECOMPRESSION_ERRORS, PACKINGS, Compression, compression_of
from varloom.genomics.recognition import SourceFormat, recognise
from varloom.processing.problems import (
    READS_EMPTY,
    READS_MALFORMED,
    READS_NOT_READS,
    READS_TRUNCATED,
    READS_UNPAIRED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from varloom.processing.model import Lane, ReadsFile

    OnBytes = Callable[[int], None]
    """Told how many bytes of the stored file have been read."""

_STORED = 1 << 20
"""Bytes of the file that are read at a time."""
_PIECE = 4 << 20
"""Bytes of text that are looked at together."""
_LONGEST_READ = 64 << 20
"""Bytes of a read's four lines: what has none after so many is no FASTQ."""
_LONGEST_NAME = 254
"""Bytes of a read's name that a BAM can have."""
BASES = b"ACGTUNacgtunRYSWKMBDHVryswkmbdhv.-*"
"""Letters of sequences: bases, and IUPAC's codes for more than one."""
QUALITIES = bytes(range(33, 127))
"""Letters of qualities."""
_HEADS = bytes(range(32, 127)) + b"\t"
"""What the names of reads, and what follows them, are usually written in."""
_NAME = re.compile(rb"[!-~]+")
"""What SAM allows in a name; an aligner cuts others off, and reads of several pairs get one name."""
_ALIKE_PAIRS = 100
"""So many pairs, and all of a lane, with equal mates are no chance."""
_SHORT_HEAD = 5
"""Characters of a first line that may be all mark and no name (`@/1`)."""
_SECOND_WORD = re.compile(rb"\s([12]):[YN]:")
_OLDEST_QUALITIES = range(64, 105)
"""Of Illumina's machines before 2011: `@` to `h`, and better ones than `K`, which are none of today's."""
_BEST_QUALITY = ord("K")
_NEWLINE = 10


class Counted(NamedTuple):
    """What was read of a lane: reads (both mates count) and their bases."""

    reads: int
    bases: int


class Records(NamedTuple):
    """Whole reads, as text and as the places of their lines.

    Attributes:
        text: four lines a read, each with its line feed.
        ends: of each line, the index of its line feed.
        lines: without their ends.
        first: the number of the first read, from 0.
    """

    text: bytes
    ends: NDArray[np.int64]
    lines: list[bytes]
    first: int

    @property
    def reads(self) -> int:
        """How many reads."""
        return len(self.ends) // 4


class FastqText:
    """The reads of one file, in pieces of whole reads; each piece has been held to the format."""

    def __init__(self, file: ReadsFile, on_bytes: OnBytes | None = None, *, is_checked: bool = False) -> None:
        """`on_bytes` is told how far the stored file is read; `is_checked` says that its reads have been looked at.

        Raises:
            VarloomError: `reads_not_reads`, `reads_empty`: the first bytes are no FASTQ.
        """
        self.file = file
        self.stored_bytes = file.path.stat().st_size
        self._on_bytes = on_bytes
        self._is_checked = is_checked
        self._read = 0
        _look(file)

    def pieces(self) -> Iterator[Records]:
        """All reads of the file.

        Raises:
            VarloomError: `reads_malformed`, `reads_truncated`, `reads_empty`.
        """
        rest, first = b"", 0
        for text in self._texts():
            if isinstance(text, VarloomError):
                raise _placed(text, first, rest.count(b"\n"))
            piece = _whole(rest + text, first)
            if piece.reads == 0 and len(rest) + len(text) > _LONGEST_READ:
                raise self._malformed(first, 1, "The read does not end", rest[:200])
            rest = (rest + text)[piece.ends[-1] + 1 if piece.reads else 0 :]
            if piece.reads:
                if not self._is_checked:
                    self._hold_to_format(piece)
                first += piece.reads
                yield piece
        rest = rest.rstrip(b"\r\n") + b"\n" if rest.strip() else b""
        if rest:
            piece = _whole(rest if rest.count(b"\n") != 3 else rest + b"\n", first)  # qualities of a read without bases
            if piece.reads != 1 or piece.ends[-1] != len(piece.text) - 1:
                lines = rest.count(b"\n")
                raise self._malformed(first, lines, f"The file ends after {lines} of the read's 4 lines", rest[:200])
            self._hold_to_format(piece)
            first += 1
            yield piece
        if first == 0:
            raise VarloomError(READS_EMPTY, f"{safe_excerpt(self.file.name, 80)} holds no read.")

    def _texts(self) -> Iterator[bytes | VarloomError]:
        """The text; where the packed data break off or are damaged, all before that, and last the error."""
        with self.file.path.open("rb") as stored:
            start = stored.read(18)
            stored.seek(0)
            packed = compression_of(start)
            while piece := (self._stored(stored) if packed is Compression.NONE else b""):
                yield piece
            if packed is not Compression.NONE:
                yield from self._unpacked(stored, packed)

    def _stored(self, stored: object) -> bytes:
        piece: bytes = stored.read(_STORED)  # type: ignore[attr-defined]
        self._read += len(piece)
        if self._on_bytes is not None and piece:
            self._on_bytes(self._read)
        return piece

    def _unpacked(self, stored: object, packed: Compression) -> Iterator[bytes | VarloomError]:
        packing = PACKINGS[packed]
        part, data, size = packing.new(), b"", 0
        gathered: list[bytes] = []
        while True:
            if not data and (part.eof or part.needs_input):
                data = self._stored(stored)
                if not data:
                    break
            if part.eof:
                data = data.lstrip(b"\0")  # tapes and some copies pad with zeros
                if not data:
                    continue
                part = packing.new()
            try:
                text = part.decompress(data, _PIECE)
            except DECOMPRESSION_ERRORS:
                yield b"".join(gathered)
                yield self._truncated("is damaged")
                return
            data = part.unused_data if part.eof else b""
            gathered.append(text)
            size += len(text)
            if size >= _PIECE:
                yield b"".join(gathered)
                gathered, size = [], 0
        yield b"".join(gathered)
        if not part.eof:
            yield self._truncated("ends in the middle of its packed data")

    def _hold_to_format(self, piece: Records) -> None:
        """Refuse the first read of a piece that is none."""
        text = np.frombuffer(piece.text, dtype=np.uint8)
        heads = text[np.concatenate(([0], piece.ends[:-1] + 1))].reshape(-1, 4)
        lengths = np.fromiter(map(len, piece.lines), dtype=np.int64, count=len(piece.lines)).reshape(-1, 4)
        wrong = (heads[:, 0] != ord("@")) | (lengths[:, 0] < 2) | (heads[:, 2] != ord("+")) | (lengths[:, 2] < 1)
        wrong |= lengths[:, 1] != lengths[:, 3]
        for read in np.flatnonzero(lengths[:, 0] > _LONGEST_NAME):
            wrong[read] |= len(read_name(piece.lines[4 * read])) > _LONGEST_NAME
        names = piece.lines[::4]
        if (lengths[:, 0] < _SHORT_HEAD).any() or b"".join(names).translate(None, _HEADS):
            wrong |= [_NAME.fullmatch(read_name(one)) is None for one in names]
        for line, allowed in ((1, BASES), (3, QUALITIES)):
            if b"".join(piece.lines[line::4]).translate(None, allowed):  # some letter is none of them
                wrong |= [bool(one.translate(None, allowed)) for one in piece.lines[line::4]]
        if wrong.any():
            raise self._said_of(piece, int(np.argmax(wrong)))

    def _said_of(self, piece: Records, read: int) -> VarloomError:
        """What is wrong with a read, in words."""
        name, bases, plus, qualities = piece.lines[4 * read : 4 * read + 4]
        number = piece.first + read
        if told := _said_of_name(name):
            return self._malformed(number, 1, told, name)
        if not plus.startswith(b"+"):
            return self._malformed(number, 3, "The third line of a read begins with `+`", plus)
        if odd := bases.translate(None, BASES):
            return self._malformed(number, 2, f"{chr(odd[0])!r} is no base", bases)
        if len(bases) != len(qualities):
            told = f"{counted(len(bases), 'base')} and {len(qualities):,} qualities"
            return self._malformed(number, 4, f"The read has {told}", qualities)
        return self._malformed(number, 4, "A quality is written as one of the characters ! to ~", qualities)

    def _malformed(self, read: int, line: int, message: str, excerpt: bytes) -> VarloomError:
        told = f"{safe_excerpt(self.file.name, 80)}, read {read + 1:,}: {message}."
        return VarloomError(READS_MALFORMED, told, Place(line=4 * read + line, excerpt=safe_excerpt(excerpt)))

    def _truncated(self, how: str) -> VarloomError:
        at = f"after byte {self._read:,} of {self.stored_bytes:,}"
        return VarloomError(READS_TRUNCATED, f"{safe_excerpt(self.file.name, 80)} {how}, {at}.")


def _placed(error: VarloomError, reads: int, lines: int) -> VarloomError:
    """A file that breaks off, with the first read that is not whole: after so many whole ones, and lines of its own."""
    message = f"{error.message[:-1]}, within read {reads + 1:,}."
    return VarloomError(error.kind, message, Place(line=4 * reads + lines + 1))


def _said_of_name(head: bytes) -> str | None:
    """What is wrong with the first line of a read; None if nothing is."""
    name = read_name(head)
    if not head.startswith(b"@") or not name:
        return "A read begins with `@` and a name"
    if len(name) > _LONGEST_NAME:
        return f"A read's name has at most {_LONGEST_NAME} characters"
    return None if _NAME.fullmatch(name) else "A read's name is written in ASCII without control characters"


def _look(file: ReadsFile) -> None:
    """Refuse what its first bytes tell to be no FASTQ."""
    found = recognise(file.path, file.name)
    name = safe_excerpt(file.name, 80)
    if found.format is SourceFormat.EMPTY and found.compression is Compression.NONE:
        raise VarloomError(READS_EMPTY, f"{name} is empty.")
    if found.compression not in {Compression.NONE, Compression.GZIP, Compression.BGZIP}:
        raise VarloomError(
            READS_NOT_READS, f"{name} is packed as {found.compression.value}; FASTQ may be plain or gzip."
        )
    known = {SourceFormat.EMPTY, SourceFormat.FASTQ, SourceFormat.TEXT, SourceFormat.CSV, SourceFormat.TSV}
    if found.format not in known and not (
        found.format is SourceFormat.BINARY and found.compression is not Compression.NONE
    ):
        raise VarloomError(
            READS_NOT_READS, f"{name} is no FASTQ: its content is {found.format.value.upper()}.", Place(line=1)
        )


def _whole(text: bytes, first: int) -> Records:
    """As many whole reads as a text has."""
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _NEWLINE)
    ends = ends[: len(ends) // 4 * 4]
    whole = text[: ends[-1] + 1] if len(ends) else b""
    lines = (whole.replace(b"\r\n", b"\n") if b"\r" in whole else whole).split(b"\n")[:-1]
    return Records(whole, ends, lines, first)


def read_name(line: bytes) -> bytes:
    """The name of a read from its first line: up to a space, without the mate's `/1` or `/2`.

    >>> read_name(b"@A00:1:H7:1:1101:100:200 1:N:0:ACGT")
    b'A00:1:H7:1:1101:100:200'
    >>> read_name(b"@SRR1.1/2")
    b'SRR1.1'
    """
    words = line[1:].split(None, 1)
    name = words[0] if words else b""
    return name[:-2] if name[-2:] in {b"/1", b"/2"} else name


def mate_of(line: bytes) -> bytes | None:
    """Which mate a read is by its first line: `1` or `2`; None where that does not tell.

    >>> mate_of(b"@A00:1:H7:1:1101:100:200 1:N:0:ACGT"), mate_of(b"@r7/2"), mate_of(b"@SRR1.1 1 length=100")
    (b'1', b'2', None)
    """
    if (told := _SECOND_WORD.search(line)) is not None:
        return told[1]
    words = line.split(None, 1)
    return words[0][-1:] if words and words[0][-2:] in {b"/1", b"/2"} else None


def has_old_qualities(file: ReadsFile) -> bool:
    """Whether the first reads have qualities as before 2011, counted from `@`: read as today's, each is 31 too high.

    Raises:
        VarloomError: those of `FastqText`.
    """
    for piece in FastqText(file, is_checked=True).pieces():
        found = b"".join(piece.lines[3::4])
        return bool(found) and min(found) in _OLDEST_QUALITIES and _BEST_QUALITY < max(found) <= _OLDEST_QUALITIES[-1]
    return False


def lacks_end(file: ReadsFile) -> bool:
    """Whether a bgzip file has no closing block: it may have been cut off between two blocks."""
    with file.path.open("rb") as stored:
        if compression_of(stored.read(18)) is not Compression.BGZIP:
            return False
        stored.seek(-min(file.path.stat().st_size, len(BGZIP_END)), os.SEEK_END)
        return stored.read() != BGZIP_END


def is_interleaved(file: ReadsFile) -> bool:
    """Whether the first reads of a file are mates in turn: by twos of one name.

    Raises:
        VarloomError: those of `FastqText`.
    """
    names = _first_names(file)
    return len(names) > 1 and all(one == other for one, other in zip(names[::2], names[1::2], strict=False))


def are_mates(first: ReadsFile, second: ReadsFile) -> bool:
    """Whether the first reads of two files have the same names.

    Raises:
        VarloomError: those of `FastqText`.
    """
    return (names := _first_names(first)) == _first_names(second) and bool(names)


def _first_names(file: ReadsFile) -> list[bytes]:
    for piece in FastqText(file).pieces():
        return [read_name(piece.lines[4 * read]) for read in range(min(piece.reads, 64))]
    return []


class LaneReader:
    """The reads of a lane, in pieces that belong together; names of mates are held against each other."""

    def __init__(self, lane: Lane, on_bytes: OnBytes | None = None, *, is_checked: bool = False) -> None:
        """`on_bytes` is told the bytes read of the stored files together; with `is_checked` no read is looked at.

        Raises:
            VarloomError: see `FastqText`.
        """
        self._done = [0, 0]
        self._on_bytes = on_bytes
        self.lane = lane
        self._is_checked = is_checked
        self._first = FastqText(lane.first, partial(self._reached, 0), is_checked=is_checked)
        second = lane.second
        self._second = FastqText(second, partial(self._reached, 1), is_checked=is_checked) if second else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open between pieces."""

    def pieces(self) -> Iterator[list[bytes]]:
        """Lists of lines: name, bases, `+`, qualities of a read, then of its mate where there is one, and so on.

        Raises:
            VarloomError: see `FastqText`; `reads_unpaired`.
        """
        if self._second is None:
            left: list[bytes] = []
            number = 0
            for piece in self._first.pieces():
                lines = left + _lines(piece)
                whole = len(lines) // 8 * 8 if self.lane.is_interleaved else len(lines)
                left, lines = lines[whole:], lines[:whole]
                if self.lane.is_interleaved:
                    self._compare(lines[::8], lines[4::8], number, step=2)
                number += len(lines) // 4
                yield lines
            if left:
                message = f"{safe_excerpt(self.lane.first.name, 80)}, read {number + 1:,}: the last read has no mate."
                raise VarloomError(READS_UNPAIRED, message, Place(line=4 * number + 1, excerpt=safe_excerpt(left[0])))
            return
        yield from self._pairs(self._second)

    def _pairs(self, second: FastqText) -> Iterator[list[bytes]]:
        ones, others = self._first.pieces(), second.pieces()
        left: tuple[list[bytes], list[bytes]] = ([], [])
        number = 0
        are_alike = not self._is_checked
        while True:
            for lines, source in zip(left, (ones, others), strict=True):
                if not lines:
                    lines.extend(_lines(next(source, None)))
            ready = min(len(left[0]), len(left[1]))
            if not ready:
                break
            mates = [lines[:ready] for lines in left]
            for lines in left:
                del lines[:ready]
            self._compare(mates[0][::4], mates[1][::4], number, step=1)
            are_alike = are_alike and all(mates[0][line::4] == mates[1][line::4] for line in (1, 3))
            number += ready // 4
            together: list[bytes] = [b""] * (2 * ready)
            for line in range(4):
                together[line::8], together[line + 4 :: 8] = mates[0][line::4], mates[1][line::4]
            yield together
        if left[0] or left[1]:
            self._unequal(number, second, longer_first=bool(left[0]))
        if are_alike and number >= _ALIKE_PAIRS:
            raise VarloomError(READS_UNPAIRED, f"{self._both()} hold the same reads: one file was given twice.")

    def _both(self) -> str:
        second = self._second.file.name if self._second else self.lane.first.name
        return f"{safe_excerpt(self.lane.first.name, 60)} and {safe_excerpt(second, 60)}"

    def _compare(self, ones: list[bytes], others: list[bytes], number: int, *, step: int) -> None:
        """Refuse the first two mates whose names differ."""
        if self._is_checked:
            return
        if number == 0 and ones and (mate := mate_of(ones[0])) is not None and mate == mate_of(others[0]):
            which = "first" if mate == b"1" else "second"
            message = f"{self._both()}: by their names both reads of a pair are {which} mates."
            raise VarloomError(READS_UNPAIRED, message, Place(line=1, excerpt=safe_excerpt(others[0])))
        for at, (one, other) in enumerate(zip(ones, others, strict=True)):
            if read_name(one) == read_name(other):
                continue
            read = number + at * step
            names = f"{safe_excerpt(one, 60)} and {safe_excerpt(other, 60)}"
            where = f"{self._both()}, read {read + 1:,}"
            line = 4 * (read + (step - 1)) + 1
            raise VarloomError(
                READS_UNPAIRED,
                f"{where}: the names of the mates differ, {names}.",
                Place(line, excerpt=safe_excerpt(other)),
            )

    def _unequal(self, number: int, second: FastqText, *, longer_first: bool) -> None:
        longer, shorter = (self._first, second) if longer_first else (second, self._first)
        message = (
            f"{safe_excerpt(shorter.file.name, 60)} ends after {counted(number, 'read')}, and "
            f"{safe_excerpt(longer.file.name, 60)} has more: read {number + 1:,} has no mate."
        )
        raise VarloomError(READS_UNPAIRED, message, Place(line=4 * number + 1))

    def _reached(self, which: int, done: int) -> None:
        self._done[which] = done
        if self._on_bytes is not None:
            self._on_bytes(sum(self._done))


def _lines(piece: Records | None) -> list[bytes]:
    return piece.lines if piece is not None else []


def stored_bytes(lane: Lane) -> int:
    """The bytes of a lane's files."""
    return sum(file.path.stat().st_size for file in (lane.first, lane.second) if file is not None)


def packed_bytes(lanes: Iterable[Lane]) -> int | None:
    """The bytes of the files of lanes; None where one of them is not packed."""
    total = 0
    for file in (file for lane in lanes for file in (lane.first, lane.second) if file is not None):
        with file.path.open("rb") as stored:
            if compression_of(stored.read(18)) is Compression.NONE:
                return None
        total += file.path.stat().st_size
    return total


def count(lane: Lane, on_bytes: OnBytes | None = None) -> Counted:
    """Read a whole lane, and hold it to the format.

    Raises:
        VarloomError: see `LaneReader`.
    """
    reads = bases = 0
    with LaneReader(lane, on_bytes) as reader:
        for lines in reader.pieces():
            reads += len(lines) // 4
            bases += sum(map(len, lines[1::4]))
    return Counted(reads, bases)
