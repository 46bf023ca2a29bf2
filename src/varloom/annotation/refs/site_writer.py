"""Sites in any order become one sorted Parquet file, in bounded memory.

Every publisher's file is sorted somehow, but aligning indels, and lifting positions over, puts sites out of order. So
sites are first dealt out to parts of about a million bases of a contig, in files of the scratch folder, and then each
part is sorted in memory and appended to the result.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.lookups.site_table import PLACE, ROW_GROUP, SITES
from varloom.genomics.contigs import contig_order
from varloom.genomics.variant_keys import HASHED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from varloom.annotation.lookups.normalising import Normalised

_PART_BITS = 20
"""A part has so many bases, as a power of two: at three sites a base it has three million, which fit into memory."""
_DELTAS = ("key", "position")
"""Columns that are stored as differences, in few bits each; nothing is left in them that could be packed."""
_WORTH_PACKING = 0.8
_GATHERED_ROWS = 400_000
_GATHERED_BYTES = 128 << 20


class Merge(NamedTuple):
    """What becomes of several rows of one variant.

    Attributes:
        best_by: the numeric column whose greatest value chooses the row that is kept; None keeps the first.
        joined: text columns in which the distinct values of all rows are kept, in their order, with `;` between.
    """

    best_by: str | None = None
    joined: tuple[str, ...] = ()


class SitesWritten(NamedTuple):
    """How many rows were written, how many more were merged into them, and the rows of each contig."""

    rows: int
    merged: int
    contigs: dict[str, int]


class SiteWriter:
    """Takes sites in any order; `finish` writes `sites.parquet`.

    Args of the constructor:
        folder: where the file is written.
        scratch: an empty folder.
        fields: the source's own columns.
        merge: what becomes of several rows of one variant.
        on_step: called at least every few seconds.
    """

    def __init__(
        self, folder: Path, scratch: Path, fields: Sequence[pa.Field], merge: Merge, on_step: Callable[[], None]
    ) -> None:
        self._target = folder / SITES
        self._scratch = scratch
        self._schema = pa.schema([*PLACE, *fields])
        self._merge = merge
        self._on_step = on_step
        self._gathered: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._parts: dict[tuple[str, int], Path] = {}

    def add(self, contig: str, sites: Normalised, values: Sequence[pa.Array]) -> None:
        """Sites of a contig (by its bare name), all of them usable, with the source's own columns in their order."""
        keys = sites.keys
        place = [pa.repeat(pa.scalar(contig), len(keys)), pa.array(sites.position), sites.ref, sites.alt, keys]
        table = pa.table([*place, *values], schema=self._schema)
        self._gathered.append(table)
        self._rows += len(keys)
        self._bytes += table.nbytes
        if self._rows >= _GATHERED_ROWS or self._bytes >= _GATHERED_BYTES:
            self._deal_out()

    def finish(self) -> SitesWritten:
        """Sort and write all sites."""
        self._deal_out()
        counts = Counter[str]()
        merged = 0
        texts = [field.name for field in self._schema if field.type == pa.string() and field.name not in {"ref", "alt"}]
        ordered = sorted(self._parts, key=lambda key: (contig_order(key[0]), key[1]))
        fullest = max(ordered, key=lambda part: self._parts[part].stat().st_size, default=None)
        sample = self._schema.empty_table() if fullest is None else _read(self._parts[fullest], 1)
        with pq.ParquetWriter(
            self._target,
            self._schema,
            compression=_compression(sample),
            use_dictionary=texts,
            column_encoding=dict.fromkeys(_DELTAS, "DELTA_BINARY_PACKED"),
            write_statistics=["contig", "position", "key"],
        ) as writer:
            groups = _RowGroups(writer)
            for contig, part in ordered:
                table, dropped = self._sorted(self._parts[contig, part])
                groups.add(contig, table)
                counts[contig] += table.num_rows
                merged += dropped
                self._on_step()
            groups.flush()
        return SitesWritten(counts.total(), merged, dict(counts))

    def _deal_out(self) -> None:
        """Append what was gathered to the files of its parts."""
        if not self._gathered:
            return
        by_contig: dict[str, list[pa.Table]] = {}
        for table in self._gathered:
            by_contig.setdefault(table["contig"][0].as_py(), []).append(table)
        self._gathered, self._rows, self._bytes = [], 0, 0
        for contig, tables in by_contig.items():
            table = pa.concat_tables(tables)
            parts = table["position"].to_numpy() >> _PART_BITS
            if (parts[1:] < parts[:-1]).any():
                order = np.argsort(parts, kind="stable")
                table, parts = table.take(pa.array(order)), parts[order]
            begins = [0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), len(parts)]
            for begin, end in pairwise(begins):
                self._append(contig, int(parts[begin]), table.slice(begin, end - begin))
                self._on_step()

    def _append(self, contig: str, part: int, table: pa.Table) -> None:
        path = self._parts.setdefault((contig, part), self._scratch / f"part-{len(self._parts)}")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with path.open("ab") as file, pa.ipc.new_stream(file, self._schema, options=options) as stream:
            stream.write_table(table)

    def _sorted(self, path: Path) -> tuple[pa.Table, int]:
        """The sites of a part in order, each variant once; and how many rows were merged into others."""
        table = _read(path).combine_chunks()
        path.unlink()
        keys = table["key"].to_numpy()
        if (keys[1:] < keys[:-1]).any():
            order = np.argsort(keys, kind="stable")
            table, keys = table.take(pa.array(order)), keys[order]
        return self._merged(table, keys)

    def _merged(self, table: pa.Table, keys: Any) -> tuple[pa.Table, int]:
        """Each variant once."""
        again = np.concatenate([[False], keys[1:] == keys[:-1]])
        for row in np.flatnonzero(again & ((keys & HASHED) != 0)).tolist():
            again[row] = all(table[name][row] == table[name][row - 1] for name in ("ref", "alt"))
        if not again.any():
            return table, 0
        starts = np.flatnonzero(~again)
        ends = np.append(starts[1:], len(keys))
        several = np.flatnonzero(ends - starts > 1)
        kept = starts.copy()
        if self._merge.best_by is not None:
            weights = pc.fill_null(pc.cast(table[self._merge.best_by], pa.float64()), -np.inf).to_numpy()
            for number in several.tolist():
                kept[number] = starts[number] + int(np.argmax(weights[starts[number] : ends[number]]))
        result = table.take(pa.array(kept))
        for name in self._merge.joined:
            texts = [
                _joined(table[name].slice(starts[number], ends[number] - starts[number]).to_pylist())
                for number in several.tolist()
            ]
            mask = np.zeros(len(kept), dtype=bool)
            mask[several] = True
            column = pc.replace_with_mask(result[name].combine_chunks(), pa.array(mask), pa.array(texts, pa.string()))
            result = result.set_column(result.schema.get_field_index(name), self._schema.field(name), column)
        return result, int(again.sum())


