"""Keeping a download within its share of the line."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace:
    """Lets at most so many bytes a second pass, over all threads. Without a limit it costs nothing."""

    def __init__(
        self,
        bytes_per_second: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def pass_by(self, count: int) -> None:
        """Wait until so many bytes may have passed."""
        if self._limit is None:
            return
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self._limit
            wait = self._free_at - now
        if wait > 0:
            self._sleep(wait)
