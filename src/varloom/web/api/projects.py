"""Projects: samples that several accounts see, and who may do what with them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from varloom.services.project_views import MemberView, ProjectDetails, ProjectList, RoleName
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["projects"])
_ONE = problem_responses(403, 404)


class NamedProject(BaseModel):
    """What a project is called."""

    model_config = ConfigDict(extra="forbid")

    name: str


class GivenRole(BaseModel):
    """What a member may do."""

    model_config = ConfigDict(extra="forbid")

    role: RoleName = Field(
        description="`viewer`: look; `editor`: also put own samples in, change names and tags; `owner`: also members"
    )


MemberName = Annotated[str, Path(description="the account's name", max_length=200)]


@router.get("/projects")
async def list_projects(services: CurrentServices, account: CurrentAccount) -> ProjectList:
    """The projects of which the account is a member, by name."""
    return await services.projects.all(account.id)


@router.post("/projects", status_code=201, responses=problem_responses(409))
async def create_project(services: CurrentServices, account: CurrentAccount, new: NamedProject) -> ProjectDetails:
    """Make a project, with the account as its owner."""
    return await services.projects.create(account.id, new.name)


@router.get("/projects/{project_id}", responses=problem_responses(404))
async def get_project(services: CurrentServices, account: CurrentAccount, project_id: UUID) -> ProjectDetails:
    """A project and its members."""
    return await services.projects.get(account.id, project_id)


@router.patch("/projects/{project_id}", responses={**_ONE, **problem_responses(409)})
async def rename_project(
    services: CurrentServices, account: CurrentAccount, project_id: UUID, changed: NamedProject
) -> ProjectDetails:
    """Give a project another name."""
    return await services.projects.rename(account.id, project_id, changed.name)


@router.put("/projects/{project_id}/members/{member:path}", responses={**_ONE, **problem_responses(409)})
async def set_member(
    services: CurrentServices, account: CurrentAccount, project_id: UUID, member: MemberName, given: GivenRole
) -> MemberView:
    """Add an account by its exact name, or give a member another role."""
    return await services.projects.set_member(account.id, project_id, member, given.role)


@router.delete(
    "/projects/{project_id}/members/{member:path}", status_code=204, responses={**_ONE, **problem_responses(409)}
)
async def remove_member(
    services: CurrentServices, account: CurrentAccount, project_id: UUID, member: MemberName
) -> None:
    """Take a member out, or leave the project. The member's own samples leave it as well."""
    await services.projects.remove_member(account.id, project_id, member)


@router.put("/projects/{project_id}/samples/{sample_id}", status_code=204, responses=_ONE)
async def put_sample(services: CurrentServices, account: CurrentAccount, project_id: UUID, sample_id: UUID) -> None:
    """Put an own sample into a project: all its members see it from now on."""
    await services.projects.put_sample(account.id, project_id, sample_id)


@router.delete("/projects/{project_id}/samples/{sample_id}", status_code=204, responses=_ONE)
async def take_sample(services: CurrentServices, account: CurrentAccount, project_id: UUID, sample_id: UUID) -> None:
    """Take a sample out of a project. The sample itself stays."""
    await services.projects.take_sample(account.id, project_id, sample_id)


@router.delete("/projects/{project_id}", status_code=204, responses=_ONE)
async def delete_project(services: CurrentServices, account: CurrentAccount, project_id: UUID) -> None:
    """Delete a project. Its samples stay with their accounts."""
    await services.projects.delete(account.id, project_id)