class _RowGroups:
    """Cuts sorted sites into row groups of one contig each."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._contig: str | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, contig: str, table: pa.Table) -> None:
        if contig != self._contig:
            self.flush()
            self._contig = contig
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= ROW_GROUP:
            self._write(self._rows // ROW_GROUP * ROW_GROUP)

    def flush(self) -> None:
        self._write(self._rows)

    def _write(self, rows: int) -> None:
        if not rows:
            return
        table = pa.concat_tables(self._waiting)
        self._writer.write_table(table.slice(0, rows), row_group_size=ROW_GROUP)
        rest = table.slice(rows)
        self._waiting, self._rows = ([rest], rest.num_rows) if rest.num_rows else ([], 0)


def _read(path: Path, most: int | None = None) -> pa.Table:
    """What was appended to the file of a part, or the first so many pieces of it."""
    tables: list[pa.Table] = []
    with path.open("rb") as file:
        end = path.stat().st_size
        while file.tell() < end and len(tables) != most:
            tables.append(pa.ipc.open_stream(file).read_all())
    return pa.concat_tables(tables)


def _compression(sample: pa.Table) -> dict[str, str]:
    """LZ4 for numbers, which takes two thirds more room than Zstandard and a third of the time to unpack.

    Numbers that hardly shrink by it are left as they are, which takes no time to unpack.
    """
    return {
        field.name: "zstd" if field.type == pa.string() else "lz4" if _shrinks(sample, field.name) else "none"
        for field in sample.schema
    }


def _shrinks(sample: pa.Table, name: str) -> bool:
    """Whether a column of numbers takes clearly less room as LZ4."""
    if name in _DELTAS:
        return False
    held = [buffer for chunk in sample[name].chunks for buffer in chunk.buffers()[1:] if buffer is not None]
    packed = sum(pa.compress(buffer, "lz4_raw").size for buffer in held)
    return bool(packed < _WORTH_PACKING * sum(buffer.size for buffer in held))


def _joined(texts: list[str | None]) -> str | None:
    """The distinct texts, in their order."""
    return ";".join(dict.fromkeys(text for text in texts if text is not None)) or None
