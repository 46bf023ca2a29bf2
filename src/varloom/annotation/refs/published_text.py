"""The text of a published file: its comment lines, then whole lines by the megabyte, whatever packs it."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from varloom.annotation.refs.problems import REFERENCE_MALFORMED
from varloom.errors import Place, VarloomError, safe_excerpt
from varloom.reader.model import ReadOptions
from varloom.reader.opening import recognise_file
from varloom.reader.portions import Portions
from varloom.reader.stored_file import StoredFile
from varloom.reader.threads import reading_threads
from varloom.reader.whole_lines import Broken, WholeLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from varloom.reader.model import ReadProgress


class PublishedText:
    """Reads a text once, from its start; use it in a `with` block.

    Compressed data that are damaged or cut short are refused, also where only the marker that ends a bgzip file is
    missing: a copy that broke off between two blocks has whole lines and lacks most of its sites.
    """

    def __init__(self, path: Path, on_bytes: Callable[[int, int], None] | None = None) -> None:
        self.path = path
        self.lines = 0
        self._file = StoredFile(path, on_progress=None if on_bytes is None else _bytes_only(on_bytes))
        threads = reading_threads(ReadOptions())
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="published-text")
        self._portions = Portions(self._file, recognise_file(path, path.name).compression, self._pool, threads + 1)
        self._text = WholeLines(self._portions)
        self._first: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def comments(self, mark: bytes = b"##") -> list[str]:
        """The lines at the start that begin with the mark; `next_line` gives the one after them."""
        found: list[str] = []
        line = self.next_line()
        while line is not None and line.startswith(mark):
            found.append(line.decode("utf-8", "replace"))
            line = self.next_line()
        self._first = line
        return found

    def next_line(self) -> bytes | None:
        """The next line without its end; None behind the last one."""
        line, self._first = self._first, None
        if line is None:
            with self._told():
                line = self._text.next_line()
            self.lines += line is not None
        return None if line is None else line.removesuffix(b"\r")

    def chunks(self) -> Iterator[memoryview]:
        """All lines that are left, some megabytes at a time; a chunk is gone when the next one is asked for."""
        while True:
            with self._told():
                lines = next(self._text, None)
            if lines is None:
                break
            buffer, start, end = lines.placed(0)
            with memoryview(buffer) as whole, whole[start:end] as text:
                yield text
            self._portions.give_back(buffer)
        if self._portions.end_marker_missing:
            message = f"{safe_excerpt(self.path.name)} lacks the marker that ends a bgzip file: it is cut short."
            raise VarloomError(REFERENCE_MALFORMED, message)
        self._file.report_end_of_pass()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what is wrong with the packing in the words of the library."""
        try:
            yield
        except Broken as broken:
            name = safe_excerpt(self.path.name)
            raise VarloomError(REFERENCE_MALFORMED, f"{name}: {broken.refusal(self.lines + 1).message}") from broken


def malformed(path: Path, message: str, line: int | None = None, excerpt: str | bytes | None = None) -> VarloomError:
    """The refusal of a published file, by its name."""
    shown = None if excerpt is None else safe_excerpt(excerpt)
    return VarloomError(REFERENCE_MALFORMED, f"{safe_excerpt(path.name)}: {message}", Place(line=line, excerpt=shown))


def _bytes_only(on_bytes: Callable[[int, int], None]) -> Callable[[ReadProgress], None]:
    return lambda progress: on_bytes(progress.bytes_done, progress.bytes_total)
