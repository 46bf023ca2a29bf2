"""The Job Manager: its page, the page of one job, its entries, and the buttons of an entry."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from varloom.services.accounts import Account
from varloom.services.container import Services
from varloom.services.events import SNAPSHOT_NEWEST
from varloom.services.options import parse_options
from varloom.services.views import JobList, JobView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.job_details import job_details
from varloom.web.pages.job_entries import job_entry
from varloom.web.pages.job_filter import STATE_GROUPS, AskedFilter, JobFilter
from varloom.web.pages.job_segments import STAGE_NAMES
from varloom.web.pages.rendering import page, render

router = APIRouter(include_in_schema=False)


@router.get("/jobs")
async def jobs_page(
    request: Request, services: CurrentServices, account: CurrentAccount, asked: AskedFilter
) -> HTMLResponse:
    """The jobs that match what stands in the address, newest first."""
    found = await _page(services, account, asked)
    now = datetime.now(UTC)
    entries = [job_entry(job, now) for job in found.jobs]
    groups = [(value, name) for value, (name, _) in STATE_GROUPS.items()]
    return await page(request, "jobs.html", section="jobs", jobs=entries, next=found.next, asked=asked, groups=groups)


@router.get("/jobs/entries")
async def earlier_entries(
    services: CurrentServices, account: CurrentAccount, asked: AskedFilter, cursor: str
) -> HTMLResponse:
    """The entries that come after those on the page, and where the next ones begin."""
    found = await _page(services, account, asked, cursor)
    now = datetime.now(UTC)
    entries = [job_entry(job, now) for job in found.jobs]
    return HTMLResponse(render("parts/job_entries.html", jobs=entries, floor="", next=found.next))


async def _page(services: Services, account: Account, asked: JobFilter, cursor: str | None = None) -> JobList:
    return await services.jobs.page(
        account.id,
        states=asked.states,
        limit=SNAPSHOT_NEWEST,
        cursor=cursor,
        search=asked.text or None,
        created=asked.created,
    )


@router.get("/jobs/{job_id}")
async def job_page(request: Request, services: CurrentServices, account: CurrentAccount, job_id: UUID) -> HTMLResponse:
    """One job, whole."""
    job = await services.jobs.get(account.id, job_id)
    history = await services.jobs.history(account.id, job_id)
    provenance = await services.provenance.of_job(account.id, job_id)
    log = await services.jobs.log(account.id, job_id)
    details = job_details(job, history.events, provenance, log.logs)
    return await page(request, "job.html", section="jobs", job=details)


@router.get("/jobs/{job_id}/retry")
async def retry_form(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> HTMLResponse:
    """What can be changed before a job is tried again."""
    job = await services.jobs.get(account.id, job_id)
    stages = [STAGE_NAMES[stage][0] for stage in job.plan]
    credentials = await _credentials_for(services, account, job)
    offered = {kind: services.annotations.why_unavailable(kind) is None for kind in ("small", "structural")}
    offered["pgx"] = services.annotations.why_no_pgx() is None
    return HTMLResponse(
        render(
            "parts/retry_form.html",
            job=job,
            stages=stages,
            credentials=credentials,
            offered=offered,
            genomes=services.annotations.genome_choices(),
        )
    )


async def _credentials_for(services: Services, account: Account, job: JobView) -> list[str] | None:
    """Those that may be sent for the job's URL; None for a file that was sent, or is here already."""
    if job.source.kind != "url" or job.renews_sample_id is not None:
        return None
    url = (await services.provenance.of_job(account.id, job.id)).source.url or ""
    [source] = (await services.sources.preflight(account.id, [url])).sources
    return source.credentials


@router.post("/jobs/{job_id}/retry")
async def retry_job(
    *,
    services: CurrentServices,
    account: CurrentAccount,
    job_id: UUID,
    changed: Annotated[bool, Form()] = False,
    assembly: Annotated[str, Form(max_length=20)] = "",
    annotate: Annotated[str, Form(max_length=20)] = "",
    split_by_sample: Annotated[bool, Form()] = False,
    pgx: Annotated[bool, Form()] = False,
    reference_sites_listed: Annotated[bool, Form()] = False,
    outside_calls: Annotated[str, Form(max_length=20_000)] = "",
    reference: Annotated[str, Form(max_length=300)] = "",
    engine: Annotated[str, Form(max_length=20)] = "",
    caller: Annotated[str, Form(max_length=20)] = "",
    alignment_format: Annotated[str, Form(max_length=20)] = "",
    sex_chromosomes: Annotated[str, Form(max_length=20)] = "",
    credential: Annotated[str, Form(max_length=80)] = "",
    without_annotation: Annotated[bool, Form()] = False,
    begin: Annotated[Literal["", "start"], Form()] = "",
) -> Response:
    """Queue a job again, from the stage in which it ended, with other options if they changed; or end its wait."""
    options: dict[str, Any] | None = None
    if without_annotation:
        options = {"annotate": "none"}
    elif changed:
        options = {"annotate": annotate}
        calling = {"pgx": pgx, "reference_sites_listed": reference_sites_listed, "outside_calls": outside_calls}
        if (await services.jobs.get(account.id, job_id)).renews_sample_id is not None:
            options |= {"assembly": assembly or None}  # the form does not ask for more
        elif reference:  # of reads, whose assembly is that of the reference
            chosen = {"reference": reference, "engine": engine, "caller": caller}
            kept = {"alignment_format": alignment_format, "sex_chromosomes": sex_chromosomes}
            options |= {"reads": True, **chosen, **kept} | calling
        else:
            options |= {"assembly": assembly or None, "split_by_sample": split_by_sample} | calling
        await services.annotations.require(parse_options(options))
    if options is not None and changed and (await services.jobs.get(account.id, job_id)).source.kind == "url":
        options["credential"] = credential or None
    await services.jobs.retry(account.id, job_id, from_stage=begin or None, options=options)
    return _seen_in_the_stream()


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> Response:
    """Ask a job to stop."""
    await services.jobs.cancel(account.id, job_id)
    return _seen_in_the_stream()


@router.post("/jobs/{job_id}/priority")
async def prioritise_job(
    services: CurrentServices, account: CurrentAccount, job_id: UUID, priority: Annotated[int, Form()]
) -> Response:
    """Let a job go before others, or after them."""
    await services.jobs.prioritise(account.id, job_id, priority)
    return _seen_in_the_stream()


@router.post("/jobs/{job_id}/dismiss")
async def dismiss_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> Response:
    """Take a job that has ended out of the list."""
    await services.jobs.dismiss(account.id, job_id)
    return _seen_in_the_stream()


def _seen_in_the_stream() -> Response:
    """Nothing to show: what changed comes to every open tab, this one too, by the event stream."""
    return Response(status_code=204)
