"""Whole rows of a delimited text, many at once, for threads that parse them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from varloom.reader.native.memory import make_room
from varloom.reader.native.plain_text import is_suspicious
from varloom.reader.portions import Portions
from varloom.reader.roomy_text import RoomyText
from varloom.reader.whole_lines import Broken, WholeLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from varloom.genomics.recognition import Compression
    from varloom.reader.stored_file import StoredFile
    from varloom.reader.whole_lines import Lines

_LONGEST_ROW = 64 << 20
"""Bytes of a row of several lines; a longer one is left to the careful reader, which knows what is wrong with it."""


class OddTextError(Exception):
    """The text holds something that only the careful reader can judge."""


class Parsed(Protocol):
    """What a parser makes of some lines; see native/delimited_survey.pyx."""

    @property
    def source(self) -> bytes | bytearray: ...  # noqa: D102 - described there
    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def lines(self) -> int: ...  # noqa: D102
    @property
    def odd(self) -> bool: ...  # noqa: D102


P = TypeVar("P", bound=Parsed)


class RowChunks(Generic[P]):
    """The rows of a file, parsed in threads and handed out in order; iterate once.

    A chunk ends with a line; whether it ends with a row as well shows when it was parsed. If not, the row's beginning
    is put before the next chunk, which is parsed again.

    Args:
        file: the file as stored.
        compression: how it is packed.
        encoding: of its text: UTF-8, or one of single bytes.
        parse: makes of the bytes of whole lines, behind which stands one byte more, and of whether they may hold more
            than printable ASCII, what is handed out. Called in threads.
        threads: how many.
    """

    def __init__(
        self,
        file: StoredFile,
        compression: Compression,
        encoding: str,
        parse: Callable[[bytes | bytearray, bool], P],
        threads: int,
    ) -> None:
        self._parse = parse
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="csv-reader", initializer=make_room)
        self._portions = Portions(file, compression, self._pool, threads + 1)
        recoded = None if encoding.startswith("utf-8") else _Recoded(self._portions, encoding)
        self._lines = WholeLines(recoded or self._portions)
        self._row: bytes | bytearray = b""

    def next_line(self) -> bytes | None:
        """The next line without its line feed, before the rows are taken; None at the end. Raises OddTextError."""
        try:
            return self._lines.next_line()
        except Broken as broken:
            raise OddTextError from broken

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[P]:
        """What was parsed, in the order of the file. Raises OddTextError."""
        running: deque[Future[P]] = deque()
        coming = iter(self._lines)
        ended = False
        while True:
            while not ended and len(running) <= self._threads:
                try:
                    lines = next(coming, None)
                except Broken as broken:
                    raise OddTextError from broken
                if lines is None:
                    ended = True
                else:
                    running.append(self._pool.submit(self._parse_lines, lines))
            if not running:
                break
            yield self._whole(running.popleft().result())
        if self._row:
            raise OddTextError

    def _parse_lines(self, lines: Lines) -> P:
        data = lines.joined()
        if isinstance(lines.text, RoomyText):
            self._portions.give_back(lines.text.buffer)
        return self._parse(data, is_suspicious(data, 0, len(data) - 1))

    def _whole(self, parsed: P) -> P:
        """What was parsed, with the beginning of its first row."""
        if self._row:
            data = b"".join((self._row, parsed.source))
            parsed = self._parse(data, is_suspicious(data, 0, len(data) - 1))
        if parsed.odd:
            raise OddTextError
        self._row = parsed.source[parsed.end : -1]
        if len(self._row) > _LONGEST_ROW:
            raise OddTextError
        return parsed


class _Recoded:
    """Portions of a text of single bytes, as UTF-8."""

    def __init__(self, portions: Portions, encoding: str) -> None:
        self._portions = portions
        self._encoding = encoding

    @property
    def end_marker_missing(self) -> bool:
        return self._portions.end_marker_missing

    def __iter__(self) -> Iterator[list[bytes]]:
        for portion in self._portions:
            pieces = [bytes(portion.view())] if isinstance(portion, RoomyText) else portion
            yield [piece.decode(self._encoding).encode() for piece in pieces]
            if isinstance(portion, RoomyText):
                self._portions.give_back(portion.buffer)
