"""Logging in by an OpenID Connect provider, and which account somebody is whom it knows.

A login is bound to the browser that began it: what it has to show in the end (state, nonce, PKCE's verifier) is made
from a secret in its cookie, of which the database keeps the hash until it is used, once. Who somebody is, is issuer and
subject; names and e-mail addresses change hands, so they find an account at most once, and only where the settings say
so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import ACCOUNT_DEACTIVATED
from varloom.services.audit import Action, Subject
from varloom.services.openid_problems import (
    IDENTITY_NOT_FOUND,
    IDENTITY_TAKEN,
    OPENID_ACCOUNT_AMBIGUOUS,
    OPENID_ACCOUNT_UNKNOWN,
    OPENID_LOGIN_INVALID,
    OPENID_NOT_ALLOWED,
    OPENID_NOT_SET,
)
from varloom.services.openid_provider import Asked, OpenIdProvider
from varloom.services.sessions import open_session, sha256_of
from varloom.services.users import insert_user

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.accounts import Account
    from varloom.services.audit import Asking, Audit
    from varloom.services.openid_provider import Person
    from varloom.settings import Settings

LOGIN_SECONDS = 600
"""How long a login that was begun can be finished."""
LABEL_LIMIT = 200

_BEGIN = """
INSERT INTO openid_logins (secret_sha256, account_id, next, expires_at)
VALUES (%s, %s, %s, now() + make_interval(secs => %s))
"""
_END = """
DELETE FROM openid_logins WHERE secret_sha256 = %s RETURNING account_id, next, expires_at > now()
"""
_FIND = """
SELECT identities.id, account_id, name, deactivated_at IS NULL
FROM identities JOIN accounts ON accounts.id = account_id WHERE issuer = %s AND subject = %s
"""
# An address that is no ASCII may be another one in small letters; one that the owner gave twice is nobody's.
_BY_EMAIL = """
SELECT id, name, deactivated_at IS NULL,
    EXISTS (SELECT FROM identities WHERE account_id = accounts.id AND issuer = %(issuer)s)
