"""Accounts, and the ways to prove being one: login links, browser sessions and API tokens.

Every secret has 256 random bits, is shown once, and is kept only as its SHA-256: whoever reads the database cannot
use what stands there. Secrets are looked up by that hash, so how long it takes tells nothing about them.
"""

from __future__ import annotations

import getpass
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

from varloom.errors import VarloomError
from varloom.services.account_problems import (
    LOGIN_LINK_INVALID,
    TOKEN_EXPIRY_INVALID,
    TOKEN_LABEL_INVALID,
    TOKEN_NOT_FOUND,
    TOKENS_TOO_MANY,
)
from varloom.services.sessions import NOBODY, Client, open_session, sha256_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.settings import Settings

TOKEN_PREFIX = "vl_"  # noqa: S105 - not a secret: it lets people and secret scanners recognise one
PROXY_WORD = "proxy:"
"""Before the id of an account: in the place of a secret where a proxy has said who asks. Nobody can send it as one."""
LABEL_LIMIT = 100
MOST_TOKENS = 200
"""API tokens of one account that can be used at a time."""
NAME_LIMIT = 200

SEEN_INTERVAL = "1 minute"
"""How exact `last_seen_at` and `last_used_at` are: not every request should write."""

_SESSION_ACCOUNT = """
WITH found AS (
    SELECT sessions.token_sha256, sessions.last_seen_at, accounts.id, accounts.name, accounts.role
    FROM sessions JOIN accounts ON accounts.id = sessions.account_id
    WHERE token_sha256 = %(sha256)s AND expires_at > now() AND deactivated_at IS NULL
), seen AS (
    UPDATE sessions SET last_seen_at = now() FROM found
    WHERE sessions.token_sha256 = found.token_sha256
        AND found.last_seen_at < now() - %(interval)s::interval
)
SELECT id, name, role FROM found
"""
_BEARER_ACCOUNT = """
WITH found AS (
    SELECT api_tokens.token_sha256, last_used_at, scope, expires_at, accounts.id, accounts.name, accounts.role
    FROM api_tokens JOIN accounts ON accounts.id = api_tokens.account_id
    WHERE token_sha256 = %(sha256)s AND revoked_at IS NULL AND deactivated_at IS NULL
        AND (expires_at IS NULL OR expires_at > now())
), used AS (
    UPDATE api_tokens SET last_used_at = now() FROM found
    WHERE api_tokens.token_sha256 = found.token_sha256
        AND (found.last_used_at IS NULL OR found.last_used_at < now() - %(interval)s::interval)
)
SELECT id, name, role, scope, expires_at FROM found
"""
_HOLDING = """
SELECT sessions.token_sha256 FROM sessions JOIN accounts ON accounts.id = sessions.account_id
WHERE token_sha256 = ANY (%(sha256)s) AND expires_at > now() AND deactivated_at IS NULL
UNION ALL
SELECT api_tokens.token_sha256 FROM api_tokens JOIN accounts ON accounts.id = api_tokens.account_id
WHERE token_sha256 = ANY (%(sha256)s) AND revoked_at IS NULL AND deactivated_at IS NULL
    AND (api_tokens.expires_at IS NULL OR api_tokens.expires_at > now())
"""
_ACTIVE = "SELECT id FROM accounts WHERE id::text = ANY (%s) AND deactivated_at IS NULL"
_USABLE_TOKENS = """
SELECT count(*) FROM api_tokens
WHERE account_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
_FIRST_OWNER = """
SELECT id, name, role FROM accounts WHERE role = 'owner' AND deactivated_at IS NULL ORDER BY created_at, id LIMIT 1
"""
_USE_LOGIN_LINK = """
UPDATE login_links SET used_at = now() FROM accounts
WHERE token_sha256 = %s AND used_at IS NULL AND expires_at > now()
    AND accounts.id = login_links.account_id AND deactivated_at IS NULL
