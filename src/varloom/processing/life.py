"""Telling that a step works while nothing of it can be counted.

Only counts that differ show the worker that a stage moves: a program that works for hours would else be stopped as
stalled. `programs.watch` calls this for as long as the program uses processor or disk, and no longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from varloom.processing.model import Report


class Life:
    """Call it whenever something works; each call tells another count, of nothing but the calls."""

    def __init__(self, report: Report, what: str) -> None:
        self._report = report
        self._what = what
        self._calls = 0

    def __call__(self) -> None:
        """Something works."""
        self._calls += 1
        self._report(self._calls, None, self._what)
