"""The queue: slots, workers, what waits; and for owners, pausing."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from varloom.services.engine_views import EnginesView
from varloom.services.queue import REASON_LIMIT
from varloom.services.views import QueueView, StageName
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["queue"])


class ResumeRequest(BaseModel):
    """What is meant: a stage or an account."""

    model_config = ConfigDict(extra="forbid")

    stage: StageName | None = None
    account: Annotated[str | None, Field(max_length=200, description="the account's name")] = None


class PauseRequest(ResumeRequest):
    """What is to be paused, and why."""

    reason: Annotated[str | None, Field(max_length=REASON_LIMIT, description="shown with the jobs that wait")] = None


@router.get("/queue")
async def get_queue(services: CurrentServices, account: CurrentAccount) -> QueueView:
    """Slots by stage, what waits, what is paused, where the account's own jobs stand, and for owners the workers."""
    return await services.queue.overview(account)


@router.get("/engines")
async def get_engines(services: CurrentServices, account: CurrentAccount) -> EnginesView:  # noqa: ARG001 - who asks has one
    """What can analyse reads now, by what the connected workers have, and which choices would wait for a worker."""
    return await services.queue.engines()


@router.post("/queue/pause", responses=problem_responses(403, 404))
async def pause_queue(services: CurrentServices, account: CurrentAccount, what: PauseRequest) -> QueueView:
    """For owners: claim nothing more of a stage or of an account. What runs goes on."""
    return await services.queue.pause(account, stage=what.stage, name=what.account, reason=what.reason)


@router.post("/queue/resume", responses=problem_responses(403, 404))
async def resume_queue(services: CurrentServices, account: CurrentAccount, what: ResumeRequest) -> QueueView:
    """For owners: let what is paused be claimed again."""
    return await services.queue.resume(account, stage=what.stage, name=what.account)
