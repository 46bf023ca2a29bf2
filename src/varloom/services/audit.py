"""The audit log: who did what, when and from where. It is only ever added to; the database refuses everything else.

An entry is committed before anything is done, and how it went is added before the answer is sent. So nothing is done
without an entry; one that has no outcome was cut off, with its server, in the midst of it.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from varloom.errors import VarloomError
from varloom.services.paging import check_limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.accounts import Account
    from varloom.services.sessions import Client


class Action(StrEnum):
    """Everything that leaves an entry."""

    ACCOUNT_LOGIN = "account.login"
    ACCOUNT_LOGOUT = "account.logout"
    ACCOUNT_PASSWORD_SET = "account.password_set"  # noqa: S105 - the name of an action
    SESSION_ENDED = "session.ended"
    SESSION_OTHERS_ENDED = "session.others_ended"
    TOKEN_MADE = "token.made"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    LOGIN_LINK_MADE = "login_link.made"
    USER_ADDED = "user.added"
    USER_CHANGED = "user.changed"
    IDENTITY_CONNECTED = "identity.connected"
    IDENTITY_DISCONNECTED = "identity.disconnected"
    UPLOAD_BEGUN = "upload.begun"
    UPLOAD_CHANGED = "upload.changed"
    UPLOAD_CANCELLED = "upload.cancelled"
    JOB_CREATED = "job.created"
    JOB_RETRIED = "job.retried"
    JOB_CANCELLED = "job.cancelled"
    JOB_PRIORITISED = "job.prioritised"
    JOB_DISMISSED = "job.dismissed"
    JOBS_CHANGED = "jobs.changed"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_RESUMED = "queue.resumed"
    SAMPLE_READ = "sample.read"
    SAMPLE_EXPORTED = "sample.exported"
    SAMPLE_FILE_SENT = "sample.file_sent"
    SAMPLE_CHANGED = "sample.changed"
    SAMPLE_ANNOTATED = "sample.annotated"
    SAMPLE_DELETED = "sample.deleted"
    SAMPLE_RESTORED = "sample.restored"
    SAMPLE_PURGED = "sample.purged"
    PROJECT_MADE = "project.made"
    PROJECT_CHANGED = "project.changed"
    PROJECT_DELETED = "project.deleted"
    PROJECT_MEMBER_SET = "project.member_set"
    PROJECT_MEMBER_REMOVED = "project.member_removed"
    PROJECT_SAMPLE_PUT = "project.sample_put"
    PROJECT_SAMPLE_TAKEN = "project.sample_taken"
    VIEW_KEPT = "view.kept"
    VIEW_CHANGED = "view.changed"
    VIEW_REMOVED = "view.removed"
    CREDENTIAL_STORED = "credential.stored"
    CREDENTIAL_TESTED = "credential.tested"
    CREDENTIAL_REMOVED = "credential.removed"
    NOTICES_EMAIL_SET = "notices.email_set"
    NOTICES_EMAIL_CONFIRMED = "notices.email_confirmed"
    NOTICES_WEBHOOK_ADDED = "notices.webhook_added"
    NOTICES_CHANGED = "notices.changed"
    NOTICES_SECRET_REPLACED = "notices.secret_replaced"  # noqa: S105
    NOTICES_TESTED = "notices.tested"
    NOTICES_SENT_AGAIN = "notices.sent_again"
    NOTICES_REMOVED = "notices.removed"
    REFERENCE_DEMO_ADDED = "reference.demo_added"
    REFERENCE_DEMO_REMOVED = "reference.demo_removed"
    AUDIT_READ = "audit.read"
    RETENTION_APPLIED = "retention.applied"


_BEGIN = """
INSERT INTO audit_entries
    (action, account_id, account_name, proof, address, user_agent, request_id, subject_kind, subject_id)
VALUES (%(action)s, %(account)s, %(name)s, %(proof)s, %(address)s, %(user_agent)s, %(request)s, %(kind)s, %(subject)s)
RETURNING id
"""
_END = """
INSERT INTO audit_outcomes (entry_id, status, details) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
_ENTER_DONE = """
WITH entry AS (
    INSERT INTO audit_entries (action, proof, subject_kind, subject_id)
    VALUES (%(action)s, 'settings', %(kind)s, %(subject)s) RETURNING id
)
INSERT INTO audit_outcomes (entry_id, status, details) SELECT id, 200, %(details)s FROM entry
"""
_LIST = """
SELECT entry.id, entry.at, action, account_id, account_name, proof, address, user_agent, request_id, subject_kind,
    subject_id, status, coalesce(details, '{}') AS details
FROM audit_entries entry LEFT JOIN audit_outcomes ON entry_id = entry.id
WHERE (%(account)s::uuid IS NULL OR account_id = %(account)s OR details ->> 'account_id' = %(account)s::text)
    AND (%(before)s::bigint IS NULL OR entry.id < %(before)s)
    AND (%(since)s::timestamptz IS NULL OR entry.at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR entry.at < %(until)s)
    AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (%(subject)s::text IS NULL OR subject_id = %(subject)s)
    AND (%(name)s::text IS NULL OR lower(coalesce(account_name, details ->> 'account_name')) = lower(%(name)s))
ORDER BY entry.id DESC LIMIT %(limit)s
"""


