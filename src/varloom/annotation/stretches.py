"""Stretches of the genome whose variants say something together: a file's chunks are cut between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from varloom.genomics.assemblies import Assembly

    Places = NDArray[np.int64]

STRETCHES = pa.schema(
    [
        pa.field("contig", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
    ]
)
"""What a source tells. `contig`: its bare name. `start` and `end`: 1-based, inclusive. In any order."""


class Limits(NamedTuple):
    """Where chunks may end.

    Attributes:
        slack: within the last so many rows the longest gap is looked for.
        most: rows of a chunk; one that has as many is cut wherever it is.
    """

    slack: int
    most: int


class Stretches:
    """Stretches of several sources; those that meet are one."""

    def __init__(self, tables: Iterable[pa.Table], assembly: Assembly | None) -> None:
        """`tables` have the schema `STRETCHES`; the assembly is that of the variants."""
        self._assembly = assembly
        self._merged: Mapping[str, tuple[Places, Places]] = {
            contig: _merged(pa.concat_tables(parts)) for contig, parts in _by_contig(tables).items()
        }

    def cuttable(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """After which rows a batch may be cut, the last one aside: no stretch goes on from them to a later row.

        Args:
            batch: of variants. Where its positions are not in order nothing can be promised.
        """
        contigs = batch.column("contig").to_numpy(zero_copy_only=False)
        begins = batch.column("position").to_numpy()
        widths = pc.binary_length(batch.column("ref")).to_numpy(zero_copy_only=False)
        changes = np.flatnonzero(contigs[1:] != contigs[:-1]) + 1
        free = np.ones(max(0, len(begins) - 1), bool)
        for low, high in zip([0, *changes], [*changes, len(begins)], strict=True):
            starts, ends = self._of(contigs[low]) if high - low > 1 else (_NOWHERE, _NOWHERE)
            if len(starts):
                reached = np.maximum.accumulate(begins[low:high] + np.maximum(widths[low:high], 1) - 1)[:-1]
                ahead = np.minimum.accumulate(begins[low:high][::-1])[::-1][1:]
                last = np.searchsorted(starts, reached, side="right")
                free[low : high - 1] = (last == 0) | (ends[last - 1] < ahead)
        return free

    def _of(self, contig: str) -> tuple[Places, Places]:
        bare = bare_name(contig, self._assembly)
        return self._merged.get(bare, (_NOWHERE, _NOWHERE))


_NOWHERE: Places = np.empty(0, np.int64)


def _by_contig(tables: Iterable[pa.Table]) -> dict[str, list[pa.Table]]:
    found: dict[str, list[pa.Table]] = {}
    for table in tables:
        for contig in table.column("contig").unique().to_pylist():
            found.setdefault(contig, []).append(table.filter(pc.equal(table.column("contig"), contig)))
    return found


def _merged(table: pa.Table) -> tuple[Places, Places]:
    """The stretches of one contig, sorted; what overlaps is one."""
    starts, ends = (table.column(name).to_numpy().astype(np.int64) for name in ("start", "end"))
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    begins = np.flatnonzero(np.concatenate([[True], starts[1:] > reached[:-1]]))
    return starts[begins], reached[np.concatenate([begins[1:] - 1, [len(starts) - 1]])]


def cut_between(batches: Iterable[pa.RecordBatch], stretches: Stretches, limits: Limits) -> Iterator[pa.RecordBatch]:
    """The same variants, cut anew between stretches, where the way to the next variant is longest.

    A batch in which no cut is possible grows until there is one, or until it has as many rows as the limits allow:
    then it is cut at its longest gap, and what a stretch tells of variants together is lost there.

    Args:
        batches: of variants, sorted by contig and position as a rule.
        stretches: between which it may be cut.
        limits: of the batches that come.
    """
    coming = iter(batches)
    held = next(coming, None)
    if held is None:
        return
    for batch in coming:
        end = _end(held, stretches, limits)
        if end is not None:
            yield held.slice(0, end)
            held = held.slice(end)
        held = pa.concat_batches([held, batch])
    yield held


def _end(batch: pa.RecordBatch, stretches: Stretches, limits: Limits) -> int | None:
    """After how many rows to cut a batch; None if it should grow."""
    rows = int(batch.num_rows)
    if rows < 2:
        return None if rows < limits.most else rows
    gaps = _gaps(batch)
    first = max(0, rows - 1 - max(1, limits.slack))
    free = stretches.cuttable(batch)
    if free[first:].any():
        return first + int(np.argmax(np.where(free[first:], gaps[first:], -1))) + 1
    if free.any():
        return int(np.flatnonzero(free)[-1]) + 1
    return None if rows < limits.most else first + int(np.argmax(gaps[first:])) + 1


def _gaps(batch: pa.RecordBatch) -> Places:
    """The way from each row to the next one, in bases; to another contig it is longer than any."""
    contigs, positions = batch.column("contig"), batch.column("position").to_numpy()
    other = pc.not_equal(contigs.slice(1), contigs.slice(0, batch.num_rows - 1)).to_numpy(zero_copy_only=False)
    gaps: Places = np.where(other, 1 << 40, np.maximum(np.diff(positions), 0))
    return gaps
