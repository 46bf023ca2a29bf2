"""Projects: who makes them, who is a member in which role, and which samples they share.

Every call is for one account; a project of which it is no member does not exist. Members and samples are changed with
the project locked, so that what was checked still holds when it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import errors

from varloom.dataset import projects
from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.access import may
from varloom.services.audit import note
from varloom.services.names import NAME_LIMIT, checked_project_name
from varloom.services.problems import ACCOUNT_NOT_FOUND
from varloom.services.project_problems import (
    PROJECT_INVALID,
    PROJECT_MEMBER_NOT_FOUND,
    PROJECT_NAME_TAKEN,
    PROJECT_NOT_FOUND,
    PROJECT_OWNER_NEEDED,
    PROJECT_ROLE_INSUFFICIENT,
)
from varloom.services.project_views import MemberView, ProjectDetails, ProjectList, ProjectView

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.projects import MemberRecord, Role

MOST_PROJECTS = 500
"""That one account makes."""


@dataclass(frozen=True, slots=True)
class Projects:
    """The projects of which an account is a member."""

    pool: AsyncConnectionPool

    async def all(self, account_id: UUID) -> ProjectList:
        """All of them, by name."""
        async with self.pool.connection() as conn:
            found = await projects.list_projects(conn, account_id)
        return ProjectList(projects=[ProjectView.model_validate(one, from_attributes=True) for one in found])

    async def names(self, account_id: UUID) -> list[tuple[UUID, str]]:
        """The id and name of each, by name: whatever is in them is not counted."""
        async with self.pool.connection() as conn:
            return [(one.id, one.name) for one in await projects.project_names(conn, account_id)]

    async def get(self, account_id: UUID, project_id: UUID) -> ProjectDetails:
        """One with its members. Raises `project_not_found`."""
        async with self.pool.connection() as conn:
            return await _details(conn, account_id, project_id)

    async def require(self, account_id: UUID, project_id: UUID) -> None:
        """See that the account is a member. Raises `project_not_found`."""
        async with self.pool.connection() as conn:
            if await projects.role_in(conn, account_id, project_id) is None:
                raise _not_found()

    async def create(self, account_id: UUID, name: str) -> ProjectDetails:
        """Make one; the account is its owner.

        Raises:
            VarloomError: `project_invalid` or `project_name_taken`.
        """
        checked = checked_project_name(name)
        note(name=checked)
        async with self.pool.connection() as conn:
            try:
                project_id = await projects.create_project(conn, account_id, checked, MOST_PROJECTS)
            except errors.UniqueViolation:
                raise _taken(checked) from None
            if project_id is None:
                raise VarloomError(PROJECT_INVALID, f"The account has made {MOST_PROJECTS} projects already.")
            note(project=str(project_id))
            return await _details(conn, account_id, project_id)

    async def rename(self, account_id: UUID, project_id: UUID, name: str) -> ProjectDetails:
        """Give one another name, as an editor.

        Raises:
            VarloomError: `project_invalid`, `project_name_taken`, `project_not_found`, `project_role_insufficient`.
        """
        checked = checked_project_name(name)
        note(name=checked)
        async with self.pool.connection() as conn:
            await _require(conn, account_id, project_id, "editor")
            try:
                await projects.rename_project(conn, project_id, checked)
            except errors.UniqueViolation:
                raise _taken(checked) from None
            return await _details(conn, account_id, project_id)

    async def delete(self, account_id: UUID, project_id: UUID) -> None:
        """Delete one, as an owner. Its samples stay where they belong, and are shared by it no more.

        Raises:
            VarloomError: `project_not_found`, `project_role_insufficient`.
        """
        async with self.pool.connection() as conn:
            await _require(conn, account_id, project_id, "owner")
            await projects.delete_project(conn, project_id)

    async def set_member(self, account_id: UUID, project_id: UUID, name: str, role: Role) -> MemberView:
        """Add the account of this name, or give a member another role, as an owner.

        Raises:
            VarloomError: `project_not_found`, `project_role_insufficient`; `account_not_found`, also for an account
                that was deactivated; `project_owner_needed`.
        """
        async with self.pool.connection() as conn:
            await _require(conn, account_id, project_id, "owner")
            note(member=name.strip()[:NAME_LIMIT], role=role)
            member_id = await projects.account_named(conn, project_id, name.strip())
            if member_id is None:
                raise VarloomError(ACCOUNT_NOT_FOUND, f"There is no account {safe_excerpt(name, 60)!r}.")
            if role != "owner":
                await _require_other_owner(conn, project_id, member_id)
            await projects.set_member(conn, project_id, member_id, role)
            found = await projects.members_of(conn, project_id)
        return next(_member(one) for one in found if one.account_id == member_id)

    async def remove_member(self, account_id: UUID, project_id: UUID, name: str) -> None:
        """Take a member out, as an owner, or oneself. The member's own samples leave the project as well.

        Raises:
            VarloomError: `project_not_found`, `project_role_insufficient`, `project_member_not_found`,
                `project_owner_needed`.
        """
        async with self.pool.connection() as conn:
            role = await _require(conn, account_id, project_id, "viewer")
            note(member=name.strip()[:NAME_LIMIT])
            member_id = await projects.account_named(conn, project_id, name.strip())
            if member_id != account_id and role != "owner":
                raise _refused(role, "owner")
            if member_id is None or await projects.role_in(conn, member_id, project_id) is None:
                raise VarloomError(PROJECT_MEMBER_NOT_FOUND, f"The project has no member {safe_excerpt(name, 60)!r}.")
            await _require_other_owner(conn, project_id, member_id)
            await projects.remove_member(conn, project_id, member_id)

    async def put_sample(self, account_id: UUID, project_id: UUID, sample_id: UUID) -> None:
        """Put an own sample in, as an editor; one that is in it already stays.

        Raises:
            VarloomError: `project_not_found`, `sample_not_found`, `project_role_insufficient` for a viewer, and for a
                sample that is another account's.
        """
        async with self.pool.connection() as conn:
            await _require(conn, account_id, project_id, "editor")
            note(project=str(project_id), sample=str(sample_id))
            holder = await projects.holder_of(conn, account_id, sample_id)
            if holder is not None and holder.account_id != account_id:
                message = f"The sample belongs to the account {safe_excerpt(holder.account_name, 60)}, which alone can"
                raise VarloomError(PROJECT_ROLE_INSUFFICIENT, f"{message} put it into projects.")
            if holder is None or not await projects.put_sample(conn, project_id, account_id, sample_id):
                raise VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this account.")

    async def take_sample(self, account_id: UUID, project_id: UUID, sample_id: UUID) -> None:
        """Take a sample out: its own account can, and an owner of the project. The sample itself stays.

        Raises:
            VarloomError: `project_not_found`, `project_role_insufficient`; `sample_not_found` for one not in it.
        """
        async with self.pool.connection() as conn:
            role = await _require(conn, account_id, project_id, "viewer")
            note(project=str(project_id), sample=str(sample_id))
            if await projects.take_sample(conn, project_id, account_id, sample_id, anyones=role == "owner"):
                return
            there = await projects.projects_of_samples(conn, account_id, [sample_id])
            if any(one.id == project_id for one in there.get(sample_id, ())):
                raise _refused(role, "owner")
            raise VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this project.")


async def _details(conn: AsyncConnection[Any], account_id: UUID, project_id: UUID) -> ProjectDetails:
    found = await projects.find_project(conn, account_id, project_id)
    if found is None:
        raise _not_found()
    members = await projects.members_of(conn, project_id)
    project = ProjectView.model_validate(found, from_attributes=True)
    return ProjectDetails(project=project, members=[_member(one) for one in members])


async def _require(conn: AsyncConnection[Any], account_id: UUID, project_id: UUID, needed: Role) -> Role:
    """The account's role, which is at least the one that is needed; it cannot change until the transaction ends."""
    role = await projects.role_in(conn, account_id, project_id, for_update=True)
    if role is None:
        raise _not_found()
    if not may(role, needed):
        raise _refused(role, needed)
    return role


async def _require_other_owner(conn: AsyncConnection[Any], project_id: UUID, member_id: UUID) -> None:
    """See that a project does not lose its last owner when this member is one no more."""
    if await projects.role_in(conn, member_id, project_id) != "owner":
        return
    if not await projects.has_other_owner(conn, project_id, member_id):
        raise VarloomError(PROJECT_OWNER_NEEDED, "This is the last owner of the project who can log in.")


def _member(found: MemberRecord) -> MemberView:
    return MemberView(
        account=found.name, role=found.role, added_at=found.added_at, active=found.active, samples=found.samples
    )


def _not_found() -> VarloomError:
    return VarloomError(PROJECT_NOT_FOUND, "There is no such project of which this account is a member.")


def _refused(role: Role, needed: Role) -> VarloomError:
    article = "an" if needed[0] in "aeiou" else "a"
    message = f"Your role in this project is {role}; this needs {article} {needed}."
    return VarloomError(PROJECT_ROLE_INSUFFICIENT, message)


def _taken(name: str) -> VarloomError:
    return VarloomError(PROJECT_NAME_TAKEN, f"There is a project called {name!r} by the same account.")
