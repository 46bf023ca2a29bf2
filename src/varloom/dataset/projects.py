"""Which samples accounts share: the only module with the SQL of the tables that 0022 makes.

Only `catalog` reads them as well, to list samples. Every function runs in the transaction of the connection that it is
given. Who asks is checked by `varloom.services`; here an account that is no member of a project finds none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from psycopg.rows import class_row, scalar_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection

Role = Literal["owner", "editor", "viewer"]

# At most one row: an account's own sample is not looked for among the shared ones. Only its own can be a deleted one.
_HOLDER = """
SELECT samples.account_id, accounts.name AS account_name, 'owner' AS role
FROM samples JOIN accounts ON accounts.id = samples.account_id
WHERE samples.id = %(sample)s AND samples.account_id = %(account)s
UNION ALL
SELECT samples.account_id, accounts.name,
       CASE WHEN bool_or(project_members.role <> 'viewer') THEN 'editor' ELSE 'viewer' END
FROM samples JOIN accounts ON accounts.id = samples.account_id
JOIN project_samples ON project_samples.sample_id = samples.id
JOIN project_members ON project_members.project_id = project_samples.project_id
WHERE samples.id = %(sample)s AND samples.account_id <> %(account)s AND samples.deleted_at IS NULL
  AND project_members.account_id = %(account)s
GROUP BY samples.account_id, accounts.name
"""
_OF_SAMPLES = """
SELECT project_samples.sample_id, projects.id, projects.name, project_members.role
FROM project_samples
JOIN project_members ON project_members.project_id = project_samples.project_id
JOIN projects ON projects.id = project_samples.project_id
WHERE project_samples.sample_id = ANY (%(samples)s) AND project_members.account_id = %(account)s
ORDER BY lower(projects.name), projects.id
"""
_PROJECTS = """
SELECT projects.id, projects.name, project_members.role, projects.created_at,
       (SELECT count(*) FROM project_members AS all_members WHERE all_members.project_id = projects.id) AS members,
       (SELECT count(*) FROM project_samples JOIN samples ON samples.id = project_samples.sample_id
        WHERE project_samples.project_id = projects.id AND samples.deleted_at IS NULL) AS samples
FROM project_members JOIN projects ON projects.id = project_members.project_id
WHERE project_members.account_id = %(account)s
"""
_MEMBERS = """
SELECT accounts.id AS account_id, accounts.name, project_members.role, project_members.added_at,
       accounts.deactivated_at IS NULL AS active,
       (SELECT count(*) FROM project_samples JOIN samples ON samples.id = project_samples.sample_id
        WHERE project_samples.project_id = project_members.project_id
          AND project_samples.account_id = project_members.account_id AND samples.deleted_at IS NULL) AS samples
FROM project_members JOIN accounts ON accounts.id = project_members.account_id
WHERE project_members.project_id = %(project)s
ORDER BY array_position(ARRAY['owner', 'editor', 'viewer'], project_members.role), lower(accounts.name)
"""
_NAMES = """
SELECT projects.id, projects.name, project_members.role
FROM project_members JOIN projects ON projects.id = project_members.project_id
WHERE project_members.account_id = %(account)s ORDER BY lower(projects.name), projects.id
"""
# Whoever changes members or their roles has the project for himself, so that no two take away each other's last owner.
_LOCK = "SELECT 1 FROM projects WHERE id = %(project)s FOR UPDATE"
_ROLE = "SELECT role FROM project_members WHERE project_id = %(project)s AND account_id = %(account)s"
# Before it counts: a statement that waits for the row and counts would count what was there before it waited.
_HOLD_MAKER = "SELECT FROM accounts WHERE id = %(account)s FOR UPDATE"
_INSERT = """
WITH made AS (
    INSERT INTO projects (account_id, name) SELECT %(account)s, %(name)s
    WHERE (SELECT count(*) FROM projects WHERE account_id = %(account)s) < %(most)s
    RETURNING id, account_id
)
INSERT INTO project_members (project_id, account_id, role) SELECT id, account_id, 'owner' FROM made RETURNING project_id
"""
_RENAME = "UPDATE projects SET name = %(name)s, changed_at = now() WHERE id = %(project)s"
_DELETE = "DELETE FROM projects WHERE id = %(project)s"
_NAMED_ACCOUNT = """
SELECT accounts.id FROM accounts WHERE lower(accounts.name) = lower(%(name)s) AND (accounts.deactivated_at IS NULL
    OR EXISTS (SELECT 1 FROM project_members WHERE project_id = %(project)s AND account_id = accounts.id))
