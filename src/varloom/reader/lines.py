"""Text lines out of decompressed bytes, numbered from 1, in blocks so that the loops over them stay cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.problems import COMPRESSION_TRUNCATED, LINE_TOO_LONG, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_LIMIT = 128 << 20
"""The longest line in bytes; a longer one is refused, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Consecutive whole lines without their line ends; `first` is the number of the first one, from 1.

    `cut` is true for the block of the very last line when that has no line end.
    """

    first: int
    lines: list[bytes]
    cut: bool = False


def line_blocks(stream: ByteStream) -> Iterator[LineBlock]:
    """All lines of a stream, split at LF; a CR before it stays with the line.

    Raises FileRefused with the place of the fault when the compression is damaged or a line is too long. All whole
    lines before the fault are handed out first.
    """
    first = 1
    carry: list[bytes] = []
    carried = 0
    pieces = stream.pieces()
    while True:
        try:
            piece = next(pieces, None)
        except DamagedStreamError as damage:
            raise _damaged(damage, first) from damage
        if piece is None:
            break
        cut = piece.rfind(b"\n")
        if cut < 0:
            carry.append(piece)
            carried += len(piece)
            if carried > LINE_LIMIT:
                raise _too_long(first, carry)
            continue
        carry.append(piece[:cut])
        lines = b"".join(carry).split(b"\n")
        carry = [piece[cut + 1 :]]
        carried = len(carry[0])
        yield LineBlock(first, lines)
        first += len(lines)
    last = b"".join(carry)
    if last:
        _check_whole(stream, first, last)
        yield LineBlock(first, [last], cut=True)


def _damaged(damage: DamagedStreamError, line: int) -> Exception:
    return refusal(damage.kind, f"{damage.message} {_last_good(line)}", Place(line=line))


def _last_good(line: int) -> str:
    if line == 1:
        return "Not even the first line could be read whole."
    return f"The last line that could be read whole is line {line - 1:,}."


def _check_whole(stream: ByteStream, line: int, last: bytes) -> None:
    if stream.end_marker_missing:
        raise refusal(
            COMPRESSION_TRUNCATED,
            f"The file lacks the marker that ends a bgzip file, and line {line:,} breaks off. {_last_good(line)}",
            Place(line=line, excerpt=safe_excerpt(last)),
        )


def _too_long(line: int, parts: list[bytes]) -> Exception:
    return refusal(
        LINE_TOO_LONG,
        f"Line {line:,} is longer than {LINE_LIMIT >> 20} MiB.",
        Place(line=line, excerpt=safe_excerpt(parts[0])),
    )
