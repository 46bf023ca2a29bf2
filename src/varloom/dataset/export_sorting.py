"""Any number of rows into a sort order, with bounded memory.

Only the keys are sorted as a whole. The rows are read once in file order and dealt into files by their place in the
sorted table; each file is then small enough to be put in order by itself.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from varloom.dataset.durable import disk_full_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from varloom.dataset.permutations import RowNumbers

_MOST_BUCKETS = 256
_PLACE = "place"


def in_order(tables: Iterable[pa.Table], numbers: RowNumbers, chunk_rows: int, spill: Path) -> Iterator[pa.Table]:
    """The rows of the tables in the order of `numbers`.

    Args:
        tables: the rows in file order; their columns are called e0, e1, ...
        numbers: the `rowno` of exactly these rows, in the order wanted.
        chunk_rows: how many rows a table that is given back may have.
        spill: a folder for temporary files, which are as large as the rows.
    """
    bucket_rows = max(chunk_rows, -(-len(numbers) // _MOST_BUCKETS))
    places = np.argsort(numbers, kind="stable")
    with (
        disk_full_told("the temporary files of a sorted export"),
        tempfile.TemporaryDirectory(prefix="sorted-", dir=spill) as folder,
    ):
        for path in _deal(tables, places, bucket_rows, Path(folder)):
            with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
                bucket = reader.read_all()
            path.unlink()
            ordered = bucket.take(np.argsort(bucket[_PLACE].to_numpy())).drop_columns([_PLACE])
            for start in range(0, ordered.num_rows, chunk_rows):
                yield ordered.slice(start, chunk_rows)


def _deal(tables: Iterable[pa.Table], places: npt.NDArray[np.int64], bucket_rows: int, folder: Path) -> list[Path]:
    """Write each row to the file of its bucket; the files in the order of their rows' places."""
    writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    done = 0
    with ExitStack() as stack:
        for table in tables:
            mine = places[done : done + table.num_rows]
            done += table.num_rows
            placed = table.append_column(_PLACE, pa.array(mine))
            for bucket, rows in _by_bucket(mine // bucket_rows):
                if bucket not in writers:
                    file = stack.enter_context(pa.OSFile(str(_path(folder, bucket)), "wb"))
                    new = pa.ipc.new_stream(file, placed.schema, options=options)
                    writers[bucket] = stack.enter_context(new)
                writers[bucket].write_table(placed.take(rows))
    return [_path(folder, bucket) for bucket in sorted(writers)]


def _by_bucket(buckets: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each bucket that occurs, with the rows that belong to it."""
    order = np.argsort(buckets, kind="stable")
    found, starts = np.unique(buckets[order], return_index=True)
    return zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def _path(folder: Path, bucket: int) -> Path:
    return folder / f"{bucket}.arrow"
