"""Questions to datasets: columns, pages, counts, facets, histograms and exports."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from varloom.dataset.export import ExportFormat, ExportQuestion, export_format, stream
from varloom.dataset.filter_sql import compile_filter
from varloom.dataset.interrupts import answer_in_thread
from varloom.dataset.locating import Location, locate
from varloom.dataset.paging import Page, check_page, make_cursor, read_cursor
from varloom.dataset.permutations import Permutations
from varloom.dataset.selection import FIRST_ROWS, Selection
from varloom.dataset.sessions import Session, SessionPool
from varloom.dataset.sorting import order_by, parse_sort
from varloom.dataset.summaries import Facets, Histogram, find_facets, find_histogram
from varloom.dataset.table_columns import TableColumn, TableColumns
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from varloom.dataset.manifest import Dataset
    from varloom.dataset.row_copies import RowCopies

_P = ParamSpec("_P")
_T = TypeVar("_T")
logger = logging.getLogger(__name__)

_OPEN_DATASETS = 4
_QUESTIONS_AT_ONCE = 4
_BEGINNINGS_BYTES = 8 * 1024**2
_ORDERS_BYTES = 2 * 1024**3
_LOOK_SECONDS = 0.7
"""So long the reader is left alone with the first pages of an order before the whole of it is looked for."""


class QueryEngine:
    """Answers questions to any number of datasets; thread-safe, and usable from asyncio through `answer`.

    Filters are texts of the filter language (docs/reference/filters.md), sort orders such as `-qual,position`.

    Args:
        memory_limit: bytes that all queries together may use; what does not fit is spilled to temporary files.
        threads: how many threads one query may use; by default all processors.
        temp_directory: where temporary files go; by default the system's place.
        orders: a folder for the sort orders that were found, which outlive the process; by default a temporary one.
        orders_bytes: how much of it may be used.
        copies: copies of large tables from which scattered rows are read faster; the engine closes them.
    """

    def __init__(
        self,
        *,
        memory_limit: int,
        threads: int | None = None,
        temp_directory: Path | None = None,
        orders: Path | None = None,
        orders_bytes: int = _ORDERS_BYTES,
        copies: RowCopies | None = None,
    ) -> None:
        self._spill = Path(tempfile.mkdtemp(prefix="varloom-queries-", dir=temp_directory))
        self._permutations = Permutations(orders_bytes, orders or self._spill / "orders")
        self._copies = copies
        self._beginnings = Permutations(_BEGINNINGS_BYTES)
        share = memory_limit // _OPEN_DATASETS
        threads = threads or os.cpu_count() or 1
        self._sessions = SessionPool(
            lambda dataset: Session(dataset, memory_limit=share, threads=threads, spill=self._spill, copies=copies),
            most=_OPEN_DATASETS,
        )
        self._workers = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, thread_name_prefix="dataset-query")
        self._closed = threading.Event()
        self._wanted_ahead: set[tuple[Path, str, str]] = set()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="dataset-order")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the questions under way, then release everything."""
        self._closed.set()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._ahead.shutdown(wait=True, cancel_futures=True)
        if self._copies is not None:
            self._copies.close()
        self._sessions.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def forget(self, content_hash: str) -> None:
        """Remove what was copied of a dataset that was deleted."""
        if self._copies is not None:
            self._copies.forget(content_hash)

    async def answer(self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Answer a question in a worker thread: `await engine.answer(engine.rows, dataset, limit=50)`.

        Cancelling the task interrupts the query. Raises what the question raises.
        """
        return await answer_in_thread(self._workers, question, *args, **kwargs)

    def columns(self, dataset: Dataset, *, search: str = "", limit: int | None = None) -> tuple[TableColumn, ...]:
        """The stored columns in their order, then the virtual ones; those whose name contains `search`, case aside."""
        columns = TableColumns(dataset.manifest)
        wanted = search.casefold()
        found = [column for column in (*columns.stored, *columns.virtual) if wanted in column.name.casefold()]
        return tuple(found[:limit])

    def rows(
        self,
        dataset: Dataset,
        *,
        offset: int = 0,
        cursor: str | None = None,
        limit: int = 100,
        sort: str = "",
        where: str = "",
        columns: Sequence[str] | None = None,
    ) -> Page:
        """A page of the rows that a filter selects; `cursor` goes before `offset`.

        Cells are JSON-safe: NaN and infinities are the texts NaN, Infinity and -Infinity, missing values None, lists
        lists. Without `columns` all stored ones are given.

        Raises:
            VarloomError: `filter_invalid`, `sort_invalid`, `column_unknown`, `cursor_invalid`, `page_invalid`.
        """
        check_page(offset, limit)
        question = (str(dataset.directory), dataset.manifest.content_hash, where, sort)
        start = offset if cursor is None else read_cursor(cursor, question)
        with self._sessions.borrow(dataset) as session:
            chosen = session.columns.chosen(columns)
            selection = self._selection(session, where, sort)
            numbers = selection.page(start, limit)
            total = selection.count()
            rows = selection.fetch(numbers, chosen)
            if selection.is_to_be_found and total > FIRST_ROWS:
                self._find_ahead(dataset, where, sort)
        end = start + len(rows)
        following = make_cursor(end, question) if rows and end < total else None
        return Page(rows, start, total, following)

    def count(self, dataset: Dataset, *, where: str = "") -> int:
        """How many rows a filter selects. Raises `filter_invalid`."""
        with self._sessions.borrow(dataset) as session:
            return self._selection(session, where, "").count()

    def locate(self, dataset: Dataset, position: str, *, where: str = "") -> Location:
        """Where a position such as `chr7:117,559,590` stands among the rows that a filter selects, in row order.

        Raises:
            VarloomError: `position_invalid` or `filter_invalid`.
        """
        with self._sessions.borrow(dataset) as session:
            return locate(self._selection(session, where, ""), position)

    def facets(self, dataset: Dataset, column: str, *, where: str = "", search: str = "", limit: int = 100) -> Facets:
        """The most frequent values of a column. Raises `column_unknown`, `filter_invalid` or `page_invalid`."""
        with self._sessions.borrow(dataset) as session:
            condition = compile_filter(where, session.columns)
            return find_facets(session, session.columns.require(column), condition, search, limit)

    def histogram(self, dataset: Dataset, column: str, *, where: str = "", bins: int = 50) -> Histogram:
        """How a column's numbers are distributed.

        Raises:
            VarloomError: `column_unknown`, `column_not_numeric`, `filter_invalid` or `page_invalid`.
        """
        with self._sessions.borrow(dataset) as session:
            condition = compile_filter(where, session.columns)
            return find_histogram(session, session.columns.require(column), condition, bins)

    def export(
        self,
        dataset: Dataset,
        format: str | ExportFormat,  # noqa: A002 -- the word of the API and the command line
        *,
        where: str = "",
        sort: str = "",
        columns: Sequence[str] | None = None,
    ) -> Iterator[bytes]:
        """All selected rows as a file, in pieces; memory stays bounded, and there is no row limit.

        What is wrong with the question is raised here, before the first piece.

        Raises:
            VarloomError: `export_format_unknown`, `filter_invalid`, `sort_invalid` or `column_unknown`.
        """
        chosen_format = export_format(format)
        table = TableColumns(dataset.manifest)
        condition, keys = compile_filter(where, table), parse_sort(sort)
        order_by(keys, table)
        chosen = tuple(dict.fromkeys(table.chosen(columns)))
        question = ExportQuestion(dataset, chosen, condition, keys)
        return stream(question, chosen_format, self._sessions, self._spill)

    def _selection(self, session: Session, where: str, sort: str) -> Selection:
        condition = compile_filter(where, session.columns)
        return Selection(session, condition, parse_sort(sort), self._permutations, self._beginnings)

    def _find_ahead(self, dataset: Dataset, where: str, sort: str) -> None:
        """Find the whole order while the reader looks at its first rows: whoever goes on then need not wait."""
        wanted = (dataset.directory, where, sort)
        if wanted in self._wanted_ahead:
            return
        self._wanted_ahead.add(wanted)

        def find() -> None:
            try:
                if self._closed.wait(_LOOK_SECONDS):
                    return
                with self._sessions.borrow(dataset) as session:
                    self._selection(session, where, sort).find()
            except VarloomError as error:  # the page that needs the order will find it, or tell why it cannot
                logger.info("the order of a table was not found ahead: %s", error)
            finally:
                self._wanted_ahead.discard(wanted)

        self._ahead.submit(find)
