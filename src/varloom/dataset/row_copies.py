"""Copies of large tables in DuckDB's own format, from which every question is answered several times as fast.

The rows of a sorted page lie all over a table. Parquet is unpacked from the beginning of a row group up to the last
row that is wanted, DuckDB's format at the row itself; and the columns of filters, sort orders and counts are unpacked
sooner. A copy is as large as the dataset and takes seconds to make, so only tables for which it matters get one, in the
background, and the copies together are bounded.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import duckdb

from varloom.dataset import statements

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.dataset.manifest import Dataset, Manifest

logger = logging.getLogger(__name__)

WORTHWHILE_CELLS = 50_000_000
"""Tables with fewer cells are read fast enough as they are."""
COPY_NAME = "rows.duckdb"
_BUILD_MEMORY = 256 * 1024**2
_UNFINISHED = ".unfinished"
_LOW_PRIORITY = 10


class RowCopies:
    """The copies that this process makes and reads. Thread-safe.

    Args:
        folder: where they lie, each in a folder of its own; nobody else may use it.
        most_bytes: how much they may take; what was used longest ago goes first.
        worthwhile_cells: how many cells a table has at least for which a copy is made.
        reserve: free bytes of the disk that no copy is made of.
    """

    def __init__(
        self, folder: Path, most_bytes: int, worthwhile_cells: int = WORTHWHILE_CELLS, reserve: int = 0
    ) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._reserve = reserve
        self._worthwhile_cells = worthwhile_cells
        self._lock = threading.Lock()
        self._making: set[Path] = set()
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="row-copies")
        self._closed = threading.Event()
        self._connection: duckdb.DuckDBPyConnection | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.glob("*/*"):
            if path.name != COPY_NAME:  # an earlier process was stopped while it made one
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop what is being made."""
        self._closed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()
        self._maker.shutdown(wait=True, cancel_futures=True)

    def finish(self) -> None:
        """Wait until every copy that is wanted so far was made."""
        self._maker.submit(lambda: None).result()

    def want(self, dataset: Dataset, *, instead_of_others: bool = True) -> None:
        """Let a copy be made, if there is none and the table is worth it.

        With `instead_of_others` the copies that were used longest ago go where there is no room left.
        """
        path = self._path(dataset.manifest.content_hash)
        if path.exists() or not self._is_worthwhile(dataset.manifest):
            return
        with self._lock:
            if path in self._making or self._closed.is_set():
                return
            self._making.add(path)
        self._maker.submit(self._make, dataset, path, instead_of_others)

    def open(self, dataset: Dataset, threads: int, memory: int, spill: Path) -> duckdb.DuckDBPyConnection | None:
        """A connection to the copy's tables, which are as those of a session; None while there is no copy.

        What does not fit into `memory` bytes goes into `spill`.
        """
        path = self._path(dataset.manifest.content_hash)
        if not path.exists():
            return None
        try:
            os.utime(path)
            return _locked_down(_connected(path, read_only=True, threads=threads, memory=memory, spill=spill))
        except (OSError, duckdb.Error) as error:  # it was removed, or is not whole: it can be made again
            logger.warning("the copy of a table cannot be read: %s", error)
            shutil.rmtree(path.parent, ignore_errors=True)
            return None

    def forget(self, content_hash: str) -> None:
        """Remove a copy that is not needed any more."""
        shutil.rmtree(self._path(content_hash).parent, ignore_errors=True)

    def _path(self, content_hash: str) -> Path:
        return self._folder / hashlib.sha256(content_hash.encode()).hexdigest() / COPY_NAME

    def _is_worthwhile(self, manifest: Manifest) -> bool:
        return (
            manifest.variants * len(manifest.columns) >= self._worthwhile_cells and manifest.bytes <= self._most_bytes
        )

    def _make(self, dataset: Dataset, path: Path, instead_of_others: bool) -> None:  # noqa: FBT001 -- given to a thread
        unfinished = path.with_name(path.name + _UNFINISHED)
        _give_way()
        try:
            if not self._has_room(dataset.manifest.bytes, instead_of_others=instead_of_others):
                return
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._write(dataset, unfinished)
            unfinished.replace(path)
            self._make_room(path)
        except (OSError, duckdb.Error) as error:  # tables are read from Parquet as well, only more slowly
            logger.warning("no copy of a table could be made: %s", error)
            shutil.rmtree(path.parent, ignore_errors=True)
        finally:
            with self._lock:
                self._making.discard(path)

    def _write(self, dataset: Dataset, unfinished: Path) -> None:
        # One thread: others wait for their pages meanwhile.
        connection = _connected(unfinished, read_only=False, threads=1, memory=_BUILD_MEMORY, spill=unfinished.parent)
        with self._lock:
            self._connection = connection
        try:
            if not self._closed.is_set():
                names = [f"c{number}" for number in range(len(dataset.manifest.columns))]
                connection.execute(statements.copy_of(names, [str(part.resolve()) for part in dataset.part_paths]))
                contigs = {"contigs": list(dataset.manifest.contigs), "count": len(dataset.manifest.contigs)}
                connection.execute(statements.CONTIG_ORDER, contigs)
        finally:
            with self._lock:
                self._connection = None
            connection.close()
            unfinished.with_name(unfinished.name + ".wal").unlink(missing_ok=True)

    def _has_room(self, wanted: int, *, instead_of_others: bool) -> bool:
        """Whether so many bytes more can be had: of the disk, and of what copies may take."""
        if shutil.disk_usage(self._folder).free - wanted < self._reserve:
            logger.info("no copy of a table is made: the disk has no room to spare")
            return False
        return instead_of_others or sum(size for _, size in self._sizes().values()) + wanted <= self._most_bytes

    def _sizes(self) -> dict[Path, tuple[float, int]]:
        """When each copy was used last, and how large it is."""
        sizes: dict[Path, tuple[float, int]] = {}
        for path in self._folder.glob(f"*/{COPY_NAME}"):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                sizes[path] = (found.st_mtime, found.st_size)
        return sizes

    def _make_room(self, newest: Path) -> None:
        """Remove the copies that were used longest ago, until the rest fits."""
        sizes = self._sizes()
        taken = sum(size for _, size in sizes.values())
        for path in sorted(sizes, key=lambda path: sizes[path]):
            if taken <= self._most_bytes or path == newest:
                return
            shutil.rmtree(path.parent, ignore_errors=True)
            taken -= sizes[path][1]


def _give_way() -> None:
    """Let this thread run only when nobody who waits for an answer could; elsewhere than on Linux it competes."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)


def _locked_down(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same connection, which can reach no other file and no network any more."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _connected(path: Path, *, read_only: bool, threads: int, memory: int, spill: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        str(path),
        read_only=read_only,
        config={
            "memory_limit": f"{memory}B",
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_extension_repositories": "forbidden",
            "python_enable_replacements": False,
        },
    )
