"""The job that a sample came from; later ones only annotated it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.dataset import catalog
from varloom.jobs import repository

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.jobs.model import Job


async def first_job(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> Job | None:
    """The job that made the first version of a sample; None where it is not known any more.

    Raises:
        VarloomError: `sample_not_found`.
    """
    first = (await catalog.datasets_of(conn, account_id, sample_id))[-1]
    return None if first.job_id is None else await repository.find_job(conn, account_id, first.job_id)
