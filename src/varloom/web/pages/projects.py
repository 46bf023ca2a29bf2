"""Projects: the list of them, and one with its samples and members."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from varloom.errors import counted
from varloom.services.access import may
from varloom.services.audit import note
from varloom.services.project_views import MemberView, ProjectView, RoleName
from varloom.web.dependencies import CurrentAccount, CurrentServices, Owning
from varloom.web.pages.formatting import count, moment
from varloom.web.pages.rendering import page
from varloom.web.pages.samples import PAGE, sample_row

router = APIRouter(include_in_schema=False)

ROLES: dict[RoleName, tuple[str, str]] = {
    "viewer": ("Viewer", "looks at samples, exports and downloads them"),
    "editor": ("Editor", "also puts own samples in, changes names and tags"),
    "owner": ("Owner", "also chooses members, and takes any sample out"),
}
OFFERED = 10
"""Samples that are offered at once to be put in."""

Focus = Literal["", "samples", "members"]


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project as the list and its own page show it."""

    id: str
    name: str
    role: str
    members: str
    samples: str
    created_iso: str
    created: str
    is_editor: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member; `number` tells the rows of a page apart."""

    number: int
    name: str
    role: RoleName
    role_name: str
    is_self: bool
    active: bool
    samples: int
    added_iso: str
    added: str
    warning: str


@router.get("/projects")
async def projects_page(
    request: Request, services: CurrentServices, account: CurrentAccount, sample: UUID | None = None
) -> HTMLResponse:
    """The projects of which the account is a member, and a form for a new one; with `sample`, to put that one in."""
    shared = None
    if sample is not None:
        shared = await services.samples.get(await services.access.to_sample(account.id, sample, "owner"))
    found = await services.projects.all(account.id)
    return await page(
        request,
        "projects.html",
        section="projects",
        projects=[_row(one) for one in found.projects],
        roles=ROLES.values(),
        sample=sample_row(shared) if shared else None,
        holding=[str(one.id) for one in shared.projects] if shared else [],
    )


@router.post("/projects")
async def create_project(
    services: CurrentServices,
    account: CurrentAccount,
    name: Annotated[str, Form()],
    sample: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Make a project, with a sample in it if one is named, and go to its page."""
    if sample is not None:  # first: a sample that cannot be put in leaves no empty project
        await services.access.to_sample(account.id, sample, "owner")
    made = await services.projects.create(account.id, name)
    if sample is not None:
        await services.projects.put_sample(account.id, made.project.id, sample)
    return Response(headers={"HX-Redirect": f"/projects/{made.project.id}"})


@router.post("/samples/{sample_id}/projects")
async def share_sample(
    services: CurrentServices, access: Owning, sample_id: UUID, project: Annotated[UUID, Form()]
) -> Response:
    """Put a sample into a project, and go back to the sample."""
    await services.projects.put_sample(access.account_id, project, sample_id)
    return Response(headers={"HX-Redirect": f"/samples/{sample_id}"})


@router.get("/projects/{project_id}")
async def project_page(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    project_id: UUID,
    q: str = "",
    cursor: str | None = None,
) -> HTMLResponse:
    """A project. `q` is part of the name of own samples that could be put in."""
    return await _page(request, services, account, project_id, q=q, cursor=cursor)


@router.post("/projects/{project_id}/name")
async def rename_project(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    project_id: UUID,
    name: Annotated[str, Form()],
) -> HTMLResponse:
    """Give a project another name."""
    await services.projects.rename(account.id, project_id, name)
    return await _page(request, services, account, project_id)


@router.delete("/projects/{project_id}")
async def delete_project(services: CurrentServices, account: CurrentAccount, project_id: UUID) -> Response:
    """Delete a project, and go to the list."""
    await services.projects.delete(account.id, project_id)
    return Response(headers={"HX-Redirect": "/projects"})


@router.post("/projects/{project_id}/members")
async def set_member(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    project_id: UUID,
    member: Annotated[str, Form()],
    role: Annotated[RoleName, Form()],
) -> HTMLResponse:
    """Add a member, or give one another role."""
    await services.projects.set_member(account.id, project_id, member, role)
    return await _page(request, services, account, project_id)


@router.post("/projects/{project_id}/members/remove")
async def remove_member(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    project_id: UUID,
    member: Annotated[str, Form()],
) -> Response:
    """Take a member out; whoever leaves goes to the list."""
    await services.projects.remove_member(account.id, project_id, member)
    if member.strip().lower() == account.name.lower():
        return Response(headers={"HX-Redirect": "/projects"})
    return await _page(request, services, account, project_id, focus="members")


@router.post("/projects/{project_id}/samples")
async def put_samples(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    project_id: UUID,
    sample: Annotated[list[UUID], Form(max_length=100)],
    q: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Put own samples in."""
    note(samples=[str(one) for one in sample])
    for sample_id in sample:
        await services.projects.put_sample(account.id, project_id, sample_id)
    return await _page(request, services, account, project_id, q=q, focus="samples")


@router.delete("/projects/{project_id}/samples/{sample_id}")
async def take_sample(
    request: Request, services: CurrentServices, account: CurrentAccount, project_id: UUID, sample_id: UUID
) -> HTMLResponse:
    """Take a sample out."""
    await services.projects.take_sample(account.id, project_id, sample_id)
    return await _page(request, services, account, project_id, focus="samples")


async def _page(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    project_id: UUID,
    *,
    q: str = "",
    cursor: str | None = None,
    focus: Focus = "",
) -> HTMLResponse:
    """The page of a project; `focus` says to which part the keyboard goes when it takes the place of another."""
    found = await services.projects.get(account.id, project_id)
    is_editor = may(found.project.role, "editor")
    there = await services.samples.page(account.id, limit=PAGE, cursor=cursor, project=project_id)
    offered = await services.samples.outside(account.id, project_id, q or None, OFFERED) if is_editor else None
    return await page(
        request,
        "project.html",
        section="projects",
        project=_row(found.project),
        is_editor=is_editor,
        is_owner=found.project.role == "owner",
        samples=[sample_row(one) for one in there.samples],
        next=there.next,
        offered=[sample_row(one) for one in offered.samples] if offered else [],
        has_more=bool(offered and offered.next),
        members=[_member(number, one, account.name) for number, one in enumerate(found.members)],
        roles=ROLES,
        query=q,
        focus=focus,
    )


def _row(project: ProjectView) -> ProjectRow:
    return ProjectRow(
        id=str(project.id),
        name=project.name,
        role=ROLES[project.role][0],
        members=count(project.members),
        samples=count(project.samples),
        created_iso=project.created_at.isoformat(),
        created=moment(project.created_at),
        is_editor=may(project.role, "editor"),
    )


def _member(number: int, member: MemberView, own_name: str) -> MemberRow:
    is_self = member.account == own_name
    who = "You see" if is_self else f"{member.account} sees"
    warning = f"{who} the samples of others here no more."
    if member.samples:
        whose = "your" if is_self else "the member's"
        warning += f" {counted(member.samples, 'sample')} of {whose} own leave{'s' if member.samples == 1 else ''} the"
        warning += " project as well, and stay in the account."
    return MemberRow(
        number=number,
        name=member.account,
        role=member.role,
        role_name=ROLES[member.role][0],
        is_self=is_self,
        active=member.active,
        samples=member.samples,
        added_iso=member.added_at.isoformat(),
        added=moment(member.added_at),
        warning=warning,
    )
