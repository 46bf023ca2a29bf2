"""DuckDB instances: one for each open dataset, which can reach that dataset's files and nothing else."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from varloom.dataset import statements
from varloom.dataset.durable import is_disk_full
from varloom.dataset.interrupts import current_watch, interrupted
from varloom.dataset.problems import DATASET_DAMAGED, DISK_FULL, QUERY_TOO_LARGE
from varloom.dataset.table_columns import TableColumns
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from varloom.dataset.manifest import Dataset
    from varloom.dataset.row_copies import RowCopies

_T = TypeVar("_T")
logger = logging.getLogger(__name__)


class Session:
    """One dataset in DuckDB: the view `cells` with the columns c0, c1, ..., and `contig_order`.

    Thread-safe: each query has a cursor of its own. No extension, no network, no file but the dataset's own; the
    configuration is locked before the first query. Where there is a copy of the table, questions are answered from it.
    """

    def __init__(
        self, dataset: Dataset, *, memory_limit: int, threads: int, spill: Path, copies: RowCopies | None = None
    ) -> None:
        self.dataset = dataset
        self._threads = threads
        self._memory = memory_limit
        self._copies = copies
        self._copy: duckdb.DuckDBPyConnection | None = None
        self._opening_copy = threading.Lock()
        self.columns = TableColumns(dataset.manifest)
        # A folder of its own, for DuckDB can reach all of it.
        self._spill = Path(tempfile.mkdtemp(prefix="session-", dir=spill))
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_limit}B",
                "threads": threads,
                "temp_directory": str(self._spill),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "allow_extension_repositories": "forbidden",
                "python_enable_replacements": False,
            },
        )
        try:
            self._lock_down()
            self._define_view()
            self._define_contig_order()
            if copies is not None:
                copies.want(dataset)
        except BaseException:
            self.close()
            raise

    def _lock_down(self) -> None:
        directory = statements.quoted(str(self.dataset.directory.resolve()) + "/")
        self._connection.execute(f"SET allowed_directories = [{directory}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET parquet_metadata_cache = true")
        self._connection.execute("SET lock_configuration = true")

    def _define_view(self) -> None:
        names = [column.sql for column in self.columns.stored]
        paths = [str(path.resolve()) for path in self.dataset.part_paths]
        self._define(statements.view_of(names, paths), {})

    def _define_contig_order(self) -> None:
        contigs = list(self.columns.contigs)
        self._define(statements.CONTIG_ORDER, {"contigs": contigs, "count": len(contigs)})

    def _define(self, sql: str, parameters: dict[str, Any]) -> None:
        try:
            self._connection.execute(sql, parameters)
        except duckdb.Error as error:
            raise _told(error) from error

    def fetch(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            VarloomError: `query_interrupted`, `query_too_large`, `disk_full` or `dataset_damaged`.
        """
        return self.run(sql, parameters, lambda cursor: list(cursor.fetchall()))

    def table(self, sql: str, parameters: dict[str, Any]) -> pa.Table:
        """The answer of a query as an Arrow table. Raises as `fetch`."""
        return self.read(sql, parameters, lambda relation: relation.to_arrow_table())

    def read(self, sql: str, parameters: dict[str, Any], take: Callable[[duckdb.DuckDBPyRelation], _T]) -> _T:
        """Take what is wanted from the relation of a query. Raises as `fetch`."""
        return self._with_cursor(lambda cursor: take(cursor.sql(sql, params=parameters)))

    def run(
        self,
        sql: str,
        parameters: dict[str, Any],
        take: Callable[[duckdb.DuckDBPyConnection], _T] = lambda _: None,  # type: ignore[assignment,return-value]
    ) -> _T:
        """Run a statement and take what is wanted from its cursor before that is closed. Raises as `fetch`."""
        return self._with_cursor(lambda cursor: take(cursor.execute(sql, parameters)))

    def fetch_scattered(self, expressions: Sequence[str], numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        """Cells of the rows with these numbers, each after its number, in any order. Raises as `fetch`."""
        if self._opened_copy() is not None:
            return self.fetch(statements.scattered_rows(expressions), {"numbers": list(numbers)})
        span = {"first": min(numbers), "last": max(numbers), "numbers": list(numbers)}
        return self.fetch(statements.rows_between(expressions, some=True), span)

    def _opened_copy(self) -> duckdb.DuckDBPyConnection | None:
        with self._opening_copy:
            if self._copy is None and self._copies is not None:
                self._copy = self._copies.open(self.dataset, self._threads, self._memory, self._spill)
            return self._copy

    def _with_cursor(self, use: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        copy = self._opened_copy()
        try:
            if copy is None:
                return _with_cursor_of(self._connection, use)
            try:
                return _with_cursor_of(copy, use)
            except duckdb.Error as error:
                if not _is_unreadable(error):
                    raise
                logger.warning("the copy of a table cannot be read: %s", error)
                self._give_up_copy()
                return _with_cursor_of(self._connection, use)
        except duckdb.Error as error:
            raise _told(error) from error

    def _give_up_copy(self) -> None:
        """Remove a copy that cannot be read: the parts are as good, only slower. Others may still be reading it."""
        with self._opening_copy:
            if self._copies is not None:
                self._copies.forget(self.dataset.manifest.content_hash)
            self._copies = None
            self._copy = None

    def close(self) -> None:
        """Release memory and files."""
        self._connection.close()
        if self._copy is not None:
            self._copy.close()
        shutil.rmtree(self._spill, ignore_errors=True)


def _with_cursor_of(connection: duckdb.DuckDBPyConnection, use: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
    cursor = connection.cursor()
    try:
        with current_watch().over(cursor):
            return use(cursor)
    finally:
        cursor.close()


def _is_unreadable(error: duckdb.Error) -> bool:
    """Whether DuckDB says that a file of its own is not as it was written: a wrong checksum is a plain `Error`."""
    kinds = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)
    return (type(error) is duckdb.Error or isinstance(error, kinds)) and not is_disk_full(error)


def _told(error: duckdb.Error) -> Exception:
    """A failure of DuckDB in Varloom's words; a fault of ours stays as it is."""
    match error:
        case duckdb.InterruptException():
            return interrupted()
        case _ if is_disk_full(error):
            return VarloomError(DISK_FULL, "There is no space left on the disk for the query's temporary files.")
        case duckdb.OutOfMemoryException():
            return VarloomError(QUERY_TOO_LARGE, "The query needs more memory than it may use.")
        case _ if isinstance(error, duckdb.IOException) or "arquet" in str(error):
            return VarloomError(DATASET_DAMAGED, "A part of the dataset cannot be read.")
        case _:
            return error


class SessionPool:
    """The sessions of the datasets that were asked last; at most `most` are open, waiting ones queue."""

    def __init__(self, open_session: Callable[[Dataset], Session], *, most: int) -> None:
        self._open = open_session
        self._most = most
        self._changed = threading.Condition()
        self._sessions: OrderedDict[Path, Session] = OrderedDict()
        self._borrowed: dict[Path, int] = {}
        self._closed = False

    @contextmanager
    def borrow(self, dataset: Dataset) -> Iterator[Session]:
        """The dataset's session; it stays open at least until the block ends.

        Raises:
            VarloomError: `dataset_damaged` when the parts cannot be opened.
        """
        session = self._take(dataset)
        try:
            yield session
        finally:
            with self._changed:
                self._borrowed[dataset.directory] -= 1
                self._changed.notify_all()

    def _take(self, dataset: Dataset) -> Session:
        directory = dataset.directory
        with self._changed:
            while not self._closed and directory not in self._sessions and not self._make_room():
                self._changed.wait()
            if self._closed:
                raise interrupted()
            session = self._sessions.get(directory)
            if session is None:
                session = self._sessions[directory] = self._open(dataset)
            self._sessions.move_to_end(directory)
            self._borrowed[directory] = self._borrowed.get(directory, 0) + 1
            return session

    def _make_room(self) -> bool:
        """Close the session that was used longest ago, if one more would be too many; False when all are in use."""
        if len(self._sessions) < self._most:
            return True
        idle = next((path for path in self._sessions if not self._borrowed.get(path)), None)
        if idle is None:
            return False
        self._sessions.pop(idle).close()
        self._borrowed.pop(idle, None)
        return True

    def close(self) -> None:
        """Close all sessions; borrowed ones when they come back."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not any(self._borrowed.values()))
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
