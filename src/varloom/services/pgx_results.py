"""The PGx calls of samples, as their jobs left them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from varloom.dataset import sample_files
from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.pgx.problems import PGX_NOT_CALLED, PGX_RESULT_DAMAGED, PGX_SAMPLE_UNKNOWN
from varloom.processing.pgx.recommending import is_to_act_on
from varloom.processing.pgx.tables import as_pharmcat, as_tsv, drugs_as_tsv, load_result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.sample_files import SampleFile
    from varloom.storage import Storage

__all__ = ["ROLE", "PgxResults", "is_to_act_on"]

ROLE = "pgx"


class PgxResults:
    """What was called of each sample; another account's sample does not exist."""

    def __init__(self, pool: AsyncConnectionPool, storage: Storage) -> None:
        self._pool = pool
        self._storage = storage

    async def has(self, account_id: UUID, sample_id: UUID) -> bool:
        """Whether PGx was called for a sample."""
        return await self._file(account_id, sample_id) is not None

    async def get(self, account_id: UUID, sample_id: UUID) -> dict[str, Any]:
        """The content of `pgx.json`.

        Raises:
            VarloomError: `sample_not_found`, `pgx_not_called`, `pgx_result_damaged`.
        """
        return await asyncio.to_thread(load_result, await self.content(account_id, sample_id))

    def sample_of(self, result: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        """The calls of one sample of the file, of the first if none is named; never another one's in its place.

        Raises:
            VarloomError: `pgx_sample_unknown`.
        """
        found = [one for one in result["samples"] if name is None or one["sample"] == name]
        if not found:
            raise VarloomError(PGX_SAMPLE_UNKNOWN, f"The file has no sample {safe_excerpt(name or '', 60)!r}.")
        called: dict[str, Any] = found[0]
        return called

    async def content(self, account_id: UUID, sample_id: UUID) -> bytes:
        """The bytes of `pgx.json`.

        Raises:
            VarloomError: `sample_not_found`, `pgx_not_called`, `pgx_result_damaged`.
        """
        file = await self._file(account_id, sample_id)
        if file is None:
            raise VarloomError(PGX_NOT_CALLED, "PGx was not chosen when this sample was loaded.")
        try:
            return await asyncio.to_thread(self._storage.read_bytes, file.storage_key)
        except FileNotFoundError:
            raise VarloomError(PGX_RESULT_DAMAGED, "The file with the calls is gone.") from None

    async def tsv(self, account_id: UUID, sample_id: UUID) -> str:
        """A line for each gene; see `varloom.processing.pgx.tables`."""
        result = await self.get(account_id, sample_id)
        return await asyncio.to_thread("".join, as_tsv(result))

    async def drugs_tsv(self, account_id: UUID, sample_id: UUID) -> str:
        """A line for each recommendation of a drug; see `varloom.processing.pgx.tables`."""
        result = await self.get(account_id, sample_id)
        return await asyncio.to_thread("".join, drugs_as_tsv(result))

    async def pharmcat(self, account_id: UUID, sample_id: UUID) -> list[dict[str, Any]]:
        """What PharmCAT's matcher would write of each sample of the file."""
        result = await self.get(account_id, sample_id)
        return await asyncio.to_thread(list, as_pharmcat(result))

    async def _file(self, account_id: UUID, sample_id: UUID) -> SampleFile | None:
        async with self._pool.connection() as conn:
            found = await sample_files.files_of(conn, account_id, sample_id)
        return next((file for file in found if file.role == ROLE), None)
