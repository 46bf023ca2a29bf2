"""Who may do what with a sample: the one door between an account that asks and the account that a sample belongs to.

A sample is seen by its own account, and by the members of the projects that it is in. All other use cases work for the
account that a sample belongs to: they are given its id by `Access`, and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.dataset import projects
from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.dataset.projects import Role
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.project_problems import PROJECT_ROLE_INSUFFICIENT

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

__all__ = ["Access", "Role", "SampleAccess", "may"]

_ROLES: tuple[Role, ...] = ("viewer", "editor", "owner")


@dataclass(frozen=True, slots=True)
class SampleAccess:
    """What an account may do with a sample.

    Attributes:
        asking_id: the account that asks.
        account_id: the account that the sample belongs to, for which all else is done.
        account_name: its name.
        sample_id: the sample.
        role: `owner` for the sample's own account alone; members of its projects are `editor` or `viewer`.
    """

    asking_id: UUID
    account_id: UUID
    account_name: str
    sample_id: UUID
    role: Role

    @property
    def is_own(self) -> bool:
        """Whether the sample belongs to the account that asks."""
        return self.role == "owner"


@dataclass(frozen=True, slots=True)
class Access:
    """Opens samples to those who may see them."""

    pool: AsyncConnectionPool

    async def to_sample(self, account_id: UUID, sample_id: UUID, needed: Role) -> SampleAccess:
        """The way of an account to a sample. A deleted one is there for its own account alone, to be brought back.

        Args:
            account_id: who asks.
            sample_id: for which sample.
            needed: the least role: `viewer` to look, `editor` to change what it is called, `owner` for all that its own
                account alone may do.

        Raises:
            VarloomError: `sample_not_found` for what may not be seen, `project_role_insufficient` for what may be seen,
                and no more than that.
        """
        async with self.pool.connection() as conn:
            holder = await projects.holder_of(conn, account_id, sample_id)
        if holder is None:
            raise VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this account.")
        if not may(holder.role, needed):
            raise _refused(holder.account_name, holder.role, needed)
        return SampleAccess(account_id, holder.account_id, holder.account_name, sample_id, holder.role)


def may(role: Role, needed: Role) -> bool:
    """Whether a role is enough where another is needed."""
    return _ROLES.index(role) >= _ROLES.index(needed)


def _refused(account_name: str, role: Role, needed: Role) -> VarloomError:
    name = safe_excerpt(account_name, 60)
    if needed == "owner":
        message = f"The sample belongs to the account {name}, which alone can do this."
    else:
        message = f"The sample of the account {name} is shared with you as {role}; this needs {needed}."
    return VarloomError(PROJECT_ROLE_INSUFFICIENT, message)
