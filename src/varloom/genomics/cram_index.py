"""The index of a CRAM (`.crai`): in which bytes of the file the reads of a place are."""

from __future__ import annotations

import gzip
import zlib
from typing import NamedTuple

END_BYTES = 38
"""Of the empty container at the end of a CRAM, of version 3."""


class _Slice(NamedTuple):
    """Some reads: of which contig by its number, from where (0-based) to before where, and in which container."""

    contig: int
    start: int
    end: int
    container: int


class CramIndex:
    """Where the containers of a CRAM lie."""

    def __init__(self, packed: bytes, size: int) -> None:
        """Read an index.

        Args:
            packed: the whole `.crai`.
            size: the bytes of the CRAM.

        Raises:
            ValueError: it is no index of such a file.
        """
        self._slices, begins = [], set()
        try:
            lines = gzip.decompress(packed).decode("ascii").splitlines()
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(str(error)) from None
        for line in lines:
            contig, start, span, container, *_ = (int(value) for value in line.split("\t"))
            self._slices.append(_Slice(contig, start - 1, start - 1 + span, container))
            begins.add(container)
        begins.add(size - END_BYTES)
        self._bounds = sorted(begins)
        if not 0 < self._bounds[0] <= self._bounds[-1] == size - END_BYTES:
            raise ValueError("the index is of another file")

    @property
    def header_end(self) -> int:
        """The bytes before the first container of reads: the header."""
        return self._bounds[0]

    def ranges(self, contig: int, start: int, end: int) -> list[tuple[int, int]]:
        """The bytes, from and before, of all containers with reads that reach into a place.

        Args:
            contig: its number in the header, from 0.
            start: 0-based.
            end: before which the place ends.
        """
        wanted = {one.container for one in self._slices if one.contig == contig and one.start < end and start < one.end}
        found: list[tuple[int, int]] = []
        for begin, after in zip(self._bounds, self._bounds[1:], strict=False):
            if begin not in wanted:
                continue
            if found and found[-1][1] == begin:
                found[-1] = (found[-1][0], after)
            else:
                found.append((begin, after))
        return found
