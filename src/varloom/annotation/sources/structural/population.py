"""How often a structural variant was seen in a population: the known variant that overlaps it best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.sources.structural.intervals import IntervalIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from varloom.annotation.sources.structural.events import Event

    Numbers = npt.NDArray[np.int64]
    Reals = npt.NDArray[np.float64]

TYPES = ("DEL", "DUP", "INS", "INV", "CNV")
"""The types that can be found again in another call set; of breakends only one end is known for sure."""
_CLASSES = 32
"""Known variants are told apart by the powers of two of their length, so that only those are looked at whose length
can be near enough."""
_PASSED = frozenset({"PASS", "MULTIALLELIC"})
_REPEATED = ["contig", "type", "filter"]
_COLUMNS = ["contig", "start", "end", "length", "type", "id", "af", "af_popmax", "filter"]


class Matches(NamedTuple):
    """The best match of each row that has one; rows ascend.

    Attributes:
        rows: of the batch.
        sites: of the release.
        overlaps: reciprocal overlap, 0 to 1; of insertions the shorter length by the longer.
    """

    rows: Numbers
    sites: Numbers
    overlaps: Reals


class Population:
    """The known variants of a release that passed all filters, in memory."""

    def __init__(self, sites: pa.Table, least_overlap: float, insertion_distance: int) -> None:
        self._least = least_overlap
        self._distance = insertion_distance
        filters, filter_of = _encoded(sites["filter"])
        types, type_of = _encoded(sites["type"])
        numbers = np.array([*(TYPES.index(name) if name in TYPES else -1 for name in types), -1], np.int64)[type_of]
        passed = np.array([*(name in _PASSED for name in filters), True])[filter_of]
        lengths = _numbers(pc.fill_null(sites["length"], 0))
        usable = np.flatnonzero(passed & (numbers >= 0) & (lengths > 0))
        contigs, contig_of = _encoded(sites["contig"])
        self._contigs = {name: number for number, name in enumerate(contigs)}
        self.starts, self.ends = _numbers(sites["start"])[usable], _numbers(sites["end"])[usable]
        self._lengths = lengths[usable]
        taken = pa.array(usable)
        self.ids, self.frequencies, self.highest = (
            sites[name].take(taken).combine_chunks() for name in ("id", "af", "af_popmax")
        )
        self._ranks: Reals = pc.fill_null(self.frequencies, -1.0).to_numpy(zero_copy_only=False)
        groups = _group(contig_of[usable], numbers[usable], _class(self._lengths))
        self._index = IntervalIndex(groups, self.starts, self.ends)

    @classmethod
    def load(cls, folder: Path, least_overlap: float, insertion_distance: int) -> Self:
        """The sites of a release of the kind `structural`."""
        sites = pq.read_table(folder / "sites.parquet", columns=_COLUMNS, read_dictionary=_REPEATED)
        population = cls(sites, least_overlap, insertion_distance)
        del sites
        pa.default_memory_pool().release_unused()
        return population

    def can_look_up(self, event: Event) -> bool:
        """Whether a variant could be found, if it were known."""
        return event.type in TYPES and bool(event.length)

    def best(self, rows: Sequence[int], events: Sequence[Event], on_step: Callable[[], None]) -> Matches:
        """The best match of each variant: with the largest overlap, of those the most frequent, then the first.

        Args:
            rows: the numbers of the variants, ascending.
            events: those variants; all of them can be looked up.
            on_step: a sign of life.
        """
        types = np.array([TYPES.index(_counterpart(event)) for event in events], np.int64)
        contigs = np.array([self._contigs.get(event.contig, -1) for event in events], np.int64)
        points = types == TYPES.index("INS")
        starts = np.array([event.start for event in events], np.int64)
        ends = np.where(points, starts, np.array([event.end for event in events], np.int64))
        lengths = np.where(points, np.array([event.length or 0 for event in events], np.int64), ends - starts + 1)
        asked, classes = self._classes(lengths, contigs)
        reach = np.where(points, self._distance, 0)[asked]
        groups = _group(contigs[asked], types[asked], classes)
        query, found = self._index.overlaps(groups, np.maximum(starts[asked] - reach, -1), ends[asked] + reach, on_step)
        number, sites = asked[query], found
        shares = self._shares(starts[number], ends[number], lengths[number], points[number], sites)
        near = shares >= self._least - 1e-12
        number, sites, shares = number[near], sites[near], shares[near]
        order = np.lexsort((sites, -self._ranks[sites], -shares, number))
        number, first = np.unique(number[order], return_index=True)
        chosen = order[first]
        return Matches(np.array(rows, np.int64)[number], sites[chosen], shares[chosen])

    def _classes(self, lengths: Numbers, contigs: Numbers) -> tuple[Numbers, Numbers]:
        """For each variant on a known contig the classes in which a match can be, an entry each."""
        lowest = _class(np.maximum(np.floor(lengths * self._least), 1).astype(np.int64))
        highest = _class(np.minimum(np.ceil(lengths / self._least), 2.0**31).astype(np.int64))
        counts = np.where(contigs >= 0, highest - lowest + 1, 0)
        asked = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
        steps = np.arange(len(asked)) - np.repeat(np.cumsum(counts) - counts, counts)
        return asked, lowest[asked] + steps

    def _shares(
        self, starts: Numbers, ends: Numbers, lengths: Numbers, points: npt.NDArray[np.bool_], sites: Numbers
    ) -> Reals:
        known = self._lengths[sites]
        shared = np.minimum(ends, self.ends[sites]) - np.maximum(starts, self.starts[sites]) + 1
        shared = np.where(points, np.minimum(lengths, known), np.maximum(shared, 0))
        longest: Reals = shared / np.maximum(lengths, known)
        return longest


def _counterpart(event: Event) -> str:
    """The type under which others know it: a CNV of which is known what became of the copies counts as that."""
    if event.type != "CNV" or event.change is None:
        return event.type
    return "DEL" if event.change == "loss" else "DUP"


def _class(lengths: Numbers) -> Numbers:
    """The power of two below a length."""
    return np.frexp(np.maximum(lengths, 1).astype(np.float64))[1].astype(np.int64) - 1


def _group(contigs: Numbers, types: Numbers, classes: Numbers) -> Numbers:
    return (contigs * len(TYPES) + types) * _CLASSES + classes


def _numbers(column: Any) -> Numbers:
    numbers: Numbers = column.to_numpy().astype(np.int64)
    return numbers


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], Numbers]:
    """The different texts of a column, and which of them each row has: -1, the last, where it is missing."""
    array = column.unify_dictionaries().combine_chunks()
    array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    return array.dictionary.to_pylist(), _numbers(pc.fill_null(array.indices, -1))
