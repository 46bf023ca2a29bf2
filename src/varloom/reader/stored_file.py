"""The bytes of a file as stored: read in chunks, hashed and counted in the same pass."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from varloom.reader.model import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK_BYTES = 256 * 1024
PROGRESS_SECONDS = 0.25
"""The least time between two reports of progress."""


class StoredFile:
    """Reads a file from its start, once or several times; only the first whole pass is hashed.

    Args:
        path: the file.
        passes: how many times it will be read, so that progress covers all of them.
        on_progress: called at most about four times a second, and at the end of each pass.
    """

    def __init__(
        self, path: Path, *, passes: int = 1, on_progress: Callable[[ReadProgress], None] | None = None
    ) -> None:
        self.path = path
        self._state = _state_of(path)
        self.bytes = self._state[0]
        self.records = 0
        self.sha256: str | None = None
        self._passes = passes
        self._passes_done = 0
        self._done_in_pass = 0
        self._on_progress = on_progress
        self._reported = time.monotonic()

    def chunks(self, *, report: bool = True) -> Iterator[bytes]:
        """The stored bytes. Raises OSError.

        With `report=False` another thread may take the chunks; then `tell` reports, in the thread of the reader.
        """
        digest = hashlib.sha256() if self.sha256 is None else None
        done = 0
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                if digest is not None:
                    digest.update(chunk)
                done += len(chunk)
                self._done_in_pass = done
                if report:
                    self.tell()
                yield chunk
        if digest is not None:
            self.sha256 = digest.hexdigest()
        self._done_in_pass = 0
        self._passes_done += 1
        if report:
            self.report_end_of_pass()

    @property
    def changed(self) -> bool:
        """Whether the file is another one than when this was made, by its size and the time of its last change.

        One that was removed is not: who has it open reads what it was.
        """
        try:
            return _state_of(self.path) != self._state
        except FileNotFoundError:
            return False

    def tell(self) -> None:
        """Report how far the reading is, if the last report is old enough."""
        self._report(self._done_in_pass)

    def report_end_of_pass(self) -> None:
        """Report the progress without regard to the time since the last report."""
        if self._on_progress is not None:
            done = self.bytes * min(self._passes_done, self._passes) // self._passes
            self._on_progress(ReadProgress(done, self.bytes, self.records))

    def _report(self, done_in_pass: int) -> None:
        now = time.monotonic()
        if self._on_progress is None or now - self._reported < PROGRESS_SECONDS:
            return
        self._reported = now
        done = (self.bytes * self._passes_done + done_in_pass) // self._passes
        self._on_progress(ReadProgress(min(done, self.bytes), self.bytes, self.records))


def _state_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
