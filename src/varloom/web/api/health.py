"""Whether the server lives, and whether it can work. Served without a login; it tells nothing else."""

import logging
from typing import Literal

import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from pydantic import BaseModel

from varloom.db.problems import DATABASE_UNREACHABLE
from varloom.errors import VarloomError
from varloom.web.dependencies import CurrentServices
from varloom.web.problem_documents import problem_responses

logger = logging.getLogger(__name__)

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The database answers, too."""

    status: Literal["ready"] = "ready"


@router.get("/healthz")
async def alive() -> Alive:
    """Whether the process answers."""
    return Alive()


@router.get("/readyz", responses=problem_responses(503))
async def ready(services: CurrentServices) -> Ready:
    """Whether requests can be served: 503 while the database is away."""
    try:
        await services.is_ready()
    except (psycopg.Error, PoolTimeout):
        logger.warning("The database does not answer.")
        raise VarloomError(DATABASE_UNREACHABLE, "The database does not answer.") from None
    return Ready()