"""
_SET_MEMBER = """
INSERT INTO project_members (project_id, account_id, role) VALUES (%(project)s, %(account)s, %(role)s)
ON CONFLICT (project_id, account_id) DO UPDATE SET role = EXCLUDED.role
"""
_REMOVE_MEMBER = "DELETE FROM project_members WHERE project_id = %(project)s AND account_id = %(account)s"
_OTHER_OWNERS = """
SELECT count(*) FROM project_members JOIN accounts ON accounts.id = project_members.account_id
WHERE project_id = %(project)s AND project_members.role = 'owner' AND accounts.deactivated_at IS NULL
  AND accounts.id <> %(account)s
"""
_PUT_SAMPLE = """
WITH own AS (
    SELECT id, account_id FROM samples
    WHERE id = %(sample)s AND account_id = %(account)s AND deleted_at IS NULL FOR KEY SHARE
), put AS (
    INSERT INTO project_samples (project_id, sample_id, account_id) SELECT %(project)s, id, account_id FROM own
    ON CONFLICT (project_id, sample_id) DO NOTHING
)
SELECT count(*) FROM own
"""
_TAKE_SAMPLE = """
DELETE FROM project_samples WHERE project_id = %(project)s AND sample_id = %(sample)s
  AND (account_id = %(account)s OR %(any)s)
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a sample is, and what the account that asks may do with it.

    `owner` is said of a sample's own account alone: an owner of a project is an `editor` of others' samples in it.
    """

    account_id: UUID
    account_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project as one of its members sees it: with the member's role, and how many members and samples there are."""

    id: UUID
    name: str
    role: Role
    created_at: datetime
    members: int
    samples: int


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member; `samples` is the number of this account's samples in the project."""

    account_id: UUID
    name: str
    role: Role
    added_at: datetime
    active: bool
    samples: int


class NamedProject(NamedTuple):
    """A project, such as one that a sample is in, and the asking account's role in it."""

    id: UUID
    name: str
    role: Role