FROM accounts WHERE lower(email) = lower(%(email)s) AND octet_length(email) = length(email)
"""
_CONNECT = """
INSERT INTO identities (account_id, issuer, subject, label) VALUES (%s, %s, %s, %s) RETURNING id
"""
_USED = """
UPDATE identities SET last_used_at = now(), label = coalesce(%s, label) WHERE id = %s
"""
_LIST = """
SELECT id, issuer, label, created_at, last_used_at FROM identities WHERE account_id = %s ORDER BY created_at, id
"""


@dataclass(frozen=True, slots=True)
class ConnectedIdentity:
    """Who an account is at a provider. `label` is what people know it by; it proves nothing."""

    id: UUID
    issuer: str
    label: str | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that was begun: what the browser keeps, and where it is sent."""

    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A login that was finished. `session` is the secret of the new session; None where an identity was connected."""

    account_id: UUID
    next: str
    session: str | None


@dataclass(frozen=True, slots=True)
class OpenId:
    """Logging in by the provider of the settings, if there is one."""

    pool: AsyncConnectionPool
    settings: Settings
    audit: Audit
    provider: OpenIdProvider | None

    @classmethod
    def over(cls, pool: AsyncConnectionPool, settings: Settings, audit: Audit) -> OpenId:
        """With the provider of the settings; nothing is asked of it before somebody wants to log in."""
        return cls(pool, settings, audit, OpenIdProvider(settings) if settings.oidc_issuer else None)

    @property
    def name(self) -> str | None:
        """What people call the provider; None without one."""
        return self.settings.oidc_name if self.provider else None

    async def begin(self, redirect_uri: str, next_page: str, *, connect: UUID | None = None) -> Begun:
        """Begin a login.

        Args:
            redirect_uri: to which address of this server the provider sends the browser back.
            next_page: the page of this server that was asked for.
            connect: the account with which the identity is to be connected; None to log in.

        Raises:
            VarloomError: `openid_not_set`, `openid_unreachable`.
        """
        secret = secrets.token_urlsafe(32)
        address = await self._provider().address(_asked(secret, redirect_uri))
        async with self.pool.connection() as conn:
            await conn.execute("DELETE FROM openid_logins WHERE expires_at < now()")
            await conn.execute(_BEGIN.encode(), [sha256_of(secret), connect, next_page, LOGIN_SECONDS])
        return Begun(secret, address)

    async def finish(
        self, secret: str, *, state: str, code: str, redirect_uri: str, asking: Asking, replaces: str | None = None
    ) -> Finished:
        """Finish a login, once.

        Args:
            secret: what the browser kept.
            state: what the provider gave back with the code.
            code: of the provider.
            redirect_uri: as it was begun with.
            asking: who came with it, for the audit log; who wants an identity connected is still logged in.
            replaces: the secret of the session with which the browser came, which ends if it logs in.

        Raises:
            VarloomError: those of `openid_problems`, `account_deactivated`.
        """
        asked = _asked(secret, redirect_uri)
        if not hmac.compare_digest(asked.state.encode(), state.encode(errors="replace")):
            raise VarloomError(OPENID_LOGIN_INVALID, "This browser has not begun it, or has begun another one since.")
        async with self.pool.connection() as conn:
            begun = await (await conn.execute(_END.encode(), [sha256_of(secret)])).fetchone()
        if begun is None or not begun[2]:
            raise VarloomError(OPENID_LOGIN_INVALID, "It was finished already, or more than ten minutes have passed.")
        connect, next_page, _ = begun
        person = await self._provider().person(code, asked, self._needed())
        self._require_allowed(person)
        if connect is None:
            return await self._log_in(person, next_page, asking, replaces)
        if asking.account is None or asking.account.id != connect:
            raise VarloomError(OPENID_LOGIN_INVALID, "Who wanted it connected is not logged in any more.")
        await self._connect(asking.account, person, asking)
        return Finished(connect, next_page, None)

    async def cancelled(self, secret: str) -> None:
        """Forget a login that the provider has refused."""
        async with self.pool.connection() as conn:
            await conn.execute(_END.encode(), [sha256_of(secret)])

    async def identities(self, account_id: UUID) -> list[ConnectedIdentity]:
        """Who the account is at providers, the oldest first."""
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(ConnectedIdentity))
            return await (await cursor.execute(_LIST.encode(), [account_id])).fetchall()

    async def disconnect(self, account_id: UUID, identity_id: UUID) -> None:
        """Let nobody in any more by this identity; sessions that are open stay.

        Raises:
            VarloomError: `identity_not_found`, for another account's too.
        """
        async with self.pool.connection() as conn:
            gone = await conn.execute(
                "DELETE FROM identities WHERE id = %s AND account_id = %s", [identity_id, account_id]
            )
        if gone.rowcount == 0:
            raise VarloomError(IDENTITY_NOT_FOUND, f"This account has no identity with the id {identity_id}.")

    async def disconnect_all(self, account_id: UUID) -> int:
        """Disconnect an account from every provider; from how many identities."""
        async with self.pool.connection() as conn:
            return (await conn.execute("DELETE FROM identities WHERE account_id = %s", [account_id])).rowcount

    def _provider(self) -> OpenIdProvider:
        if self.provider is None:
            raise VarloomError(OPENID_NOT_SET, "The setting `oidc_issuer` names none.")
        return self.provider

    def _needed(self) -> tuple[str, ...]:
        """Claims without which more is asked of the provider."""
        claim = (self.settings.oidc_required_claim or "").partition("=")[0]
        return ("email", *([claim] if claim else []))

    def _require_allowed(self, person: Person) -> None:
        domains = {domain.lower().removeprefix("@") for domain in self.settings.oidc_allowed_domains}
        if domains and (person.email or "").lower().rpartition("@")[2] not in domains:
            raise VarloomError(OPENID_NOT_ALLOWED, "It has no verified e-mail address of an allowed domain.")
        claim, _, wanted = (self.settings.oidc_required_claim or "").partition("=")
        if claim:
            told = person.claims.get(claim)
            if wanted not in (told if isinstance(told, list) else [told]):
                raise VarloomError(OPENID_NOT_ALLOWED, f"The provider does not tell {claim}={wanted} of it.")

    async def _log_in(self, person: Person, next_page: str, asking: Asking, replaces: str | None) -> Finished:
        found = await self._find(person) or await self._first(person, asking)
        identity_id, account_id, name, active = found
        if not active:
            raise VarloomError(ACCOUNT_DEACTIVATED, f"The account {safe_excerpt(name, 60)} is deactivated.")
        async with self.pool.connection() as conn:
            # It may have been disconnected or deactivated meanwhile; from here on that waits.
            still = await conn.execute(
                "SELECT FROM identities JOIN accounts ON accounts.id = account_id"
                " WHERE identities.id = %s AND deactivated_at IS NULL"
                " FOR NO KEY UPDATE OF identities FOR SHARE OF accounts",
                [identity_id],
            )
            if still.rowcount == 0:
                raise VarloomError(OPENID_ACCOUNT_UNKNOWN, "It was disconnected at this moment.")
            await conn.execute(_USED.encode(), [_label(person), identity_id])
            session = await open_session(
                conn,
                account_id,
                opened_by="openid",
                seconds=self.settings.session_days * 86_400,
                client=asking.client,
                replaces=replaces,
            )
        return Finished(account_id, next_page, session)

    async def _find(self, person: Person) -> tuple[UUID, UUID, str, bool] | None:
        """Identity, account, its name, and whether it can be used."""
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_FIND.encode(), [person.issuer, person.subject])).fetchone()
        return None if row is None else (row[0], row[1], row[2], row[3])

    async def _first(self, person: Person, asking: Asking) -> tuple[UUID, UUID, str, bool]:
        """The account of somebody who comes by the provider for the first time, as far as the settings allow it."""
        try:
            account_id = await self._by_email(person) if self.settings.oidc_match_email else None
            if account_id is not None:
                await self._insert(account_id, person, asking, by_email=True)
            elif self.settings.oidc_create_accounts:
                await self._make(person, asking)
        except VarloomError:
            found = await self._find(person)  # a second browser of theirs may have been a moment earlier
            if found is None:
                raise
            return found
        found = await self._find(person)
        if found is None:
            raise VarloomError(OPENID_ACCOUNT_UNKNOWN, f"No account is connected with {_shown(person)}.")
        return found

    async def _by_email(self, person: Person) -> UUID | None:
        """The one account with the person's verified address."""
        email = person.email
        if not email or not email.isascii():
            return None
        async with self.pool.connection() as conn:
            found = await conn.execute(_BY_EMAIL.encode(), {"issuer": person.issuer, "email": email})
            rows = await found.fetchall()
        active = [row for row in rows if row[2]]
        if len(active) > 1:
            raise VarloomError(
                OPENID_ACCOUNT_AMBIGUOUS, f"{len(active)} accounts have the address of {_shown(person)}."
            )
        if rows and not active:
            raise VarloomError(ACCOUNT_DEACTIVATED, f"The account {safe_excerpt(rows[0][1], 60)} is deactivated.")
        if active and active[0][3]:  # the address may have got another owner at the provider
            message = f"The account with the address of {_shown(person)} is connected with somebody else there."
            raise VarloomError(OPENID_ACCOUNT_UNKNOWN, message)
        return active[0][0] if active else None

    async def _make(self, person: Person, asking: Asking) -> None:
        """Make an account; one that has the name already is somebody else's as far as anybody knows."""
        name = _name(person)
        async with (
            self.audit.told(Action.USER_ADDED, asking, Subject("user", name)) as added,
            self.audit.told(Action.IDENTITY_CONNECTED, asking) as connected,
        ):
            added.update(name=safe_excerpt(name, LABEL_LIMIT), role="member", by="openid")
            try:
                async with self.pool.connection() as conn:  # both or neither: else the name would be taken for ever
                    account_id = await insert_user(conn, name, email=person.email)
                    await _connect(conn, account_id, person)
            except VarloomError as error:
                raise VarloomError(OPENID_ACCOUNT_UNKNOWN, f"No account can be made: {error.message}") from None
            connected.update(user=str(account_id), issuer=person.issuer, label=_label(person))

    async def _connect(self, account: Account, person: Person, asking: Asking) -> None:
        found = await self._find(person)
        if found is None:
            await self._insert(account.id, person, asking)
        elif found[1] != account.id:
            raise VarloomError(IDENTITY_TAKEN, f"{_shown(person)} is connected with another account.")

    async def _insert(self, account_id: UUID, person: Person, asking: Asking, *, by_email: bool = False) -> None:
        """Connect; an address connects an account once only, also at the same moment."""
        async with self.audit.told(Action.IDENTITY_CONNECTED, asking) as details:
            details.update(user=str(account_id), issuer=person.issuer, label=_label(person))
            async with self.pool.connection() as conn:
                await conn.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [account_id])
                if by_email:
                    others = await conn.execute(
                        "SELECT FROM identities WHERE account_id = %s AND issuer = %s", [account_id, person.issuer]
                    )
                    if others.rowcount:
                        raise VarloomError(OPENID_ACCOUNT_UNKNOWN, "The account was connected at this moment.")
                await _connect(conn, account_id, person)


