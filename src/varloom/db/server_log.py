"""The log that the embedded server writes: its only voice while it starts."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LIMIT = 8 << 20
_TAIL_BYTES = 1 << 16
_TAIL_LINES = 12


class ServerLog:
    """One log file, which is put aside at a start when it has grown large."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._previous = path.with_name(f"{path.name}.1")

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor for a new server to append to."""
        if self.size() > _LIMIT:
            self._path.replace(self._previous)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def size(self) -> int:
        """The bytes written so far: when they grow, the server is alive."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def tail(self, start: int = 0) -> str:
        """The last lines after byte `start`."""
        with self._path.open("rb") as stream:
            stream.seek(max(start, self.size() - _TAIL_BYTES))
            return last_lines(stream.read().decode(errors="replace"))

    def remove(self) -> None:
        """Delete it, with the one that was put aside."""
        self._path.unlink(missing_ok=True)
        self._previous.unlink(missing_ok=True)


def last_lines(text: str) -> str:
    """As much of what a program said as an error can show."""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:]) or "it said nothing"
