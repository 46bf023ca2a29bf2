"""Text in buffers that are used again and again, with room around it, so that no copy has to be made to parse it."""

from __future__ import annotations

import contextlib
import mmap as system
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import NamedTuple

ROOM_BEFORE = 1 << 16
"""Bytes before a text, for the beginning of a line whose end the text starts with."""

ROOM_BEHIND = 64
"""Bytes behind a text, which a kernel may look at."""

_MOST_KEPT = 5
_HUGE_PAGE = 1 << 21
_IN_HUGE_PAGES: int | None = getattr(system, "MADV_HUGEPAGE", None)


class RoomyText(NamedTuple):
    """A text within a buffer: the bytes from `start` to `end`. At least ROOM_BEHIND more follow."""

    buffer: mmap
    start: int
    end: int

    def view(self) -> memoryview:
        """The text, where it is."""
        return memoryview(self.buffer)[self.start : self.end]

    def cut_off(self, carry: bytes) -> tuple[RoomyText, bytes] | None:
        """What was carried on, with this text up to its last line feed, and what follows that.

        Nothing is changed, and None is returned, when the text has no line feed or the room is too small.
        """
        end = self.buffer.rfind(b"\n", self.start, self.end) + 1
        start = self.start - len(carry)
        if not end or start < 0:
            return None
        self.buffer[start : self.start] = carry
        return RoomyText(self.buffer, start, end), bytes(memoryview(self.buffer)[end : self.end])


class TextBuffers:
    """Buffers for texts of up to `size` bytes. Those that are given back are used again, in any thread.

    They are memory of the system rather than bytearrays, which would be filled with zeros under Python's lock. The
    first two megabytes are one page where there are such: a fault of the system rather than 512. The rest is in small
    ones, so that it takes no more memory than is used.
    """

    def __init__(self, size: int) -> None:
        wanted = ROOM_BEFORE + size + ROOM_BEHIND
        self._size = (wanted + _HUGE_PAGE - 1) // _HUGE_PAGE * _HUGE_PAGE
        self._free: list[mmap] = []

    def take(self) -> mmap:
        """A buffer, whatever it holds."""
        try:
            return self._free.pop()
        except IndexError:
            made = mmap(-1, self._size, MAP_PRIVATE | MAP_ANONYMOUS)
            if _IN_HUGE_PAGES is not None:
                with contextlib.suppress(OSError):  # a kernel that has none
                    made.madvise(_IN_HUGE_PAGES, 0, _HUGE_PAGE)
            return made

    def give_back(self, buffer: object) -> None:
        """Say that nobody looks at a buffer any more; others than those from here are left alone."""
        if isinstance(buffer, mmap) and len(buffer) == self._size and len(self._free) < _MOST_KEPT:
            self._free.append(buffer)
