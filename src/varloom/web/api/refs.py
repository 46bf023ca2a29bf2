"""Reference data: what is installed, and what is missing for full annotation."""

from fastapi import APIRouter

from varloom.services.reference_views import ReferencesView
from varloom.web.dependencies import CurrentAccount, CurrentServices

router = APIRouter(tags=["annotation"])


@router.get("/refs")
async def list_references(services: CurrentServices, account: CurrentAccount) -> ReferencesView:  # noqa: ARG001
    """The releases that annotation works with, and what is published but not installed. Nothing is fetched for it."""
    return await services.references.overview()
