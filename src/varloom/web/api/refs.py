"""Reference data: what is installed, what is missing for full annotation, and the demonstration data."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from varloom.services.reference_views import ReferencesView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["annotation"])


@router.get("/refs")
async def list_references(services: CurrentServices, account: CurrentAccount) -> ReferencesView:  # noqa: ARG001
    """The releases that annotation works with, and what is published but not installed. Nothing is fetched for it."""
    return await services.references.overview()


@router.post("/refs/demo", responses=problem_responses(403))
async def install_demonstration(services: CurrentServices, account: CurrentAccount) -> ReferencesView:
    """For owners: install the demonstration data. Nothing in it is real; it serves its own files alone."""
    found = await services.references.install_demo(account)
    await services.annotations.look()
    return found


@router.delete("/refs/demo", responses=problem_responses(403, 409))
async def remove_demonstration(services: CurrentServices, account: CurrentAccount) -> ReferencesView:
    """For owners: remove the demonstration data. Tables that were annotated with it stay as they are."""
    await services.on_demand.close()
    found = await services.references.remove_demo(account)
    await services.annotations.look()
    return found


@router.get("/refs/demo/{file}", response_class=PlainTextResponse, responses=problem_responses(404))
async def get_demonstration_file(
    services: CurrentServices,
    account: CurrentAccount,  # noqa: ARG001
    file: str,
) -> PlainTextResponse:
    """A VCF of the demonstration to load: made variants of nobody."""
    text = await services.references.demo_file(file)
    headers = {"Content-Disposition": f'attachment; filename="{file}"'}
    return PlainTextResponse(text, headers=headers)
