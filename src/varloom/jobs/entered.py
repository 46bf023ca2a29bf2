"""Jobs that are entered, told in log and traces with the request that they come from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from varloom.tracing import job_is_entered

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

logger = logging.getLogger(__name__)


def tell_of(job_ids: Iterable[UUID], account_id: UUID) -> None:
    """Tell of each job; they are there once the transaction is committed."""
    for job_id in job_ids:
        job_is_entered(job_id, account_id)
        logger.info("job %s: is entered", job_id, extra={"fields": {"job_id": job_id, "account_id": account_id}})
