"""Samples and questions to their tables. Every call is for one account; another account's sample does not exist.

Which account that is says `varloom.services.access`, for a sample that is shared as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from varloom.dataset import ExportFormat, QueryEngine, catalog, parse_sort
from varloom.dataset.paging import LARGEST_PAGE
from varloom.dataset.row_copies import RowCopies
from varloom.dataset.stored import StoredDatasets
from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.pipeline.quota import quota_of
from varloom.services.annotation_offer import is_synthetic
from varloom.services.audit import note
from varloom.services.copies_ahead import CopiesAhead
from varloom.services.names import checked_sample_name, checked_tags
from varloom.services.paging import check_limit, checked_search
from varloom.services.problems import TABLE_NOT_FOUND
from varloom.services.sample_views import SampleViews
from varloom.services.split_views import SplitViews, View, can_be_split, split_hash
from varloom.services.table_views import ColumnList, CountView, FacetsView, HistogramView, LocationView, RowPage
from varloom.services.views import (
    SampleList,
    SampleView,
    StorageView,
)
from varloom.storage import LocalCopies

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset import Dataset, Manifest
    from varloom.dataset.catalog import DatasetRecord
    from varloom.services.access import SampleAccess
    from varloom.services.annotation_offer import AnnotationOffer
    from varloom.settings import Settings
    from varloom.storage import Storage

__all__ = ["LARGEST_PAGE", "Export", "ExportFormat", "Question", "Samples", "Table", "parse_names"]

COPIES_FOLDER = "copies"
"""In the data folder: copies of datasets that lie in an object store."""
ORDERS_FOLDER = "sort-orders"
"""In the data folder: sort orders of tables that were asked for."""
ROW_COPIES_FOLDER = "row-copies"
"""In the data folder: copies of large tables, which are asked faster."""
SPLIT_VIEWS_FOLDER = "split-views"
"""In the data folder: tables with a row for each gene of a structural variant."""
OPENERS = 8
"""Datasets that are opened at once; fetching one can take minutes, for which no other thread may wait."""
FILE_NAME_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Which table is asked: that of a sample, or one of several where the file was split by sample; and how seen."""

    account_id: UUID
    sample_id: UUID
    dataset_id: UUID | None = None
    view: View = "full"


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows, in which order, and which columns of them; see `QueryEngine`."""

    where: str = ""
    sort: str = ""
    columns: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """A table as a file: `content` yields its bytes and is to be closed when nobody reads on."""

    file_name: str
    media_type: str
    content: AsyncGenerator[bytes]


class Samples:
    """The account's samples and their tables. Queries run in threads, a few at a time; cancelling stops them.

    Attributes:
        copies_ahead: makes copies of large tables before they are asked.
    """

    def __init__(
        self, pool: AsyncConnectionPool, storage: Storage, settings: Settings, offer: AnnotationOffer | None = None
    ) -> None:
        self._pool = pool
        self._seen = SampleViews(offer)
        self._quota = settings.account_quota_bytes
        self._undo = timedelta(days=settings.undo_days)
        row_copies = RowCopies(
            settings.data / ROW_COPIES_FOLDER, settings.row_copies_bytes, reserve=settings.disk_reserve_bytes
        )
        self._engine = QueryEngine(
            memory_limit=settings.query_memory_bytes,
            orders=settings.data / ORDERS_FOLDER,
            orders_bytes=settings.orders_bytes,
            copies=row_copies,
        )
        copies = LocalCopies(settings.data / COPIES_FOLDER, settings.copies_bytes)
        self._stored = StoredDatasets(storage, copies)
        self._split_views = SplitViews(LocalCopies(settings.data / SPLIT_VIEWS_FOLDER, settings.copies_bytes))
        self.copies_ahead = CopiesAhead(pool, self._stored, row_copies)
        self._openers = ThreadPoolExecutor(OPENERS, thread_name_prefix="open-dataset")

    async def close(self) -> None:
        """Wait for the questions under way, then release everything."""
        await asyncio.to_thread(self._engine.close)
        await asyncio.to_thread(self._openers.shutdown, wait=True, cancel_futures=True)

    async def page(
        self,
        account_id: UUID,
        *,
        limit: int = 50,
        cursor: str | None = None,
        search: str | None = None,
        tag: str | None = None,
        deleted: bool = False,
        project: UUID | None = None,
    ) -> SampleList:
        """A page of the samples that the account sees, newest first; `cursor` is the `next` of the page before.

        With `deleted` its own that were deleted and can be brought back; with `project` those of that project, of which
        there are none for an account that is no member.
        """
        check_limit(limit)
        wanted = catalog.SampleSearch(checked_search(search) or "", checked_search(tag), deleted, project)
        async with self._pool.connection() as conn:
            found = await catalog.list_samples(conn, account_id, wanted=wanted, limit=limit, cursor=cursor)
            views = await self._seen.of_many(conn, account_id, found.samples)
        return SampleList(samples=views, next=found.next)

    async def outside(self, account_id: UUID, project_id: UUID, search: str | None, limit: int) -> SampleList:
        """The account's newest own samples that are not in a project, up to `limit`."""
        check_limit(limit)
        wanted = catalog.SampleSearch(checked_search(search) or "", outside=project_id)
        async with self._pool.connection() as conn:
            found = await catalog.list_samples(conn, account_id, wanted=wanted, limit=limit)
            return SampleList(samples=await self._seen.of_many(conn, account_id, found.samples), next=found.next)

    async def storage_use(self, account_id: UUID) -> StorageView:
        """What the account's things take in the storage."""
        async with self._pool.connection() as conn:
            found = await catalog.storage_of(conn, account_id)
            quota = await quota_of(conn, account_id, self._quota)
        return StorageView.model_validate({**asdict(found), "quota": quota})

    async def tags(self, account_id: UUID, project: UUID | None = None) -> dict[str, int]:
        """The tags of the samples that the account sees, of a project's alone if one is named, with their numbers."""
        async with self._pool.connection() as conn:
            return await catalog.tags_of(conn, account_id, project)

    async def get(self, access: SampleAccess) -> SampleView:
        """One sample as the account that asks sees it; `sample_not_found` for a deleted one."""
        async with self._pool.connection() as conn:
            return await self._seen.of_one(conn, access.asking_id, access.account_id, access.sample_id)

    async def change(
        self, access: SampleAccess, *, name: str | None = None, tags: Sequence[str] | None = None
    ) -> SampleView:
        """Give a sample another name or other tags; what is None stays.

        Raises:
            VarloomError: `sample_name_invalid`, `tag_invalid` or `sample_not_found`.
        """
        new_name = None if name is None else checked_sample_name(name)
        new_tags = None if tags is None else checked_tags(tags)
        async with self._pool.connection() as conn:
            note(name=new_name, tags=list(new_tags) if new_tags is not None else None)
            await catalog.change_sample(conn, access.account_id, access.sample_id, name=new_name, tags=new_tags)
            return await self._seen.of_one(conn, access.asking_id, access.account_id, access.sample_id)

    async def delete(self, account_id: UUID, sample_id: UUID) -> None:
        """Put a sample out of sight, and remove what copies of it are on this machine; see `restore`.

        A job that makes a new version of its table is cancelled: it could not end well.
        """
        async with self._pool.connection() as conn:
            for job_id in (await repository.renewals_of(conn, account_id, [sample_id])).values():
                with contextlib.suppress(VarloomError):  # it has just come to its end
                    await repository.request_cancel(conn, account_id, job_id)
            datasets = await catalog.datasets_of(conn, account_id, sample_id)
            await catalog.delete_sample(conn, account_id, sample_id, self._undo)
        for dataset in datasets:
            await asyncio.to_thread(self._stored.forget, dataset.storage_key)
            await asyncio.to_thread(self._split_views.forget, dataset.content_hash)
            for content_hash in (dataset.content_hash, split_hash(dataset.content_hash)):
                await asyncio.to_thread(self._engine.forget, content_hash)

    async def purge(self, account_id: UUID, sample_id: UUID) -> None:
        """Give up a deleted sample for good."""
        async with self._pool.connection() as conn:
            await catalog.purge_sample(conn, account_id, sample_id)

    async def restore(self, account_id: UUID, sample_id: UUID) -> SampleView:
        """Bring a deleted sample back.

        Raises:
            VarloomError: `sample_not_found` when it is not deleted, or its time is over.
        """
        async with self._pool.connection() as conn:
            await catalog.restore_sample(conn, account_id, sample_id)
            return await self._seen.of_one(conn, account_id, account_id, sample_id)

    async def columns(self, table: Table, *, search: str = "") -> ColumnList:
        """The columns of a table, in order; with `search` those whose name contains it."""
        async with self._dataset(table) as (dataset, _):
            found = await self._engine.answer(self._engine.columns, dataset, search=search)
            manifest = dataset.manifest
            can_split = table.view == "split" or can_be_split(manifest)
            told = {"synthetic": is_synthetic(manifest.versions), "can_be_split": can_split, "rows": manifest.variants}
            return ColumnList.model_validate({"columns": [column.as_dict() for column in found], **told})

    async def rows(
        self, table: Table, question: Question, *, limit: int = 100, offset: int = 0, cursor: str | None = None
    ) -> RowPage:
        """A page of rows; see `QueryEngine.rows`."""
        async with self._dataset(table) as (dataset, _):
            found = await self._engine.answer(
                self._engine.rows,
                dataset,
                offset=offset,
                cursor=cursor,
                limit=limit,
                sort=question.sort,
                where=question.where,
                columns=question.columns,
            )
            return RowPage.model_construct(rows=found.rows, offset=found.offset, total=found.total, next=found.next)

    async def count(self, table: Table, where: str = "") -> CountView:
        """How many rows a filter selects."""
        async with self._dataset(table) as (dataset, _):
            return CountView(count=await self._engine.answer(self._engine.count, dataset, where=where))

    async def locate(self, table: Table, position: str, where: str = "") -> LocationView:
        """Where a position of the genome stands among the rows that a filter selects."""
        async with self._dataset(table) as (dataset, _):
            found = await self._engine.answer(self._engine.locate, dataset, position, where=where)
            return LocationView.model_validate(found.as_dict())

    async def manifest(self, table: Table) -> Manifest:
        """What is known of a table without opening its rows: counts, versions, checksums, the file's header."""
        async with self._dataset(table) as (dataset, _):
            return dataset.manifest

    async def facets(
        self, table: Table, column: str, *, where: str = "", search: str = "", limit: int = 100
    ) -> FacetsView:
        """The most frequent values of a column."""
        async with self._dataset(table) as (dataset, _):
            found = await self._engine.answer(
                self._engine.facets, dataset, column, where=where, search=search, limit=limit
            )
            return FacetsView.model_validate(found.as_dict())

    async def histogram(self, table: Table, column: str, *, where: str = "", bins: int = 50) -> HistogramView:
        """How the numbers of a column are distributed."""
        async with self._dataset(table) as (dataset, _):
            found = await self._engine.answer(self._engine.histogram, dataset, column, where=where, bins=bins)
            return HistogramView.model_validate(found.as_dict())

    async def export(self, table: Table, question: Question, format_name: str) -> Export:
        """All selected rows as a file. What is wrong with the question is raised before the first byte."""
        dataset, name, held = await self._open(table)
        try:
            pieces = await self._engine.answer(
                self._engine.export,
                dataset,
                format_name,
                where=question.where,
                sort=question.sort,
                columns=question.columns,
            )
        except BaseException:
            held.close()
            raise
        kind = ExportFormat(format_name)
        return Export(f"{_file_stem(name)}.{kind.value}", kind.media_type, self._pieces(pieces, held))

    async def _pieces(self, pieces: Iterator[bytes], held: contextlib.ExitStack) -> AsyncGenerator[bytes]:
        """The pieces of an export, each made in a thread when it is wanted; until the last the dataset is held."""
        try:
            while (piece := await self._engine.answer(next, pieces, None)) is not None:
                yield piece
        finally:
            close: Any = getattr(pieces, "close", None)
            try:
                if close is not None:
                    await asyncio.to_thread(close)
            finally:
                held.close()

    @contextlib.asynccontextmanager
    async def _dataset(self, table: Table) -> AsyncIterator[tuple[Dataset, str]]:
        """The dataset of a table for the length of the block, and the table's name; raises as `_open`."""
        dataset, name, held = await self._open(table)
        with held:
            yield dataset, name

    async def _open(self, table: Table) -> tuple[Dataset, str, contextlib.ExitStack]:
        """The dataset of a table, the table's name, and what is to be closed when the dataset is no longer needed.

        Raises:
            VarloomError: `sample_not_found`, `table_not_found`, or those of `StoredDatasets.opened`.
        """
        async with self._pool.connection() as conn:
            records = await catalog.datasets_of(conn, table.account_id, table.sample_id)
        record = _chosen(records, table.dataset_id)
        held = contextlib.ExitStack()

        def enter() -> Dataset:
            with contextlib.ExitStack() as entered:
                dataset = entered.enter_context(self._stored.opened(record.storage_key, record.bytes))
                if table.view == "split":
                    dataset = entered.enter_context(self._split_views.opened(dataset))
                held.push(entered.pop_all())
                return dataset

        opening = asyncio.get_running_loop().run_in_executor(self._openers, enter)
        try:
            dataset = await asyncio.shield(opening)
        except asyncio.CancelledError:  # fetching it goes on: whoever asks next finds it here
            opening.add_done_callback(lambda _: held.close())
            raise
        return dataset, record.name, held


def parse_names(text: str) -> tuple[str, ...]:
    """Names of columns with commas between them, quoted as in a sort order where a name has a comma itself.

    Raises:
        VarloomError: `sort_invalid` for quotes that do not match.
    """
    return tuple(("-" if key.descending else "") + key.column for key in parse_sort(text))


def _chosen(records: Sequence[DatasetRecord], dataset_id: UUID | None) -> DatasetRecord:
    for record in records:
        if dataset_id in {None, record.id}:
            return record
    raise VarloomError(TABLE_NOT_FOUND, f"The sample has no dataset {dataset_id}.")


def _file_stem(name: str) -> str:
    """A file name that is harmless everywhere, from the name of a sample."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:FILE_NAME_LIMIT] or "table"
