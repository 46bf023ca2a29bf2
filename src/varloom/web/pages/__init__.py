"""The pages: HTML for people.

`router` holds the routes, `static_files` makes the application to mount at `/static`, `error_page` draws errors.
"""

from __future__ import annotations

from fastapi import APIRouter

from varloom.web.pages import (
    account,
    audit,
    credentials,
    jobs,
    notices,
    pgx,
    projects,
    provenance,
    queue,
    refs,
    sample_files,
    samples,
    session,
    stream,
    users,
    versions,
)
from varloom.web.pages.assets import static_files
from varloom.web.pages.error_page import error_page

router = APIRouter(include_in_schema=False)
for part in (
    session.router,
    stream.router,
    jobs.router,
    queue.router,
    versions.router,
    samples.router,
    projects.router,
    pgx.router,
    sample_files.router,
    provenance.router,
    credentials.router,
    refs.router,
    account.router,
    notices.router,
    users.router,
    audit.router,
):
    router.include_router(part)

__all__ = ["error_page", "router", "static_files"]
