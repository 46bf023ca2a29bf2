"""How long a request that failed is repeated within an attempt, before the attempt fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from varloom.transfer import problems

if TYPE_CHECKING:
    from varloom.errors import VarloomError

PATIENT_TRIES = 5
"""So many requests may fail one after the other, without a byte between them."""
FIRST_WAIT = 0.5
"""Seconds before the first of them is repeated; then twice as long each time."""
LONGEST_WAIT = 20.0
"""A source that asks for more is not waited for here, but by the retry of the stage."""
LEAST_GAIN = 16 * 1024
"""A request that fails after fewer bytes counts as one without any: else a source that gives a byte for each could make
a file of millions of pieces."""
SILENCES = 2.5
"""So many times the silence that fails one request may have passed without a byte when it is repeated: its own silence
on top of that must end before the stage counts as stalled."""

_WAITED_FOR = frozenset(
    {
        problems.DOWNLOAD_DNS,
        problems.DOWNLOAD_UNREACHABLE,
        problems.DOWNLOAD_STALLED,
        problems.DOWNLOAD_INTERRUPTED,
        problems.DOWNLOAD_RATE_LIMITED,
        problems.DOWNLOAD_SERVER_ERROR,
        problems.DOWNLOAD_RANGE_IGNORED,
    }
)
"""What a moment of waiting may mend. What else is retryable is for the retry of the stage."""


class Patience:
    """How long failed requests are repeated, for one part of the file."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._tries = self._gained = 0
        self._moved_at = time.monotonic()

    def renew(self, gained: int) -> None:
        """So many bytes have come."""
        self._moved_at = time.monotonic()
        self._gained += gained
        if self._gained >= LEAST_GAIN:
            self._tries = self._gained = 0

    def wait(self, failure: VarloomError) -> None:
        """Wait before the next request, or give up by raising the failure."""
        self._tries += 1
        wait = max(FIRST_WAIT * 2 ** (self._tries - 1), failure.retry_after or 0.0)
        silent_for = time.monotonic() - self._moved_at + wait
        is_over = self._tries >= PATIENT_TRIES or silent_for > SILENCES * self._silence
        if failure.kind not in _WAITED_FOR or wait > LONGEST_WAIT or is_over:
            raise failure
        time.sleep(wait)
