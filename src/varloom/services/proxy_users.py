"""People whom a reverse proxy has logged in: it names them in a header, and the account of that name is theirs.

Nothing is kept of it: who is named no more is out with the next request, and who is renamed, here or there, is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import ACCOUNT_DEACTIVATED, PROXY_USER_UNKNOWN, USER_NAME_TAKEN
from varloom.services.accounts import SEEN_INTERVAL, Account
from varloom.services.audit import Action, Subject

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.audit import Asking, Audit
    from varloom.services.users import Users

_FIND = """
WITH found AS (
    SELECT id, name, role, deactivated_at, seen_by_proxy_at FROM accounts WHERE lower(name) = lower(%(name)s)
), seen AS (
    UPDATE accounts SET seen_by_proxy_at = now() FROM found
    WHERE accounts.id = found.id AND found.deactivated_at IS NULL
        AND (found.seen_by_proxy_at IS NULL OR found.seen_by_proxy_at < now() - %(interval)s::interval)
)
SELECT id, name, role, deactivated_at IS NULL FROM found
"""


@dataclass(frozen=True, slots=True)
class ProxyUsers:
    """The accounts of those whom a trusted proxy names."""

    pool: AsyncConnectionPool
    users: Users
    audit: Audit
    create: bool

    async def account(self, name: str, asking: Asking) -> Account:
        """The account of this name; capitals make no difference.

        Args:
            name: as the proxy says it.
            asking: for the audit log, should an account be made.

        Raises:
            VarloomError: `proxy_user_unknown` where none may be made, `account_deactivated`.
        """
        found = await self._find(name)
        if found is None and self.create:
            await self._make(name, asking)
            found = await self._find(name)
        if found is None:
            raise VarloomError(PROXY_USER_UNKNOWN, f"There is no account with the name {safe_excerpt(name, 60)}.")
        account, active = found
        if not active:
            raise VarloomError(ACCOUNT_DEACTIVATED, f"The account {safe_excerpt(account.name, 60)} is deactivated.")
        return account

    async def _find(self, name: str) -> tuple[Account, bool] | None:
        values = {"name": name, "interval": SEEN_INTERVAL}
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_FIND.encode(), values)).fetchone()
        return None if row is None else (Account(*row[:3]), row[3])

    async def _make(self, name: str, asking: Asking) -> None:
        """Make it, or find that another request has made it at the same moment."""
        async with self.audit.told(Action.USER_ADDED, asking, Subject("user", name)) as details:
            details.update(name=name, role="member", by="proxy")
            try:
                made = await self.users.add(name)
            except VarloomError as error:
                if error.kind is not USER_NAME_TAKEN:
                    raise
            else:
                details["user"] = str(made.id)
