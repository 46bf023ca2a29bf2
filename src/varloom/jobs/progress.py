"""From a stage's bare counts to what people want to know: how fast, and how long still."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SMOOTHING_SECONDS = 5.0
"""The rate is an exponential mean over about so long, so that it neither jumps nor lags."""


class RateMeter:
    """Adds `rate` (units a second) and `eta_seconds` to successive counts of one stage."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: float | None = None
        self._done = 0
        self._rate: float | None = None

    def measure(self, done: int, total: int | None, unit: str) -> dict[str, Any]:
        """The progress of the contract for this count; `rate` and `eta_seconds` are None until they are known."""
        now = self._clock()
        if self._at is None or done < self._done:  # it counts something else now
            self._at, self._done, self._rate = now, done, None
        elif (elapsed := now - self._at) > 0:
            current = max(0, done - self._done) / elapsed
            weight = min(1.0, elapsed / SMOOTHING_SECONDS)
            self._rate = current if self._rate is None else self._rate + weight * (current - self._rate)
            self._at, self._done = now, done
        eta = (total - done) / self._rate if total is not None and self._rate else None
        return {
            "done": done,
            "total": total,
            "unit": unit,
            "rate": None if self._rate is None else round(self._rate, 1),
            "eta_seconds": None if eta is None else round(max(0.0, eta), 1),
        }
