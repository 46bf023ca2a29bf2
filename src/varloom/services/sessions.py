"""Sessions of browsers: opened at a login, listed, and ended by whose they are."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

from varloom.errors import VarloomError
from varloom.services.account_problems import SESSION_NOT_FOUND

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

LONGEST_ADDRESS = 100
LONGEST_AGENT = 400

Opening = Literal["link", "password", "openid"]
"""By what somebody proved to be an account."""

_OPEN = """
INSERT INTO sessions (token_sha256, account_id, expires_at, opened_by, address, user_agent)
VALUES (%(sha256)s, %(account)s, now() + make_interval(secs => %(seconds)s), %(opened_by)s, %(address)s, %(user_agent)s)
"""
_LIST = """
SELECT id, created_at, last_seen_at, expires_at, opened_by, address, user_agent,
    token_sha256 = %(sha256)s AS current
FROM sessions WHERE account_id = %(account)s AND expires_at > now()
ORDER BY token_sha256 = %(sha256)s DESC, last_seen_at DESC, id
"""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, as far as the server can see."""

    address: str | None = None
    user_agent: str | None = None


NOBODY = Client()
"""Where nothing is known of who asks."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has not ended. `last_seen_at` is exact to a minute; `current` is the one that asks."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    opened_by: str
    address: str | None
    user_agent: str | None
    current: bool


def place_of(address: str | None) -> str:
    """What limits take for one place: an IPv4 address, or the 64 bits of an IPv6 address that make out a network.

    Whoever has one address of such a network has all 2^64 of it.
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def sha256_of(secret: str) -> bytes:
    """The form in which a secret is kept; what a client sends may hold anything, lone surrogates included."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


async def open_session(
    conn: AsyncConnection,
    account_id: UUID,
    *,
    opened_by: Opening,
    seconds: float,
    client: Client,
    replaces: str | None = None,
) -> str:
    """Open a session and return its secret, which is always a new one.

    Args:
        conn: in whose transaction it is done.
        account_id: whose session it is.
        opened_by: by what they proved to be it.
        seconds: how long it lasts at most.
        client: where the request comes from.
        replaces: the secret with which the browser came; that session ends, so that nobody else holds it any longer.
    """
    secret = secrets.token_urlsafe(32)
    await conn.execute("DELETE FROM sessions WHERE expires_at < now()")
    if replaces is not None:
        await conn.execute("DELETE FROM sessions WHERE token_sha256 = %s", [sha256_of(replaces)])
    values = {
        "sha256": sha256_of(secret),
        "account": account_id,
        "seconds": seconds,
        "opened_by": opened_by,
        "address": _printable(client.address, LONGEST_ADDRESS),
        "user_agent": _printable(client.user_agent, LONGEST_AGENT),
    }
    await conn.execute(_OPEN.encode(), values)
    return secret


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of an account. Another account's do not exist."""

    pool: AsyncConnectionPool

    async def all(self, account_id: UUID, current: str | None = None) -> list[Session]:
        """Those that have not ended: first the one with the secret `current`, then by when they were seen last."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(Session))
            await cursor.execute(_LIST.encode(), {"account": account_id, "sha256": sha256_of(current or "")})
            return await cursor.fetchall()

    async def end(self, account_id: UUID, session_id: UUID) -> None:
        """End a session at once.

        Raises:
            VarloomError: `session_not_found`, for another account's too.
        """
        async with self.pool.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM sessions WHERE id = %s AND account_id = %s", [session_id, account_id]
            )
            if cursor.rowcount == 0:
                raise VarloomError(SESSION_NOT_FOUND, f"This account has no session with the id {session_id}.")

    async def end_others(self, account_id: UUID, current: str | None) -> int:
        """End all sessions but the one with the secret `current`; how many they were."""
        async with self.pool.connection() as conn:
            return await end_others(conn, account_id, current)


async def end_others(conn: AsyncConnection, account_id: UUID, current: str | None) -> int:
    """`Sessions.end_others`, within a transaction."""
    cursor = await conn.execute(
        "DELETE FROM sessions WHERE account_id = %s AND token_sha256 <> %s", [account_id, sha256_of(current or "")]
    )
    return cursor.rowcount


def _printable(text: str | None, most: int) -> str | None:
    """What a client sent, without what could not be shown or kept."""
    return "".join(character for character in text if character.isprintable())[:most] if text else None
