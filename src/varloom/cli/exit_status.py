"""What the exit status says; scripts rely on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OK = 0
ERROR = 1
"""An error, or refused input."""
USAGE = 2
JOB_FAILED = 3
JOB_CANCELLED = 4
INTERRUPTED = 130
"""Ctrl+C, as shells report it."""


def status_of(jobs: Iterable[Mapping[str, Any]]) -> int:
    """The status for jobs that have ended: failed outweighs cancelled, which outweighs completed."""
    states = {job["state"] for job in jobs}
    if "failed" in states:
        return JOB_FAILED
    return JOB_CANCELLED if "cancelled" in states else OK
