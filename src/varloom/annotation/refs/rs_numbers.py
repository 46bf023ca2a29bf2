"""The index of rs numbers beside the sites of a release of dbSNP: which row group holds the variants of a number.

`rs_numbers.parquet` has a row for each number and row group of `sites.parquet`, sorted by number. Releases of earlier
versions have none; then all sites are looked through.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from varloom.annotation.lookups.site_table import SITES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

RS_NUMBERS = "rs_numbers.parquet"
_SCHEMA = pa.schema([pa.field("number", pa.int64(), nullable=False), pa.field("group", pa.int32(), nullable=False)])
_ROW_GROUP = 131_072
_PART_BITS = 22
"""A part has the numbers that are equal but for so many bits: at most some tens of millions of rows in memory."""
_GATHERED = 4_000_000
"""Rows in memory before they are dealt out to the parts."""
_PAIR = np.dtype([("number", np.int64), ("group", np.int32)])
_WANTED = ("contig", "position", "ref", "alt", "id")


def write_rs_index(folder: Path, scratch: Path, on_step: Callable[[], None]) -> None:
    """Write the index of the sites in a folder; in bounded memory, through files in `scratch`."""
    parts = _Parts(scratch)
    with pq.ParquetFile(folder / SITES) as sites:
        for group in range(sites.metadata.num_row_groups):
            parts.add(_numbers_of(sites.read_row_group(group, columns=["id"])["id"]), group)
            on_step()
    with pq.ParquetWriter(
        folder / RS_NUMBERS,
        _SCHEMA,
        compression="zstd",
        use_dictionary=["group"],
        column_encoding={"number": "DELTA_BINARY_PACKED"},
    ) as writer:
        for pairs in parts.sorted():
            columns = [pa.array(pairs["number"]), pa.array(pairs["group"])]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA), row_group_size=_ROW_GROUP)
            on_step()


def rows_of_rs_number(folder: Path, number: int) -> list[dict[str, Any]]:
    """The sites that have an rs number: contig, position, ref, alt and id (which may name several numbers)."""
    groups = _groups_of(folder, number)
    named = f"rs{number}"
    if groups is None:
        table = pads.dataset(folder / SITES).to_table(
            columns=list(_WANTED), filter=pc.match_substring(pads.field("id"), named)
        )
    else:
        with pq.ParquetFile(folder / SITES, memory_map=True) as sites:
            pieces = [sites.read_row_group(group, columns=list(_WANTED)) for group in groups]
        if not pieces:
            return []
        table = pa.concat_tables(pieces)
        table = table.filter(pc.match_substring(table["id"], named))
    return [row for row in table.to_pylist() if named in row["id"].lower().split(";")]


def _groups_of(folder: Path, number: int) -> list[int] | None:
    """The row groups in which a number is; None where there is no index."""
    path = folder / RS_NUMBERS
    if not path.exists():
        return None
    found = pq.read_table(path, filters=[("number", "=", number)])
    return sorted(set(found["group"].to_pylist()))


def _numbers_of(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """All rs numbers of some ids; nearly all of them are one number."""
    texts = ids.combine_chunks().drop_null()
    several = pc.match_substring(texts, ";")
    single = texts.filter(pc.invert(several))
    others = pc.split_pattern(texts.filter(several), ";").flatten()
    if pc.all(pc.starts_with(single, "rs")).as_py() is not False:
        with contextlib.suppress(pa.ArrowInvalid):
            numbers = pc.cast(pc.utf8_slice_codeunits(single, 2), pa.int64()).to_numpy()
            return np.concatenate([numbers, _careful(others)])
    return np.concatenate([_careful(single), _careful(others)])


def _careful(names: pa.Array) -> NDArray[np.int64]:
    """The numbers of those names that are rs numbers."""
    names = pc.utf8_lower(names)
    names = names.filter(pc.match_substring_regex(names, r"^rs[0-9]{1,18}$"))
    found: NDArray[np.int64] = pc.cast(pc.utf8_slice_codeunits(names, 2), pa.int64()).to_numpy(zero_copy_only=False)
    return found


class _Parts:
    """Pairs of number and row group, dealt out by number to files."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._gathered: list[NDArray[Any]] = []
        self._rows = 0
        self._files: dict[int, Path] = {}

    def add(self, numbers: NDArray[np.int64], group: int) -> None:
        pairs = np.empty(len(numbers), _PAIR)
        pairs["number"], pairs["group"] = numbers, group
        self._gathered.append(pairs)
        self._rows += len(pairs)
        if self._rows >= _GATHERED:
            self._deal_out()

    def sorted(self) -> Iterator[NDArray[Any]]:
        """All pairs in order, part by part."""
        self._deal_out()
        for part in sorted(self._files):
            pairs = np.fromfile(self._files[part], _PAIR)
            self._files[part].unlink()
            # Groups came in their order, and stay in it among equal numbers.
            pairs = pairs[np.argsort(pairs["number"], kind="stable")]
            again = (pairs["number"][1:] == pairs["number"][:-1]) & (pairs["group"][1:] == pairs["group"][:-1])
            yield pairs[np.concatenate([[True], ~again])]

    def _deal_out(self) -> None:
        if not self._rows:
            return
        pairs = np.concatenate(self._gathered)
        self._gathered, self._rows = [], 0
        parts = pairs["number"] >> _PART_BITS
        parts = parts.astype(np.uint16) if parts.max() < 1 << 16 else parts  # which are sorted much faster
        order = np.argsort(parts, kind="stable")
        pairs, parts = pairs[order], parts[order]
        for part, begin in zip(*np.unique(parts, return_index=True), strict=True):
            end = np.searchsorted(parts, part, side="right")
            path = self._files.setdefault(int(part), self._scratch / f"numbers-{int(part)}")
            with path.open("ab") as file:
                pairs[begin:end].tofile(file)
