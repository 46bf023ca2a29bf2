"""Logging in by name and password, and setting one's own.

Whoever guesses learns nothing: an unknown name, a wrong password, an account without one and a deactivated account give
the same answer after the same work. Each try is noted before the password is looked at, so that many at once count as
many; only the address from which they come is held up, and never the person whose name was tried.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.services.account_problems import LOGIN_REFUSED, LOGINS_LIMITED, PASSWORD_WRONG
from varloom.services.accounts import Account
from varloom.services.password_rules import checked, hashed, is_old, matches, normalised
from varloom.services.sessions import Client, end_others, open_session, place_of, sha256_of

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.settings import Settings

WINDOW_SECONDS = 15 * 60
"""How long a failed login counts."""
TRIES_PER_NAME = 10
"""Failed logins for one name from one address within the window."""
TRIES_PER_ADDRESS = 100
"""Failed logins from one address within the window: a lab behind one address mistypes, too."""
LINK_MINUTES = 15
"""How long after a login by link a new password needs no present one."""
AT_ONCE = 2
"""Passwords that one process hashes at a time: each takes 64 MiB."""
LONGEST_NAME = 200

_NO_PASSWORD = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # noqa: S105
"""What is compared with when there is nothing to compare with: as much work, and nothing matches it."""

_NOTE_TRY = """
INSERT INTO failed_logins (name_sha256, address) VALUES (%(name)s, %(address)s) RETURNING id
"""
_TRIES = """
SELECT count(*) FILTER (WHERE name_sha256 = %(name)s), count(*),
    extract(epoch FROM min(at) FILTER (WHERE name_sha256 = %(name)s) + %(window)s * interval '1 second' - now()),
    extract(epoch FROM min(at) + %(window)s * interval '1 second' - now())
