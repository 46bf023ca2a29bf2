"""The people of a server, as its owners manage them: who there is, what they may do, and the way in for each.

A deactivated account keeps all that it has, and its jobs go on; its sessions and tokens are no use from that moment on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import LAST_OWNER, USER_INVALID, USER_NAME_TAKEN, USER_NOT_FOUND
from varloom.services.account_quotas import Quota, checked_quota

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.accounts import Accounts

NAME_LIMIT = 200
EMAIL_LIMIT = 320

Role = Literal["owner", "member"]

_COLUMNS = """
id, name, email, role, created_at, deactivated_at, password_hash IS NOT NULL AS has_password,
CASE WHEN NOT own_quota THEN '"default"' WHEN quota_bytes IS NULL THEN '"none"' ELSE to_json(quota_bytes) END AS quota,
EXISTS (SELECT FROM identities WHERE account_id = accounts.id) AS is_connected,
greatest(
    (SELECT max(last_seen_at) FROM sessions WHERE account_id = accounts.id),
    (SELECT max(last_used_at) FROM api_tokens WHERE account_id = accounts.id),
    seen_by_proxy_at
) AS last_seen_at
"""
_SELECT = "SELECT" + _COLUMNS + "FROM accounts"
_LIST = _SELECT + " ORDER BY deactivated_at IS NOT NULL, lower(name)"
_GET = _SELECT + " WHERE id = %s"
_NAMED = _SELECT + " WHERE lower(name) = lower(%s)"
_ADD = "INSERT INTO accounts (name, email, role) VALUES (%s, %s, %s) RETURNING id"
# Whoever takes an owner away holds all owners until it is done: else two could take each other away at the same moment.
_OTHER_OWNERS = """
SELECT id FROM accounts WHERE role = 'owner' AND deactivated_at IS NULL ORDER BY id FOR UPDATE
"""
_CHANGE = """
UPDATE accounts SET
    name = coalesce(%(name)s, name),
    email = CASE WHEN %(set_email)s THEN %(email)s ELSE email END,
    role = coalesce(%(role)s, role),
    deactivated_at = CASE
        WHEN %(active)s THEN NULL
        WHEN NOT %(active)s THEN coalesce(deactivated_at, now())
        ELSE deactivated_at
    END,
    own_quota = CASE WHEN %(quota)s::text IS NULL THEN own_quota ELSE %(quota)s <> 'default' END,
    quota_bytes = CASE
        WHEN %(quota)s::text IS NULL THEN quota_bytes
        WHEN %(quota)s NOT IN ('default', 'none') THEN %(quota)s::bigint
    END
