"""URLs before they become jobs."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from varloom.services.source_views import SourcePreflightList
from varloom.web.dependencies import CurrentAccount, CurrentServices

MOST_URLS = 100
"""In one request; even the longest ones together stay below the limit of a body."""

router = APIRouter(tags=["jobs"])


class WantedSources(BaseModel):
    """What to look at."""

    model_config = ConfigDict(extra="forbid")

    urls: Annotated[list[str], Field(max_length=MOST_URLS)]


@router.post("/sources/preflight")
async def preflight_sources(
    services: CurrentServices, account: CurrentAccount, wanted: WantedSources
) -> SourcePreflightList:
    """Tell of each text whether it is a URL that can be loaded, and with which credentials. No source is asked."""
    return await services.sources.preflight(account.id, wanted.urls)