FROM failed_logins WHERE address = %(address)s AND id <= %(id)s AND at > now() - %(window)s * interval '1 second'
"""
_FIND = """
SELECT id, name, role, password_hash FROM accounts
WHERE lower(name) = lower(%s) AND deactivated_at IS NULL AND password_hash IS NOT NULL
"""
_MAY_SET = """
SELECT name, password_hash, EXISTS (
    SELECT FROM sessions WHERE token_sha256 = %(session)s AND account_id = accounts.id AND opened_by = 'link'
        AND created_at > now() - make_interval(mins => %(minutes)s)
) AS by_link FROM accounts WHERE id = %(account)s
"""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Passwords of accounts."""

    pool: AsyncConnectionPool
    settings: Settings
    _hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def in_use(self) -> bool:
        """Whether any account can log in with a password: the login page asks for one only then."""
        async with self.pool.connection() as conn:
            found = await conn.execute(
                "SELECT EXISTS (SELECT FROM accounts WHERE password_hash IS NOT NULL AND deactivated_at IS NULL)"
            )
            row = await found.fetchone()
        return bool(row and row[0])

    async def log_in(self, name: str, password: str, client: Client, replaces: str | None = None) -> str:
        """Trade name and password for the secret of a new session.

        Args:
            name: of the account; capitals make no difference.
            password: as it was typed.
            client: where the request comes from.
            replaces: the secret of the session with which the browser came, which ends.

        Raises:
            VarloomError: `login_refused`, whatever is wrong; `logins_limited`, with the seconds to wait in its detail.
        """
        name = name.strip()[:LONGEST_NAME].replace("\0", "")
        noted = await self._note_try(name, place_of(client.address))
        account, kept = await self._find(name)
        async with self._hashing:
            right = await asyncio.to_thread(matches, kept, password)
            renewed = await asyncio.to_thread(hashed, normalised(password)) if right and is_old(kept) else None
        if account is None or not right:
            raise VarloomError(LOGIN_REFUSED, "No account has this name and this password.")
        async with self.pool.connection() as conn:
            # It may have been deactivated, or its password changed, while this one was looked at.
            still = await conn.execute(
                "UPDATE accounts SET password_hash = coalesce(%s, password_hash)"
                " WHERE id = %s AND password_hash = %s AND deactivated_at IS NULL",
                [renewed, account.id, kept],
            )
            if still.rowcount == 0:
                raise VarloomError(LOGIN_REFUSED, "No account has this name and this password.")
            await conn.execute("DELETE FROM failed_logins WHERE id = %s", [noted])
            return await open_session(
                conn,
                account.id,
                opened_by="password",
                seconds=self.settings.session_days * 86_400,
                client=client,
                replaces=replaces,
            )

    async def is_set(self, account_id: UUID) -> bool:
        """Whether the account has a password."""
        async with self.pool.connection() as conn:
            found = await conn.execute("SELECT password_hash IS NOT NULL FROM accounts WHERE id = %s", [account_id])
            row = await found.fetchone()
        return bool(row and row[0])

    async def needs_present(self, account_id: UUID, session: str | None) -> bool:
        """Whether a new password needs the present one: there is one, and no login link was just used."""
        async with self.pool.connection() as conn:
            _, kept, by_link = await self._standing(conn, account_id, session)
        return kept is not None and not by_link

    async def set_own(self, account_id: UUID, new: str, *, present: str | None, session: str | None) -> None:
        """Set the account's password; all its other sessions end.

        Args:
            account_id: whose password it is.
            new: the new one.
            present: the one until now; not needed by who has none, or has just used a login link.
            session: the secret of the session that asks, which stays; None for a program.

        Raises:
            VarloomError: `password_unfit`, `password_wrong`, or `logins_limited` after many wrong ones.
        """
        async with self.pool.connection() as conn:
            name, kept, by_link = await self._standing(conn, account_id, session)
        new = checked(new, name=name)
        noted = None
        if kept is not None and not by_link:
            noted = await self._note_try(name, f"account {account_id}")
        async with self._hashing:
            if noted is not None and not await asyncio.to_thread(matches, kept or _NO_PASSWORD, present or ""):
                raise VarloomError(PASSWORD_WRONG, "The present password is not this one.")
            fresh = await asyncio.to_thread(hashed, new)
        async with self.pool.connection() as conn:
            still = await conn.execute(
                "UPDATE accounts SET password_hash = %s, password_set_at = now()"
                " WHERE id = %s AND password_hash IS NOT DISTINCT FROM %s AND deactivated_at IS NULL",
                [fresh, account_id, kept],
            )
            if still.rowcount == 0:
                raise VarloomError(PASSWORD_WRONG, "The password was changed elsewhere in the meantime.")
            if noted is not None:
                await conn.execute("DELETE FROM failed_logins WHERE id = %s", [noted])
            await end_others(conn, account_id, session)

    async def _standing(
        self, conn: AsyncConnection, account_id: UUID, session: str | None
    ) -> tuple[str, str | None, bool]:
        """Name, password as it is kept, and whether a login link was used just now."""
        values = {"account": account_id, "session": sha256_of(session or ""), "minutes": LINK_MINUTES}
        row = await (await conn.execute(_MAY_SET.encode(), values)).fetchone()
        if row is None:
            raise LookupError(f"the account {account_id} is gone")
        return row[0], row[1], row[2]

    async def _find(self, name: str) -> tuple[Account | None, str]:
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_FIND.encode(), [name])).fetchone()
        return (None, _NO_PASSWORD) if row is None else (Account(row[0], row[1], row[2]), row[3])

    async def _note_try(self, name: str, address: str) -> int:
        """Note a try, which is taken back when it succeeds, and see that there were not too many."""
        values = {"name": sha256_of(name.lower()), "address": address, "window": WINDOW_SECONDS}
        async with self.pool.connection() as conn:
            await conn.execute("DELETE FROM failed_logins WHERE at < now() - interval '1 day'")
            noted = await (await conn.execute(_NOTE_TRY.encode(), values)).fetchone()
        if noted is None:
            raise LookupError("INSERT ... RETURNING gave no row")
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_TRIES.encode(), {**values, "id": noted[0]})).fetchone()
            for_name, all_of_them, until_name, until_any = row or (0, 0, None, None)
            if for_name <= TRIES_PER_NAME and all_of_them <= TRIES_PER_ADDRESS:
                return int(noted[0])
            # One that was not looked at does not count: who waits as long as was said gets in.
            await conn.execute("DELETE FROM failed_logins WHERE id = %s", [noted[0]])
        wait = max(1, math.ceil(until_name if for_name > TRIES_PER_NAME else until_any))
        raise VarloomError(LOGINS_LIMITED, f"Try again in {math.ceil(wait / 60)} min.", retry_after=wait)
