"""Copies of large tables, made when their jobs complete: who opens such a table finds it fast at once.

Nothing of a job waits for it: what has been published is looked for now and then, and copied one after the other by a
thread that gives way to everything else on the machine.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
from psycopg_pool import PoolTimeout

from varloom.dataset import catalog
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.catalog import DatasetFolder
    from varloom.dataset.row_copies import RowCopies
    from varloom.dataset.stored import StoredDatasets

logger = logging.getLogger(__name__)

LOOK_INTERVAL = 3.0
"""Seconds between two looks for datasets that were published meanwhile."""
FEWEST_ROWS = 10_000
"""Tables with fewer rows are fast enough however many columns they have."""
MOST_AT_ONCE = 200
"""So many of the newest datasets are looked at in one go."""
LONGEST_COMMIT = timedelta(minutes=5)
"""A dataset has the time at which its transaction began, and can be seen only when that ends."""
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


class CopiesAhead:
    """Has copies made of the datasets on this machine: the newest that lack one, then each that is published.

    A dataset that lies elsewhere is left alone: fetching it before anybody asks may cost money.
    """

    def __init__(self, pool: AsyncConnectionPool, stored: StoredDatasets, copies: RowCopies) -> None:
        self._pool = pool
        self._stored = stored
        self._copies = copies
        self._since = _EVER
        self._looked = False
        self._seen: set[UUID] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (psycopg.Error, PoolTimeout, OSError):
                logger.info("datasets to copy could not be looked for; trying again", exc_info=True)
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """Have copies made of what is new.

        What was there before the first look gets one only where room is left: it may not have been used for long.
        """
        async with self._pool.connection() as conn:
            found = await catalog.large_datasets(conn, rows=FEWEST_ROWS, since=self._since, limit=MOST_AT_ONCE)
        news = [folder for folder in found if folder.id not in self._seen]
        for folder in news:
            await asyncio.to_thread(self._want, folder, instead_of_others=self._looked)
        self._seen = {folder.id for folder in found}
        newest = max((folder.created_at for folder in found), default=self._since)
        self._since = max(self._since, newest - LONGEST_COMMIT)
        self._looked = True

    def _want(self, folder: DatasetFolder, *, instead_of_others: bool) -> None:
        try:
            dataset = self._stored.here(folder.storage_key)
        except (VarloomError, OSError):  # deleted meanwhile, or damaged, which is told to whoever opens it
            logger.info("the dataset %s could not be opened to be copied", folder.id, exc_info=True)
            return
        if dataset is not None:
            self._copies.want(dataset, instead_of_others=instead_of_others)