async def holder_of(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> Holder | None:
    """Whose a sample is, if the account may see it: its own, also a deleted one, or one that a project shares."""
    async with conn.cursor(row_factory=class_row(Holder)) as cursor:
        await cursor.execute(_HOLDER, {"account": account_id, "sample": sample_id})
        return await cursor.fetchone()


async def projects_of_samples(
    conn: AsyncConnection[Any], account_id: UUID, sample_ids: Sequence[UUID]
) -> dict[UUID, tuple[NamedProject, ...]]:
    """By sample, the projects of which the account is a member; without samples that are in none."""
    found: dict[UUID, list[NamedProject]] = {}
    rows = await conn.execute(_OF_SAMPLES, {"account": account_id, "samples": list(sample_ids)})
    for sample_id, *project in await rows.fetchall():
        found.setdefault(sample_id, []).append(NamedProject(*project))
    return {sample_id: tuple(projects) for sample_id, projects in found.items()}


async def list_projects(conn: AsyncConnection[Any], account_id: UUID) -> list[ProjectRecord]:
    """The projects of which the account is a member, by name."""
    async with conn.cursor(row_factory=class_row(ProjectRecord)) as cursor:
        query = _PROJECTS + " ORDER BY lower(projects.name), projects.id"
        return await (await cursor.execute(query, {"account": account_id})).fetchall()


async def project_names(conn: AsyncConnection[Any], account_id: UUID) -> list[NamedProject]:
    """The same as `list_projects`, without counting what is in them."""
    rows = await (await conn.execute(_NAMES, {"account": account_id})).fetchall()
    return [NamedProject(*row) for row in rows]


async def find_project(conn: AsyncConnection[Any], account_id: UUID, project_id: UUID) -> ProjectRecord | None:
    """A project, if the account is a member."""
    async with conn.cursor(row_factory=class_row(ProjectRecord)) as cursor:
        query = _PROJECTS + " AND projects.id = %(project)s"
        return await (await cursor.execute(query, {"account": account_id, "project": project_id})).fetchone()


async def members_of(conn: AsyncConnection[Any], project_id: UUID) -> list[MemberRecord]:
    """The members of a project: owners first, then editors and viewers, each by name."""
    async with conn.cursor(row_factory=class_row(MemberRecord)) as cursor:
        return await (await cursor.execute(_MEMBERS, {"project": project_id})).fetchall()


async def role_in(
    conn: AsyncConnection[Any], account_id: UUID, project_id: UUID, *, for_update: bool = False
) -> Role | None:
    """The account's role in a project; None for no member. With `for_update` nobody else changes it until the end."""
    values = {"account": account_id, "project": project_id}
    if for_update:
        await conn.execute(_LOCK, values)
    role: Role | None = await _value(conn, _ROLE, values)
    return role


async def create_project(conn: AsyncConnection[Any], account_id: UUID, name: str, most: int) -> UUID | None:
    """A project with the account as its owner; None when the account has made as many as `most` already."""
    await conn.execute(_HOLD_MAKER, {"account": account_id})
    made: UUID | None = await _value(conn, _INSERT, {"account": account_id, "name": name, "most": most})
    return made


async def rename_project(conn: AsyncConnection[Any], project_id: UUID, name: str) -> None:
    """Give a project another name."""
    await conn.execute(_RENAME, {"project": project_id, "name": name})


async def delete_project(conn: AsyncConnection[Any], project_id: UUID) -> None:
    """Delete a project; its samples stay where they belong."""
    await conn.execute(_DELETE, {"project": project_id})


async def account_named(conn: AsyncConnection[Any], project_id: UUID, name: str) -> UUID | None:
    """The account of this name, the case of letters aside: one that can log in, or one that is a member already."""
    found: UUID | None = await _value(conn, _NAMED_ACCOUNT, {"project": project_id, "name": name})
    return found


async def set_member(conn: AsyncConnection[Any], project_id: UUID, account_id: UUID, role: Role) -> None:
    """Make an account a member, or give a member another role."""
    await conn.execute(_SET_MEMBER, {"project": project_id, "account": account_id, "role": role})


async def remove_member(conn: AsyncConnection[Any], project_id: UUID, account_id: UUID) -> bool:
    """Take a member out, and with it the member's samples; whether it was one."""
    found = await conn.execute(_REMOVE_MEMBER, {"project": project_id, "account": account_id})
    return found.rowcount == 1


async def has_other_owner(conn: AsyncConnection[Any], project_id: UUID, account_id: UUID) -> bool:
    """Whether a project has an owner who can log in, beside this account."""
    return bool(await _value(conn, _OTHER_OWNERS, {"project": project_id, "account": account_id}))


async def put_sample(conn: AsyncConnection[Any], project_id: UUID, account_id: UUID, sample_id: UUID) -> bool:
    """Put a member's own sample into a project, if it is not in it yet; False for one that is not the member's."""
    values = {"project": project_id, "account": account_id, "sample": sample_id}
    return bool(await _value(conn, _PUT_SAMPLE, values))


async def take_sample(
    conn: AsyncConnection[Any], project_id: UUID, account_id: UUID, sample_id: UUID, *, anyones: bool
) -> bool:
    """Take the account's sample out of a project, with `anyones` whosever it is; whether it was there."""
    values = {"project": project_id, "account": account_id, "sample": sample_id, "any": anyones}
    return (await conn.execute(_TAKE_SAMPLE, values)).rowcount == 1


async def _value(conn: AsyncConnection[Any], query: str, values: dict[str, Any]) -> Any:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query.encode(), values)
        return await cursor.fetchone()
