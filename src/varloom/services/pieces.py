"""Files of the storage whole or in parts, as the Range header of HTTP asks for them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.services.problems import RANGE_INVALID, SAMPLE_FILE_GONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from varloom.storage import Storage

PORTION = 4 << 20
"""Bytes that are read at a time."""

_RANGES = re.compile(r"bytes=(?P<ranges>.*)", re.IGNORECASE)
_ONE = re.compile(r"(?P<first>[0-9]*)-(?P<last>[0-9]*)")
_FAR = 10**18
"""Stands for every place that lies farther than any file reaches: numbers of any length may be asked for."""


class RangeBeyondError(VarloomError):
    """A Range header that asks for nothing that the file has; `size` is what it has, in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(RANGE_INVALID, f"Range: the file has {size:,} bytes.")
        self.size = size


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file, from `start` on and before `end`; `is_part` unless the whole was asked for.

    Attributes:
        etag: a strong validator (RFC 9110, section 8.8.3): what lies under a name of the storage never changes.
    """

    download_name: str
    etag: str
    size: int
    start: int
    end: int
    is_part: bool
    content: AsyncIterator[bytes]


async def open_piece(
    storage: Storage, key: str, size: int, download_name: str, asked: str | None, *, only_if: str | None = None
) -> Piece:
    """A file of the storage, or the part of it that a Range header asks for.

    Args:
        storage: where it lies.
        key: under which.
        size: its bytes.
        download_name: what a browser calls it.
        asked: the header; one that is malformed, or asks for several parts or in other units, is as good as none.
        only_if: the header If-Range: of another file than it names the whole is sent.

    Raises:
        RangeBeyondError: `range_invalid`: the file has no such part.
        VarloomError: `sample_file_gone`, or those of `Storage`.
    """
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    part = _part(asked, size) if only_if in {None, etag} else None
    start, end = part or (0, size)
    try:  # before the answer begins: afterwards nobody could be told
        first = await asyncio.to_thread(storage.read_range, key, start, min(end, start + PORTION))
    except FileNotFoundError:
        raise VarloomError(SAMPLE_FILE_GONE, f"{download_name} is not in the storage any more.") from None
    return Piece(download_name, etag, size, start, end, part is not None, _content(storage, key, first, (start, end)))


async def _content(storage: Storage, key: str, first: bytes, place: tuple[int, int]) -> AsyncIterator[bytes]:
    start, end = place
    yield first
    for begin in range(start + PORTION, end, PORTION):
        yield await asyncio.to_thread(storage.read_range, key, begin, min(end, begin + PORTION))


def _part(asked: str | None, size: int) -> tuple[int, int] | None:
    """Where the part begins and ends that is asked for; None for the whole (RFC 9110, section 14).

    What is malformed is ignored rather than guessed at: the whole file is never wrong.
    """
    match = _RANGES.fullmatch(asked.strip(" \t")) if asked else None
    if match is None:
        return None
    parts = [one for one in (one.strip(" \t") for one in match["ranges"].split(",")) if one]
    one = _ONE.fullmatch(parts[0]) if len(parts) == 1 else None
    if one is None or not (one["first"] or one["last"]):
        return None
    if not one["first"]:
        start, end = max(0, size - _number(one["last"])), size
    else:
        start = _number(one["first"])
        last = _number(one["last"]) if one["last"] else _FAR
        if last < start:
            return None
        end = min(size, last + 1)
    if start >= size:
        raise RangeBeyondError(size)
    return start, end


def _number(digits: str) -> int:
    told = digits.lstrip("0")
    return _FAR if len(told) >= len(str(_FAR)) else int(told or "0")