async def _connect(conn: AsyncConnection, account_id: UUID, person: Person) -> None:
    try:
        await conn.execute(_CONNECT.encode(), [account_id, person.issuer, person.subject, _label(person)])
    except UniqueViolation:
        raise VarloomError(IDENTITY_TAKEN, f"{_shown(person)} was connected at this moment.") from None


def _asked(secret: str, redirect_uri: str) -> Asked:
    """What is sent to the provider; nobody without the secret knows the one from the other."""
    return Asked(redirect_uri, *(_derived(secret, purpose) for purpose in ("state", "nonce", "verifier")))


def _derived(secret: str, purpose: str) -> str:
    digest = hmac.digest(secret.encode(errors="surrogatepass"), purpose.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _name(person: Person) -> str:
    """What an account of this person is called."""
    told = (person.claims.get("preferred_username"), person.email, person.claims.get("name"))
    return next((name.strip() for name in told if isinstance(name, str) and name.strip()), person.subject)


def _label(person: Person) -> str | None:
    """What people know it by."""
    told = (person.claims.get(name) for name in ("email", "preferred_username", "name"))
    label = next((one for one in told if isinstance(one, str) and one), None)
    return None if label is None else safe_excerpt(label, LABEL_LIMIT)


def _shown(person: Person) -> str:
    return safe_excerpt(_label(person) or person.subject, 80)