_details: ContextVar[dict[str, Any] | None] = ContextVar("audit_details", default=None)


def collect_details() -> dict[str, Any]:
    """Begin to collect what `note` is told in the course of this task."""
    details: dict[str, Any] = {}
    _details.set(details)
    return details


def note(**details: Any) -> None:
    """Add to the entry of the action that is under way, if it has one. Never a secret, nor anything of a file."""
    collected = _details.get()
    if collected is not None:
        collected.update({name: value for name, value in details.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action is about. `kind` is such as "sample"; `id` as the route names it."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for something, and from where. `proof`: "session", "token" or "proxy"; None: nobody was logged in."""

    account: Account | None
    proof: str | None
    client: Client
    request_id: str | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. `status` is that of the answer, None while it is under way or if it was cut off."""

    id: int
    at: datetime
    action: str
    account_id: UUID | None
    account_name: str | None
    proof: str | None
    address: str | None
    user_agent: str | None
    request_id: str | None
    subject_kind: str | None
    subject_id: str | None
    status: int | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None wants all.

    Attributes:
        since: from this moment on.
        until: before this moment.
        action: exactly this one.
        subject: with this id.
        account: of the account with this name.
    """

    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    subject: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit log of this server."""

    pool: AsyncConnectionPool

    async def begin(self, action: Action, asking: Asking, subject: Subject | None = None) -> int:
        """Commit an entry, before anything is done; its number."""
        values = {
            "action": action.value,
            "account": asking.account.id if asking.account else None,
            "name": asking.account.name if asking.account else None,
            "proof": asking.proof,
            "address": asking.client.address,
            "user_agent": _plain(asking.client.user_agent),
            "request": asking.request_id,
            "kind": subject.kind if subject else None,
            "subject": _plain(subject.id) if subject else None,
        }
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_BEGIN.encode(), values)).fetchone()
        if row is None:
            raise LookupError("INSERT ... RETURNING gave no row")
        return int(row[0])

    async def end(self, entry_id: int, status: int, details: Mapping[str, Any]) -> None:
        """Add how it went. Details never hold a secret, nor anything of a file."""
        async with self.pool.connection() as conn:
            await conn.execute(_END.encode(), [entry_id, status, Jsonb(dict(details))])

    @contextlib.asynccontextmanager
    async def told(
        self, action: Action, asking: Asking, subject: Subject | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """An entry around what is done in the course of another request; what is put into the dict stands in it."""
        details: dict[str, Any] = {}
        entry, status = await self.begin(action, asking, subject), 500
        try:
            yield details
            status = 200
        except VarloomError as error:
            status = error.kind.status
            raise
        finally:
            await self.end(entry, status, details)

    async def entries(
        self, account_id: UUID | None, wanted: AuditFilter, *, before: int | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """Entries, newest first.

        Args:
            account_id: whose; None for everybody's.
            wanted: which.
            before: only entries with a smaller number, for the next page.
            limit: how many at most.

        Raises:
            VarloomError: `request_invalid` for a limit out of range.
        """
        check_limit(limit)
        values = {
            "account": account_id,
            "before": before,
            "since": wanted.since,
            "until": wanted.until,
            "action": wanted.action,
            "subject": _plain(wanted.subject),
            "name": _plain(wanted.account),
            "limit": limit,
        }
        async with self.pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(AuditEntry))
            return await (await cursor.execute(_LIST.encode(), values)).fetchall()


async def enter_done(
    conn: AsyncConnection[Any], action: Action, entries: Sequence[tuple[Subject | None, Mapping[str, Any]]]
) -> None:
    """Add what the server does by its settings, in the transaction that does it: all of it, or nothing.

    Args:
        conn: a connection, within that transaction.
        action: what is done.
        entries: what each is about, and its details.
    """
    values = [
        {
            "action": action.value,
            "kind": subject.kind if subject else None,
            "subject": subject.id if subject else None,
            "details": Jsonb(dict(details)),
        }
        for subject, details in entries
    ]
    async with conn.cursor() as cursor:
        await cursor.executemany(_ENTER_DONE.encode(), values)


def _plain(text: str | None, most: int = 400) -> str | None:
    """What a client sent, without what could not be shown or kept."""
    return "".join(character for character in text if character.isprintable())[:most] if text else None
