"""Which intervals overlap: an index over all contigs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from superintervals import IntervalMap

from varloom.annotation.sources.structural.problems import TOO_MANY_OVERLAPS
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

APART = 1 << 33
"""How far apart things are put on an axis that they share; no coordinate is as large."""
MOST_PAIRS = 4_000_000
"""How many overlaps one batch may have; a batch that has more is tried in halves."""
_STEP = 1_000
_LARGEST = 2**31 - 2
"""Coordinates of the index have 32 bits; VCF allows no larger ones."""


class IntervalIndex:
    """Intervals of groups, such as contigs; coordinates are 1-based and inclusive."""

    def __init__(self, groups: Numbers, starts: Numbers, ends: Numbers) -> None:
        # The map numbers its intervals by start and, of the same start, from the longest on.
        self._order = np.lexsort((-ends, starts, groups))
        self._maps: dict[int, tuple[int, IntervalMap]] = {}
        for group, part in _runs(groups[self._order]):
            numbers = self._order[part]
            built = IntervalMap.from_arrays(_narrow(starts[numbers]), _narrow(ends[numbers]))
            self._maps[group] = (part.start, built)

    def overlaps(
        self, groups: Numbers, starts: Numbers, ends: Numbers, on_step: Callable[[], None] = lambda: None
    ) -> tuple[Numbers, Numbers]:
        """All pairs of a query and an interval that share a base, as two arrays of indexes, sorted by both.

        Raises:
            VarloomError: there are more than `MOST_PAIRS`, and more than one query.
        """
        queries, found, total = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        order = np.argsort(groups, kind="stable")
        for group, run in _runs(groups[order]):
            if group not in self._maps:
                continue
            begin, intervals = self._maps[group]
            for first in range(run.start, run.stop, _STEP):
                on_step()
                numbers = order[first : min(first + _STEP, run.stop)]
                hits = intervals.search_idxs_batch(_narrow(starts[numbers]), _narrow(ends[numbers]))
                counts = np.fromiter(map(len, hits), np.int64, len(hits))
                total += int(counts.sum())
                if total > MOST_PAIRS and len(starts) > 1:
                    message = f"The variants of a batch overlap more than {MOST_PAIRS:,} genes or known variants."
                    raise VarloomError(TOO_MANY_OVERLAPS, message)
                flat = np.fromiter((at for each in hits for at in each), np.int64, int(counts.sum()))
                queries.append(np.repeat(numbers, counts))
                found.append(self._order[flat + begin])
        query, interval = np.concatenate(queries), np.concatenate(found)
        sorted_pairs = np.lexsort((interval, query))
        return query[sorted_pairs], interval[sorted_pairs]


def _runs(groups: Numbers) -> Iterator[tuple[int, slice]]:
    """Where each group lies in sorted groups."""
    names, begins, counts = np.unique(groups, return_index=True, return_counts=True)
    for name, begin, count in zip(names.tolist(), begins.tolist(), counts.tolist(), strict=True):
        yield name, slice(begin, begin + count)


def _narrow(numbers: Numbers) -> Any:
    return np.clip(numbers, -_LARGEST, _LARGEST).astype(np.int32)
