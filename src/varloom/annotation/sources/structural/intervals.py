"""Which intervals overlap: an index over all contigs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ncls import NCLS

from varloom.annotation.sources.structural.problems import TOO_MANY_OVERLAPS
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

APART = 1 << 33
"""How far the contigs (or other groups) lie apart on the one axis of the index."""
_STEP = 1_000
MOST_PAIRS = 4_000_000
"""How many overlaps one batch may have; a batch that has more is tried in halves."""


class IntervalIndex:
    """Intervals of groups, such as contigs; coordinates are 1-based and inclusive."""

    def __init__(self, groups: Numbers, starts: Numbers, ends: Numbers) -> None:
        origin = groups.astype(np.int64) * APART
        self._size = len(starts)
        if self._size:
            self._tree = NCLS(origin + starts, origin + ends + 1, np.arange(self._size, dtype=np.int64))

    def overlaps(
        self, groups: Numbers, starts: Numbers, ends: Numbers, on_step: Callable[[], None] = lambda: None
    ) -> tuple[Numbers, Numbers]:
        """All pairs of a query and an interval that share a base, as two arrays of indexes, sorted by both.

        Raises:
            VarloomError: there are more than `MOST_PAIRS`.
        """
        nothing = np.empty(0, np.int64)
        if not self._size or not len(starts):
            return nothing, nothing
        origin = groups.astype(np.int64) * APART
        queries, found, total = [], [], 0
        for first in range(0, len(starts), _STEP):
            on_step()
            part = slice(first, first + _STEP)
            numbers = np.arange(first, first + len(starts[part]), dtype=np.int64)
            query, interval = self._tree.all_overlaps_both(
                origin[part] + starts[part], origin[part] + ends[part] + 1, numbers
            )
            queries.append(query)
            found.append(interval)
            total += len(query)
            if total > MOST_PAIRS and len(starts) > 1:
                message = f"The variants of a batch overlap more than {MOST_PAIRS:,} genes or known variants."
                raise VarloomError(TOO_MANY_OVERLAPS, message)
        query, interval = np.concatenate(queries), np.concatenate(found)
        order = np.lexsort((interval, query))
        return query[order], interval[order]
