"""Views of tables that are kept by name."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from varloom.services.views import TableView, TableViewList
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["views"])


class NewView(BaseModel):
    """A view to keep: `query` is what stands in the address of a table."""

    model_config = ConfigDict(extra="forbid")

    name: str
    query: str


class ChangedView(BaseModel):
    """What is to change of a view; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    query: str | None = None


@router.get("/views")
async def list_views(services: CurrentServices, account: CurrentAccount) -> TableViewList:
    """The account's views, by name."""
    return await services.saved_views.all(account.id)


@router.post("/views", status_code=201, responses=problem_responses(409))
async def add_view(services: CurrentServices, account: CurrentAccount, new: NewView) -> TableView:
    """Keep a view."""
    return await services.saved_views.add(account.id, new.name, new.query)


@router.patch("/views/{view_id}", responses=problem_responses(404, 409))
async def change_view(
    services: CurrentServices, account: CurrentAccount, view_id: UUID, changed: ChangedView
) -> TableView:
    """Rename a view, or let it show something else."""
    return await services.saved_views.change(account.id, view_id, name=changed.name, query=changed.query)


@router.delete("/views/{view_id}", status_code=204, responses=problem_responses(404))
async def delete_view(services: CurrentServices, account: CurrentAccount, view_id: UUID) -> None:
    """Delete a view."""
    await services.saved_views.delete(account.id, view_id)
