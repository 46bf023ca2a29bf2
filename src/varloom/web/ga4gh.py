"""GA4GH's Workflow Execution Service 1.1 over the account's jobs: to look at, not to start or stop anything with."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

import varloom
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.paging import PAGE_LIMIT
from varloom.services.views import JobView
from varloom.services.workflow_runs import (
    WORKFLOW_TYPE,
    WORKFLOW_TYPE_VERSION,
    run_log,
    run_status,
    run_summary,
    task_logs,
)
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problems import RUN_NOT_FOUND, WES_READ_ONLY
from varloom.web.wes_errors import WES_PREFIX

router = APIRouter(prefix=WES_PREFIX, include_in_schema=False)  # its description is the one that GA4GH publishes

DEFAULT_PAGE = 50
PROTOCOLS = ["https", "s3", "gs", "az"]

PageSize = Annotated[int, Query(ge=1, description="the most runs of a page; a server may give fewer")]
PageToken = Annotated[str, Query(max_length=500, description="`next_page_token` of the page before")]


@router.get("/service-info")
async def get_service_info(request: Request, services: CurrentServices, account: CurrentAccount) -> dict[str, Any]:
    """What this service is, and how many of the account's runs are in which state."""
    address = _address(request)
    counts = await services.jobs.run_counts(account.id)
    return {
        "id": "varloom.wes",
        "name": "Varloom",
        "type": {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"},
        "description": "The jobs of a Varloom server, to look at. They are started and stopped by its own API.",
        "organization": {"name": "Varloom", "url": address},
        "version": varloom.__version__,
        "workflow_type_versions": {WORKFLOW_TYPE: {"workflow_type_version": [WORKFLOW_TYPE_VERSION]}},
        "supported_wes_versions": ["1.1.0"],
        "supported_filesystem_protocols": PROTOCOLS,
        "workflow_engine_versions": {"varloom": {"workflow_engine_version": [varloom.__version__]}},
        "default_workflow_engine_parameters": [],
        "system_state_counts": {state.value: count for state, count in counts.items()},
        "auth_instructions_url": f"{address}/login",
        "tags": {"access": "read-only"},
    }


@router.get("/runs")
async def list_runs(
    services: CurrentServices, account: CurrentAccount, page_size: PageSize = DEFAULT_PAGE, page_token: PageToken = ""
) -> dict[str, Any]:
    """The account's jobs as runs, newest first."""
    page = await services.jobs.page(account.id, limit=min(page_size, PAGE_LIMIT), cursor=page_token or None)
    return {"runs": [run_summary(job) for job in page.jobs], "next_page_token": page.next or ""}


@router.get("/runs/{run_id}")
async def get_run(request: Request, services: CurrentServices, account: CurrentAccount, run_id: str) -> dict[str, Any]:
    """One job as a run."""
    return run_log(await _job(services, account, run_id), _address(request))


@router.get("/runs/{run_id}/status")
async def get_run_status(services: CurrentServices, account: CurrentAccount, run_id: str) -> dict[str, Any]:
    """The state of a run."""
    return run_status(await _job(services, account, run_id))


@router.get("/runs/{run_id}/tasks")
async def list_tasks(
    services: CurrentServices,
    account: CurrentAccount,
    run_id: str,
    page_size: PageSize = PAGE_LIMIT,
    page_token: PageToken = "",
) -> dict[str, Any]:
    """The attempts at the stages of a run, oldest first."""
    tasks = task_logs(await _job(services, account, run_id))
    begin = next((at + 1 for at, task in enumerate(tasks) if task["id"] == page_token), 0)
    page = tasks[begin : begin + page_size]
    is_last = begin + page_size >= len(tasks)
    return {"task_logs": page, "next_page_token": "" if is_last else page[-1]["id"]}


@router.get("/runs/{run_id}/tasks/{task_id}")
async def get_task(services: CurrentServices, account: CurrentAccount, run_id: str, task_id: str) -> dict[str, Any]:
    """One attempt at a stage of a run."""
    for task in task_logs(await _job(services, account, run_id)):
        if task["id"] == task_id:
            return task
    raise VarloomError(RUN_NOT_FOUND, f"The run has no task {safe_excerpt(task_id, 60)!r}.")


@router.post("/runs")
async def run_workflow() -> None:
    """Refuse to start anything."""
    raise VarloomError(WES_READ_ONLY, "No run can be started here. Send files to POST /api/v1/jobs.")


@router.post("/runs/{run_id}/cancel")
async def cancel_run(services: CurrentServices, account: CurrentAccount, run_id: str) -> None:
    """Refuse to stop a run that there is."""
    job = await _job(services, account, run_id)
    raise VarloomError(WES_READ_ONLY, f"No run can be cancelled here. Send POST /api/v1/jobs/{job.id}/cancel.")


async def _job(services: CurrentServices, account: CurrentAccount, run_id: str) -> JobView:
    """The account's job that a run is. Raises `run_not_found` for a text that is no id, and `job_not_found`."""
    try:
        job_id = UUID(run_id)
    except ValueError:
        raise VarloomError(RUN_NOT_FOUND, f"There is no run {safe_excerpt(run_id, 60)!r}.") from None
    return await services.jobs.get(account.id, job_id)


def _address(request: Request) -> str:
    """The address of the server, as it was asked."""
    return str(request.base_url).rstrip("/")
