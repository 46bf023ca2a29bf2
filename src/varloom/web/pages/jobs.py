"""The Job Manager: its page, its entries, and the buttons of an entry."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from varloom.services.events import SNAPSHOT_NEWEST
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.job_entries import job_entry
from varloom.web.pages.rendering import page, render

router = APIRouter(include_in_schema=False)


@router.get("/jobs")
async def jobs_page(request: Request, services: CurrentServices, account: CurrentAccount) -> HTMLResponse:
    """All jobs, newest first."""
    found = await services.jobs.page(account.id, limit=SNAPSHOT_NEWEST)
    now = datetime.now(UTC)
    entries = [job_entry(job, now) for job in found.jobs]
    return await page(request, "jobs.html", section="jobs", jobs=entries, next=found.next)


@router.get("/jobs/entries")
async def earlier_entries(services: CurrentServices, account: CurrentAccount, cursor: str) -> HTMLResponse:
    """The entries that come after those on the page, and where the next ones begin."""
    found = await services.jobs.page(account.id, limit=SNAPSHOT_NEWEST, cursor=cursor)
    now = datetime.now(UTC)
    entries = [job_entry(job, now) for job in found.jobs]
    return HTMLResponse(render("parts/job_entries.html", jobs=entries, floor="", next=found.next))


@router.post("/jobs/{job_id}/retry")
async def retry_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> Response:
    """Queue a failed or cancelled job again, from the stage in which it ended."""
    await services.jobs.retry(account.id, job_id)
    return _seen_in_the_stream()


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> Response:
    """Ask a job to stop."""
    await services.jobs.cancel(account.id, job_id)
    return _seen_in_the_stream()


@router.post("/jobs/{job_id}/dismiss")
async def dismiss_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> Response:
    """Take a job that has ended out of the list."""
    await services.jobs.dismiss(account.id, job_id)
    return _seen_in_the_stream()


def _seen_in_the_stream() -> Response:
    """Nothing to show: what changed comes to every open tab, this one too, by the event stream."""
    return Response(status_code=204)