WHERE id = %(id)s
"""
_END_ALL = (
    "DELETE FROM sessions WHERE account_id = %s",
    "DELETE FROM login_links WHERE account_id = %s",
    "UPDATE api_tokens SET revoked_at = now() WHERE account_id = %s AND revoked_at IS NULL",
)


@dataclass(frozen=True, slots=True)
class User:
    """An account, as owners see it.

    Attributes:
        is_connected: whether its owner can log in by an OpenID Connect provider.
        last_seen_at: exact to a minute; None if nothing of it is remembered.
    """

    id: UUID
    name: str
    email: str | None
    role: Role
    created_at: datetime
    deactivated_at: datetime | None
    has_password: bool
    quota: Quota
    is_connected: bool
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserChange:
    """What becomes of an account; None leaves a thing as it is. An empty `email` takes it away."""

    name: str | None = None
    email: str | None = None
    role: Role | None = None
    active: bool | None = None
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Users:
    """All accounts. That an owner asks is for the caller to see to."""

    pool: AsyncConnectionPool
    accounts: Accounts

    async def all(self) -> list[User]:
        """All accounts, by name; deactivated ones at the end."""
        async with self.pool.connection() as conn:
            return await (await conn.cursor(row_factory=class_row(User)).execute(_LIST.encode())).fetchall()

    async def get(self, user_id: UUID) -> User:
        """One account.

        Raises:
            VarloomError: `user_not_found`.
        """
        async with self.pool.connection() as conn:
            return await self._get(conn, user_id)

    async def named(self, name: str) -> User | None:
        """The account with this name, if there is one; capitals make no difference."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(User))
            return await (await cursor.execute(_NAMED.encode(), [name.strip().replace("\0", "")])).fetchone()

    async def add(self, name: str, *, email: str | None = None, role: Role = "member") -> User:
        """A new account, without a password: its first way in is a login link.

        Raises:
            VarloomError: `user_invalid`, `user_name_taken`.
        """
        async with self.pool.connection() as conn:
            return await self._get(conn, await insert_user(conn, name, email=email, role=role))

    async def change(self, user_id: UUID, change: UserChange) -> User:
        """Rename an account, change its role or its quota, deactivate it or activate it again.

        Deactivating ends its sessions, links and tokens for good; activated again, it needs a new way in.

        Raises:
            VarloomError: `user_not_found`, `user_invalid`, `user_name_taken`, `last_owner`.
        """
        values: dict[str, Any] = {
            "id": user_id,
            "name": None if change.name is None else _checked_name(change.name),
            "set_email": change.email is not None,
            "email": _checked_email(change.email),
            "role": change.role,
            "active": change.active,
            "quota": None if change.quota is None else str(checked_quota(change.quota)),
        }
        async with self.pool.connection() as conn:
            if change.role == "member" or change.active is False:
                owners = [row[0] for row in await (await conn.execute(_OTHER_OWNERS.encode())).fetchall()]
                if owners == [user_id]:
                    raise VarloomError(LAST_OWNER, "This account is the only active owner.")
            try:
                await conn.execute(_CHANGE.encode(), values)
            except UniqueViolation:
                raise _taken(change.name or "") from None
            if change.active is False:
                for statement in _END_ALL:
                    await conn.execute(statement.encode(), [user_id])
            return await self._get(conn, user_id)

    async def login_link(self, user_id: UUID) -> str:
        """A one-time token with which this person logs in, and sets a new password if they want.

        Raises:
            VarloomError: `user_not_found`, also for one that is deactivated.
        """
        user = await self.get(user_id)
        if user.deactivated_at is not None:
            raise VarloomError(USER_NOT_FOUND, f"The account {safe_excerpt(user.name, 60)} is deactivated.")
        return await self.accounts.create_login_link(user_id)

    async def _get(self, conn: AsyncConnection, user_id: UUID) -> User:
        found = await (await conn.cursor(row_factory=class_row(User)).execute(_GET.encode(), [user_id])).fetchone()
        if found is None:
            raise VarloomError(USER_NOT_FOUND, f"There is no account with the id {user_id}.")
        return found


async def insert_user(conn: AsyncConnection, name: str, *, email: str | None = None, role: Role = "member") -> UUID:
    """`Users.add`, within a transaction, which is of no more use after a failure."""
    values = [_checked_name(name), _checked_email(email), role]
    try:
        row = await (await conn.execute(_ADD, values)).fetchone()
    except UniqueViolation:
        raise _taken(name) from None
    if row is None:
        raise LookupError("INSERT ... RETURNING gave no row")
    found: UUID = row[0]
    return found


def _checked_name(name: str) -> str:
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable() or name != name.strip():
        raise VarloomError(
            USER_INVALID, f"name: expected 1 to {NAME_LIMIT} printable characters, no space at the ends."
        )
    return name


def _checked_email(email: str | None) -> str | None:
    if not email:
        return None
    if len(email) > EMAIL_LIMIT or not email.isprintable() or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise VarloomError(USER_INVALID, "email: expected an address such as ann@example.org.")
    return email


def _taken(name: str) -> VarloomError:
    return VarloomError(USER_NAME_TAKEN, f"There is an account with the name {safe_excerpt(name, 60)}.")
