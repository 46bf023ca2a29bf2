"""The file `sites.parquet` of a release: a row for each variant, sorted by contig, position and key.

The columns are `contig` (bare name), `position`, `ref`, `alt` (normalised), `key` (see
`varloom.genomics.variant_keys`), and those of the source. A row group holds one contig only, so that the least and
greatest keys in the footer are an index. Reading a batch takes the keys of the row groups that can hold one of its
variants, and the other columns of those that do.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from varloom.annotation.lookups.gathering import Gathering
from varloom.annotation.refs.problems import REFERENCE_DAMAGED
from varloom.errors import VarloomError
from varloom.genomics.variant_keys import HASHED, places_of

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

_MOST_MAPPED = 32 << 20
"""Bytes that are read before the file is mapped anew: several sources in several processes add up."""


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

    Raises:
        VarloomError: `reference_damaged`, also where a column is not there.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._metadata = metadata = _metadata_of(path, columns)
        self._group_bytes = path.stat().st_size // max(1, metadata.num_row_groups)
        self._coded = frozenset(_of_few_values(metadata))
        self._open()
        self._columns = list(columns)
        stored = metadata.schema.to_arrow_schema()
        self.schema = pa.schema([stored.field(name) for name in columns])
        self._index = _index_of(metadata)
        self._keys: dict[int, NDArray[np.int64]] = {}
        self._values: dict[int, list[pa.Array]] = {}

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
        usable = variants.usable
        if index is None or not usable.any():
            return Found(self.nothing(count), np.zeros(count, dtype=bool))
        keys = np.maximum.accumulate(variants.keys)  # those that are not usable, and have no number, stay in the order
        if ((keys == variants.keys) | ~usable).all():
            return self._in_order(index, keys, variants)
        order = np.argsort(variants.keys, kind="stable")
        ordered = variants.chosen(order)
        values, found = self._in_order(index, ordered.keys, ordered)
        back = np.empty(count, dtype=np.int64)
        back[order] = np.arange(count)
        return Found(values.take(pa.array(back)), found[back])

    def nothing(self, count: int) -> pa.Table:
        """Missing values for so many variants."""
        return pa.table([pa.nulls(count, field.type) for field in self.schema], schema=self.schema)

    def _in_order(self, index: _Index, keys: NDArray[np.int64], variants: Normalised) -> Found:
        """The rows of variants whose keys are sorted; `position` is not looked at."""
        groups = np.minimum(np.searchsorted(index.last, keys, side="left"), len(index.last) - 1)
        begins = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(keys)]
        usable = variants.usable
        gathering = Gathering(self.schema, self._coded, len(keys))
        for begin, end in pairwise(begins):
            which = int(groups[begin])
            part = keys[begin:end]
            if part[-1] < index.first[which] or part[0] > index.last[which]:
                continue
            number = int(index.groups[which])
            places = self._in_group(number, part, begin, variants)
            hit = np.flatnonzero((places >= 0) & usable[begin:end])
            if hit.size:
                gathering.add(hit + begin, places[hit], self._values_of(number))
        return Found(gathering.table(), gathering.found)

    def _in_group(self, number: int, keys: NDArray[np.int64], begin: int, variants: Normalised) -> NDArray[np.int64]:
        """The places of keys in a row group, -1 where they are not there; `begin` is the first one's variant."""
        places = places_of(self._keys_of(number), keys)
        digested = np.flatnonzero((places >= 0) & ((keys & HASHED) != 0))
        if digested.size:
            alleles = self._read(number, ["ref", "alt"]).take(pa.array(places[digested]))
            pairs = zip(alleles["ref"].to_pylist(), alleles["alt"].to_pylist(), strict=True)
            for row, pair in zip(digested.tolist(), pairs, strict=True):
                if pair != (variants.ref[begin + row].as_py(), variants.alt[begin + row].as_py()):
                    places[row] = -1
        return places

    def _open(self) -> None:
        """Map the file. What is mapped needs no buffer into which it is read before: a fifth of the time."""
        self._file = pq.ParquetFile(
            self._path, metadata=self._metadata, memory_map=True, pre_buffer=False, read_dictionary=list(self._coded)
        )
        self._mapped = 0

    def _read(self, number: int, columns: Sequence[str]) -> pa.Table:
        """Columns of a row group. Of a file that is mapped what was read counts as ours, until it is opened anew."""
        if self._mapped > _MOST_MAPPED:
            self._file.close()
            self._open()
        self._mapped += self._group_bytes
        return self._file.read_row_group(number, columns=list(columns), use_threads=False)

    def _keys_of(self, number: int) -> NDArray[np.int64]:
        if (keys := self._keys.get(number)) is None:
            keys = self._read(number, ["key"])["key"].to_numpy()
            _keep(self._keys, number, keys)
        return keys

    def _values_of(self, number: int) -> list[pa.Array]:
        if (values := self._values.get(number)) is None:
            table = self._read(number, self._columns)
            values = [_in_one_piece(table[name]) for name in self._columns]
            _keep(self._values, number, values)
        return values


def _in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _metadata_of(path: Path, columns: Sequence[str]) -> pq.FileMetaData:
    """The footer of a file that has all columns that are wanted."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise VarloomError(REFERENCE_DAMAGED, f"{path} cannot be read: {str(error).splitlines()[0]}.") from error
    missing = sorted(set(columns) - set(metadata.schema.names))
    if missing:
        raise VarloomError(REFERENCE_DAMAGED, f"{path} has no column {missing[0]}: another Varloom wrote it.")
    return metadata


def _keep(cache: dict[int, Any], number: int, value: Any) -> None:
    """Put a value into a cache, which loses the one that was put there first."""
    if len(cache) >= _KEPT:
        del cache[next(iter(cache))]
    cache[number] = value


def _of_few_values(metadata: pq.FileMetaData) -> list[str]:
    """The columns of texts that take so little room that they must be written as dictionaries: unpacked as such."""
    group = metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return [
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY" and column.total_uncompressed_size < 2 * group.num_rows
    ]


def _index_of(metadata: pq.FileMetaData) -> dict[str, _Index]:
    """The row groups of each contig, from the statistics of the footer."""
    names = [field.name for field in PLACE]
    contig_at, key_at = names.index("contig"), names.index("key")
    found: dict[str, list[tuple[int, int, int]]] = {}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        keys = group.column(key_at).statistics
        contig = group.column(contig_at).statistics.min
        found.setdefault(contig, []).append((number, keys.min, keys.max))
    return {contig: _Index(*np.array(groups, dtype=np.int64).T) for contig, groups in found.items()}
