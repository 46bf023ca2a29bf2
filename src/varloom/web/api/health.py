"""Whether the server lives, and whether it can work. Served without a login; it tells nothing else."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from varloom.web.dependencies import CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The database answers, too."""

    status: Literal["ready"] = "ready"
    disk_low: list[Literal["server", "workers"]] = []


@router.get("/healthz")
async def alive() -> Alive:
    """Whether the process answers."""
    return Alive()


@router.get("/readyz", responses=problem_responses(503))
async def ready(services: CurrentServices) -> Ready:
    """Whether requests can be served: 503 while the database is away. `disk_low` tells who is short of disk space."""
    return Ready.model_validate({"disk_low": await services.require_ready()})
