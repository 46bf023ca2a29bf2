"""The file `sites.parquet` of a release: a row for each variant, sorted by contig, position and key.

The columns are `contig` (bare name), `position`, `ref`, `alt` (normalised), `key` (see
`varloom.genomics.variant_keys`), and those of the source. A row group holds one contig only, so that the least and
greatest keys in the footer are an index. Reading a batch takes the keys of the row groups that can hold one of its
variants, and the other columns of those that do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from varloom.genomics.variant_keys import HASHED, variant_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from varloom.annotation.lookups.normalising import Normalised

SITES = "sites.parquet"
ROW_GROUP = 65_536
PLACE = (
    pa.field("contig", pa.string(), nullable=False),
    pa.field("position", pa.int64(), nullable=False),
    pa.field("ref", pa.string(), nullable=False),
    pa.field("alt", pa.string(), nullable=False),
    pa.field("key", pa.int64(), nullable=False),
)
"""The columns that every such file has, in front of the source's own."""

_KEPT = 4
"""Row groups that stay unpacked: consecutive batches meet in one."""


class _Index(NamedTuple):
    """The row groups of a contig, in order: their numbers, and the least and greatest key of each."""

    groups: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Found(NamedTuple):
    """What was found of some variants: the values' columns, a row for each variant; missing where there is none."""

    values: pa.Table
    found: NDArray[np.bool_]


class SiteTable:
    """An open file of sites; use it in a `with` block, in one thread.

    Args of the constructor:
        path: the file.
        columns: of the source, that are wanted.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = pq.ParquetFile(path, memory_map=True)
        self._columns = list(columns)
        self.schema = pa.schema([self._file.schema_arrow.field(name) for name in columns])
        self._index = _index_of(self._file)
        self._keys: dict[int, NDArray[np.int64]] = {}
        self._values: dict[int, pa.Table] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def holds(self, contig: str) -> bool:
        """Whether there are sites of a contig."""
        return contig in self._index

    def find(self, contig: str, variants: Normalised) -> Found:
        """The rows of normalised variants of a contig, in any order; those that are not usable are not found."""
        index = self._index.get(contig)
        count = len(variants.position)
        if index is None or not variants.usable.any():
            return Found(self.nothing(count), np.zeros(count, dtype=bool))
        keys = variant_keys(variants.position, variants.ref, variants.alt)
        order = np.argsort(keys, kind="stable") if (keys[1:] < keys[:-1]).any() else np.arange(count)
        pieces, rows = self._hits(index, keys[order], order, variants)
        if not pieces:
            return Found(self.nothing(count), np.zeros(count, dtype=bool))
        at = np.full(count, -1, dtype=np.int64)
        at[np.concatenate(rows)] = np.arange(sum(map(len, rows)))
        found = at >= 0
        values = pa.concat_tables(pieces).take(pa.array(at, mask=~found))
        return Found(values, found)

    def nothing(self, count: int) -> pa.Table:
        """Missing values for so many variants."""
        return pa.table([pa.nulls(count, field.type) for field in self.schema], schema=self.schema)

    def _hits(
        self, index: _Index, keys: NDArray[np.int64], order: NDArray[np.int64], variants: Normalised
    ) -> tuple[list[pa.Table], list[NDArray[np.int64]]]:
        """Of each row group that has some of the keys, which are sorted: its rows, and which variants those are of."""
        groups = np.searchsorted(index.last, keys, side="left")
        inside = groups < len(index.last)
        inside[inside] = index.first[groups[inside]] <= keys[inside]
        pieces, rows = [], []
        candidates = np.flatnonzero(inside)
        for part in np.split(candidates, np.flatnonzero(np.diff(groups[candidates])) + 1) if candidates.size else ():
            number = int(index.groups[groups[part[0]]])
            places, which = self._in_group(number, keys[part], order[part], variants)
            if which.size:
                pieces.append(self._values_of(number).take(pa.array(places)))
                rows.append(which)
        return pieces, rows

    def _in_group(
        self, number: int, keys: NDArray[np.int64], which: NDArray[np.int64], variants: Normalised
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places in a row group of the keys that it has, and of which variants those are."""
        known = self._keys_of(number)
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        hit = known[places] == keys
        digested = np.flatnonzero(hit & ((keys & HASHED) != 0))
        if digested.size:
            self._compare(number, digested, places, hit, which, variants)
        return places[hit], which[hit]

    def _compare(
        self, number: int, rows: Any, places: Any, hit: Any, which: Any, variants: Normalised
    ) -> None:
        """See that alleles which are known by a digest alone are the same."""
        alleles = self._file.read_row_group(number, columns=["ref", "alt"]).take(pa.array(places[rows]))
        pairs = zip(alleles["ref"].to_pylist(), alleles["alt"].to_pylist(), strict=True)
        for row, pair in zip(rows.tolist(), pairs, strict=True):
            variant = int(which[row])
            hit[row] = pair == (variants.ref[variant].as_py(), variants.alt[variant].as_py())

    def _keys_of(self, number: int) -> NDArray[np.int64]:
        if (keys := self._keys.get(number)) is None:
            keys = self._file.read_row_group(number, columns=["key"], use_threads=False)["key"].to_numpy()
            _keep(self._keys, number, keys)
        return keys

    def _values_of(self, number: int) -> pa.Table:
        if (values := self._values.get(number)) is None:
            values = self._file.read_row_group(number, columns=self._columns, use_threads=False)
            values = values.select(self._columns).combine_chunks()
            _keep(self._values, number, values)
        return values


def _keep(cache: dict[int, Any], number: int, value: Any) -> None:
    """Put a value into a cache, which loses the one that was put there first."""
    if len(cache) >= _KEPT:
        del cache[next(iter(cache))]
    cache[number] = value


def _index_of(file: pq.ParquetFile) -> dict[str, _Index]:
    """The row groups of each contig, from the statistics of the footer."""
    names = [field.name for field in PLACE]
    contig_at, key_at = names.index("contig"), names.index("key")
    found: dict[str, list[tuple[int, int, int]]] = {}
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        keys = group.column(key_at).statistics
        contig = group.column(contig_at).statistics.min
        found.setdefault(contig, []).append((number, keys.min, keys.max))
    return {contig: _Index(*np.array(groups, dtype=np.int64).T) for contig, groups in found.items()}
