"""Jobs: list, look, retry, cancel, prioritise, dismiss."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from varloom.services.jobs import Action, Created
from varloom.services.options import PRIORITY_LIMIT, parse_options
from varloom.services.paging import PAGE_LIMIT
from varloom.services.views import ActionResults, EventList, JobList, JobLog, JobView, ProvenanceView, StateName
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["jobs"])


ID_LIMIT = 200
"""The most ids of a list: they stand in its URL."""


class RetryRequest(BaseModel):
    """How to retry. An empty object, or none, retries from the stage in which the job ended, as it was."""

    model_config = ConfigDict(extra="forbid")

    from_stage: Literal["start", "download", "process", "annotate", "parse"] | None = None
    options: dict[str, Any] | None = Field(default=None, description="the options to change; others stay")


class ActionRequest(BaseModel):
    """What to do with several jobs."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    jobs: Annotated[list[UUID], Field(min_length=1, max_length=PAGE_LIMIT, description="their ids")]
    priority: Annotated[
        int | None, Field(ge=-PRIORITY_LIMIT, le=PRIORITY_LIMIT, description="for the action `prioritise`")
    ] = None


class PriorityRequest(BaseModel):
    """The new priority of a job."""

    model_config = ConfigDict(extra="forbid")

    priority: Annotated[
        int, Field(ge=-PRIORITY_LIMIT, le=PRIORITY_LIMIT, description="higher goes first; 0 is ordinary")
    ]


@router.get("/jobs")
async def list_jobs(
    *,
    services: CurrentServices,
    account: CurrentAccount,
    state: Annotated[list[StateName] | None, Query(description="only these states; may be repeated")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before", max_length=500)] = None,
    search: Annotated[str | None, Query(description="part of a sample's or a file's name", max_length=200)] = None,
    since: Annotated[AwareDatetime | None, Query(description="only jobs created from this moment on")] = None,
    until: Annotated[AwareDatetime | None, Query(description="only jobs created before this moment")] = None,
    id: Annotated[  # noqa: A002 - what the field calls it
        list[UUID] | None, Query(description="only these jobs; may be repeated", max_length=ID_LIMIT)
    ] = None,
) -> JobList:
    """The account's jobs, newest first."""
    created = Created(since, until)
    return await services.jobs.page(
        account.id, states=state, limit=limit, cursor=cursor, search=search, created=created, ids=id
    )


@router.post("/jobs/actions")
async def act_on_jobs(services: CurrentServices, account: CurrentAccount, wanted: ActionRequest) -> ActionResults:
    """Cancel, retry, dismiss or prioritise several jobs; each is done or refused by itself."""
    return await services.jobs.act(account.id, wanted.jobs, wanted.action, wanted.priority)


@router.get("/jobs/{job_id}", responses=problem_responses(404))
async def get_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> JobView:
    """One job."""
    return await services.jobs.get(account.id, job_id)


@router.get("/jobs/{job_id}/events", responses=problem_responses(404))
async def get_history(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> EventList:
    """Everything that happened to a job, oldest first."""
    return await services.jobs.history(account.id, job_id)


@router.get("/jobs/{job_id}/log", responses=problem_responses(404))
async def get_log(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> JobLog:
    """What the processes of a job's stages said, attempt by attempt, oldest first."""
    return await services.jobs.log(account.id, job_id)


@router.get("/jobs/{job_id}/provenance", responses=problem_responses(404))
async def get_provenance(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> ProvenanceView:
    """Where the job's tables come from: the file and its checksum, the options, and the versions of what made them."""
    return await services.provenance.of_job(account.id, job_id)


@router.get(
    "/jobs/{job_id}/report",
    response_class=PlainTextResponse,
    responses=problem_responses(404),
)
async def get_report(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> PlainTextResponse:
    """All that is known of a job as a plain text: what went wrong, where, what to do, what was tried, its history."""
    text = await services.jobs.report(account.id, job_id)
    headers = {"Content-Disposition": f'attachment; filename="varloom-job-{job_id}.txt"'}
    return PlainTextResponse(text, headers=headers)


@router.post("/jobs/{job_id}/retry", responses=problem_responses(404, 409))
async def retry_job(
    services: CurrentServices, account: CurrentAccount, job_id: UUID, how: RetryRequest | None = None
) -> JobView:
    """Queue a failed or cancelled job again, with fresh attempts; let one that waits for its automatic retry run now.

    The attempt that was waited for counts as before, and nothing of the job can be changed with it.
    """
    how = how or RetryRequest()
    await services.annotations.require(parse_options(how.options or {}))
    return await services.jobs.retry(account.id, job_id, from_stage=how.from_stage, options=how.options)


@router.post("/jobs/{job_id}/cancel", responses=problem_responses(404, 409))
async def cancel_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> JobView:
    """Stop a job: a waiting one at once, a running one within seconds."""
    return await services.jobs.cancel(account.id, job_id)


@router.post("/jobs/{job_id}/priority", responses=problem_responses(404, 409))
async def prioritise_job(
    services: CurrentServices, account: CurrentAccount, job_id: UUID, wanted: PriorityRequest
) -> JobView:
    """Change the priority of a job that waits or runs; it counts from the next free slot on."""
    return await services.jobs.prioritise(account.id, job_id, wanted.priority)


@router.delete("/jobs/{job_id}", status_code=204, responses=problem_responses(404, 409))
async def dismiss_job(services: CurrentServices, account: CurrentAccount, job_id: UUID) -> None:
    """Take a job that has ended out of the list; its sample stays."""
    await services.jobs.dismiss(account.id, job_id)