RETURNING accounts.id
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns things. `role` is "owner" or "member"."""

    id: UUID
    name: str
    role: str


Scope = Literal["read", "submit", "full"]
"""What a token may do, each more than the one before: look; load files and act on jobs; all that the account may."""


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What a token that holds admits to."""

    account: Account
    scope: Scope
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What can be told of an API token after it was made. `last_used_at` is exact to a minute."""

    id: UUID
    label: str
    scope: Scope
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of this server."""

    pool: AsyncConnectionPool
    settings: Settings

    async def ensure_owner(self) -> Account:
        """The owner of this server; the first start creates it, with the name of the system's user."""
        async with self.pool.connection() as conn:
            await conn.execute("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE")
            cursor = conn.cursor(row_factory=class_row(Account))
            owner = await (await cursor.execute(_FIRST_OWNER.encode())).fetchone()
            if owner is None:
                insert = "INSERT INTO accounts (name, role) VALUES (%s, 'owner') RETURNING id, name, role"
                owner = await (await cursor.execute(insert, [_system_user_name()])).fetchone()
        if owner is None:
            raise LookupError("INSERT ... RETURNING gave no row")
        return owner

    async def create_login_link(self, account_id: UUID) -> str:
        """A one-time token for the login page, valid for the minutes that the settings say."""
        token = secrets.token_urlsafe(32)
        async with self.pool.connection() as conn:
            await conn.execute("DELETE FROM login_links WHERE expires_at < now()")
            await conn.execute(
                "INSERT INTO login_links (token_sha256, account_id, expires_at)"
                " VALUES (%s, %s, now() + make_interval(secs => %s))",
                [sha256_of(token), account_id, self.settings.login_link_minutes * 60],
            )
        return token

    async def redeem_login(self, token: str, client: Client = NOBODY, replaces: str | None = None) -> str:
        """Trade the token of a login link for the secret of a new session.

        Args:
            token: of the link.
            client: where the request comes from.
            replaces: the secret of the session with which the browser came, which ends.

        Raises:
            VarloomError: `login_link_invalid`, whatever the reason is, so that nothing can be learnt by guessing.
        """
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_USE_LOGIN_LINK, [sha256_of(token)])).fetchone()
            if row is None:
                raise VarloomError(LOGIN_LINK_INVALID, "This login link was used, has expired, or was not made here.")
            return await open_session(
                conn,
                row[0],
                opened_by="link",
                seconds=self.settings.session_days * 86_400,
                client=client,
                replaces=replaces,
            )

    async def authenticate_session(self, secret: str) -> Account | None:
        """The account of a browser session; None when it is unknown, expired or logged out."""
        async with self.pool.connection() as conn:
            cursor = await conn.cursor(row_factory=class_row(Account)).execute(
                _SESSION_ACCOUNT.encode(), {"sha256": sha256_of(secret), "interval": SEEN_INTERVAL}
            )
            return await cursor.fetchone()

    async def logout(self, secret: str) -> None:
        """End a session; an unknown one is ended already."""
        async with self.pool.connection() as conn:
            await conn.execute("DELETE FROM sessions WHERE token_sha256 = %s", [sha256_of(secret)])

    async def create_token(
        self, account_id: UUID, label: str, *, scope: Scope = "full", expires_at: datetime | None = None
    ) -> str:
        """A new API token: the secret, which can be shown this once only.

        Args:
            account_id: whose it is.
            label: what it is for.
            scope: what it may do.
            expires_at: from when on it is of no use; None for never.

        Raises:
            VarloomError: `token_label_invalid`, `token_expiry_invalid`, `tokens_too_many`.
        """
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= datetime.now(UTC)):
            raise VarloomError(TOKEN_EXPIRY_INVALID, "expires_at: expected a time to come, with its offset from UTC.")
        async with self.pool.connection() as conn:
            return await _insert_token(conn, account_id, _checked_label(label), scope, expires_at)

    async def replace_token(self, account_id: UUID, label: str) -> str:
        """Like `create_token`, and revoke the account's earlier tokens with this label in the same step."""
        label = _checked_label(label)
        async with self.pool.connection() as conn:
            await conn.execute(
                "UPDATE api_tokens SET revoked_at = now() WHERE account_id = %s AND label = %s AND revoked_at IS NULL",
                [account_id, label],
            )
            return await _insert_token(conn, account_id, label)

    async def authenticate_token(self, secret: str) -> TokenGrant | None:
        """What an API token admits to; None when it is unknown, revoked or expired."""
        async with self.pool.connection() as conn:
            values = {"sha256": sha256_of(secret), "interval": SEEN_INTERVAL}
            row = await (await conn.execute(_BEARER_ACCOUNT.encode(), values)).fetchone()
        return None if row is None else TokenGrant(Account(*row[:3]), row[3], row[4])

    async def still_holding(self, credentials: Collection[str]) -> set[str]:
        """Which of these still prove to be an account: secrets of sessions and API tokens, and words of a proxy."""
        by_hash = {sha256_of(secret): secret for secret in credentials}
        named = [one.removeprefix(PROXY_WORD) for one in credentials if one.startswith(PROXY_WORD)]
        async with self.pool.connection() as conn:
            cursor = await conn.execute(_HOLDING.encode(), {"sha256": list(by_hash)})
            holding = {by_hash[bytes(found)] for (found,) in await cursor.fetchall()}
            if named:
                cursor = await conn.execute(_ACTIVE, [named])
                holding |= {f"{PROXY_WORD}{found}" for (found,) in await cursor.fetchall()}
        return holding

    async def list_tokens(self, account_id: UUID) -> list[ApiToken]:
        """The account's API tokens that can be used, newest first."""
        async with self.pool.connection() as conn:
            cursor = await conn.cursor(row_factory=class_row(ApiToken)).execute(
                "SELECT id, label, scope, expires_at, created_at, last_used_at FROM api_tokens"
                " WHERE account_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
                " ORDER BY created_at DESC, id",
                [account_id],
            )
            return await cursor.fetchall()

    async def revoke_token(self, account_id: UUID, token_id: UUID) -> None:
        """Make an API token useless at once.

        Raises:
            VarloomError: `token_not_found`, for another account's too.
        """
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "UPDATE api_tokens SET revoked_at = now() WHERE id = %s AND account_id = %s AND revoked_at IS NULL",
                [token_id, account_id],
            )
            if cursor.rowcount == 0:
                raise VarloomError(TOKEN_NOT_FOUND, f"This account has no API token with the id {token_id}.")


async def _insert_token(
    conn: AsyncConnection, account_id: UUID, label: str, scope: Scope = "full", expires_at: datetime | None = None
) -> str:
    """The secret of a new token. The account's row is locked, so that two requests cannot both make the last one."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    await conn.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", [account_id])
    found = await conn.execute(_USABLE_TOKENS, [account_id])
    if (await found.fetchone() or (0,))[0] >= MOST_TOKENS:
        raise VarloomError(TOKENS_TOO_MANY, f"The account has {MOST_TOKENS} API tokens that can be used.")
    await conn.execute(
        "INSERT INTO api_tokens (account_id, label, token_sha256, scope, expires_at) VALUES (%s, %s, %s, %s, %s)",
        [account_id, label, sha256_of(secret), scope, expires_at],
    )
    return secret


def _checked_label(label: str) -> str:
    label = label.strip()
    if not 0 < len(label) <= LABEL_LIMIT or not label.isprintable():
        raise VarloomError(TOKEN_LABEL_INVALID, f"label: expected 1 to {LABEL_LIMIT} printable characters.")
    return label


def _system_user_name() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = ""
    return name if 0 < len(name) <= NAME_LIMIT and name.isprintable() else "owner"
