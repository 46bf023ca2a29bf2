"""The HTTP API under /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from varloom.web.api import (
    access,
    account,
    annotate,
    audit,
    create_job,
    credentials,
    events,
    jobs,
    manifests,
    notices,
    openapi,
    pgx,
    projects,
    queue,
    refs,
    sample_files,
    samples,
    saved_views,
    sources,
    uploads,
    users,
)
from varloom.web.api.openapi import PREFIX
from varloom.web.problem_documents import problem_responses

router = APIRouter(prefix=PREFIX, responses=problem_responses(401, 422, 500))
for part in (
    create_job,
    sources,
    manifests,
    uploads,
    jobs,
    queue,
    events,
    samples,
    sample_files,
    projects,
    saved_views,
    pgx,
    refs,
    credentials,
    access,
    account,
    users,
    audit,
    notices,
    annotate,
    openapi,
):
    router.include_router(part.router)

__all__ = ["router"]
