"""The JSON shapes of projects, their members, and the projects of a sample."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from varloom.services.views import UtcTime, View

RoleName = Literal["owner", "editor", "viewer"]


class MemberView(View):
    """A member of a project."""

    account: str = Field(description="the account's name")
    role: RoleName
    added_at: UtcTime
    active: bool = Field(description="false: the account was deactivated, and cannot log in; its samples stay")
    samples: int = Field(description="how many of its samples are in the project")


class ProjectView(View):
    """A project in short."""

    id: UUID
    name: str
    role: RoleName = Field(description="your own")
    created_at: UtcTime
    members: int = Field(description="how many there are")
    samples: int = Field(description="how many there are, without deleted ones")


class ProjectList(View):
    """The projects of which the account is a member, by name."""

    projects: list[ProjectView]


class ProjectDetails(View):
    """A project and its members: owners first. Its samples are listed by `GET /samples?project=`."""

    project: ProjectView
    members: list[MemberView]
