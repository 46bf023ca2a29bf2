"""Where each account wants to be told. Every call is for one account; another account's channel does not exist.

The only module with the SQL of `notice_channels` that people change, and of `notice_confirmations`.
"""
# ruff: noqa: S608 -- the statements are made of the names of columns

from __future__ import annotations

import secrets
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import quote

from psycopg.rows import dict_row

from varloom.errors import VarloomError
from varloom.services.audit import note
from varloom.services.notices.mail import confirmation_mail
from varloom.services.notices.outbox import disable
from varloom.services.notices.problems import (
    MAIL_NOT_SENT,
    MAIL_NOT_SET_UP,
    NOTICE_CHANNEL_NOT_FOUND,
    NOTICE_CONFIRMATION_INVALID,
    NOTICE_DELIVERY_NOT_FOUND,
    NOTICE_DELIVERY_WAITS,
    NOTICE_INVALID,
    NOTICE_NOT_CONFIRMED,
    NOTICES_LIMITED,
)
from varloom.services.notices.views import (
    NoticeChannelView,
    NoticeDeliveryList,
    NoticeDeliveryView,
    NoticeSettingsView,
    WebhookSecretView,
)
from varloom.services.notices.webhook import SECRET_PREFIX, checked_url, new_key, shown_origin
from varloom.services.paging import check_limit
from varloom.services.sessions import sha256_of
from varloom.settings import MAIL_ADDRESS

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.services.notices.sender import Sender
    from varloom.settings import Settings
    from varloom.transfer.vault import Vault

MOST_WEBHOOKS = 10
NAME_LIMIT = 80
CONFIRMATION_HOURS = 24
MOST_CONFIRMATIONS = 5
"""Mails that confirm an address, in a day, of one account and to one address."""
MOST_TESTS = 10
"""Tests of one account in an hour."""
FORMER_KEY_HOURS = 24
"""How long calls bear the signature of the former secret, too, after it was replaced."""

_COLUMNS: LiteralString = """
id, kind, name, target, on_completed AS completed, on_failed AS failed, created_at, changed_at,
confirmed_at IS NOT NULL AS confirmed, disabled_at, disabled_because, failing_since
"""
_LIST: LiteralString = f"""
SELECT {_COLUMNS} FROM notice_channels WHERE account_id = %(account)s ORDER BY kind, lower(name), id
"""
_GET: LiteralString = f"""
SELECT {_COLUMNS} FROM notice_channels WHERE account_id = %(account)s AND id = %(channel)s
"""
# The account's row is locked by a statement before, which sees what others have added meanwhile: so two requests cannot
# both add the last one that is allowed.
_HOLD: LiteralString = "SELECT FROM accounts WHERE id = %(account)s FOR NO KEY UPDATE"
_ADD_WEBHOOK: LiteralString = f"""
INSERT INTO notice_channels (account_id, kind, name, target, secret, on_completed, on_failed, confirmed_at)
SELECT id, 'webhook', %(name)s, %(target)s, %(secret)s, %(completed)s, %(failed)s, now() FROM accounts
WHERE id = %(account)s
    AND (SELECT count(*) FROM notice_channels WHERE account_id = %(account)s AND kind = 'webhook') < %(most)s
RETURNING {_COLUMNS}
"""
_SET_EMAIL: LiteralString = f"""
INSERT INTO notice_channels AS c (account_id, kind, name, target, on_completed, on_failed)
VALUES (%(account)s, 'email', 'e-mail', %(target)s, %(completed)s, %(failed)s)
ON CONFLICT (account_id) WHERE kind = 'email' DO UPDATE SET
    target = excluded.target, on_completed = excluded.on_completed, on_failed = excluded.on_failed, changed_at = now(),
    confirmed_at = CASE WHEN c.target = excluded.target THEN c.confirmed_at END,
    disabled_at = CASE WHEN c.target = excluded.target THEN c.disabled_at END,
    disabled_because = CASE WHEN c.target = excluded.target THEN c.disabled_because END,
    failures = CASE WHEN c.target = excluded.target THEN c.failures ELSE 0 END,
    failing_since = CASE WHEN c.target = excluded.target THEN c.failing_since END,
    next_at = CASE WHEN c.target = excluded.target THEN c.next_at ELSE now() END
RETURNING {_COLUMNS}
"""
_CHANGE: LiteralString = f"""
UPDATE notice_channels SET on_completed = coalesce(%(completed)s, on_completed),
    on_failed = coalesce(%(failed)s, on_failed), changed_at = now()
WHERE id = %(channel)s AND account_id = %(account)s
RETURNING {_COLUMNS}
"""
_ENABLE: LiteralString = """
UPDATE notice_channels SET disabled_at = NULL, disabled_because = NULL, failures = 0, failing_since = NULL,
    next_at = now()
WHERE id = %(channel)s AND account_id = %(account)s AND disabled_at IS NOT NULL
"""
_STORED: LiteralString = """
SELECT secret FROM notice_channels
WHERE id = %(channel)s AND account_id = %(account)s AND kind = 'webhook' FOR NO KEY UPDATE
"""
_REPLACE_SECRET: LiteralString = f"""
UPDATE notice_channels SET secret = %(secret)s, changed_at = now() WHERE id = %(channel)s RETURNING {_COLUMNS}
"""
_DELETE: LiteralString = "DELETE FROM notice_channels WHERE id = %(channel)s AND account_id = %(account)s"
_ADDRESS_CHANGES: LiteralString = """
SELECT id FROM notice_channels WHERE account_id = %(account)s AND kind = 'email' AND target <> %(target)s
"""
# The account's row is locked, so that requests at the same time are counted one after the other.
_LOCK_ACCOUNT: LiteralString = "SELECT 1 FROM accounts WHERE id = %(account)s FOR NO KEY UPDATE"
_CONFIRMATIONS: LiteralString = """
SELECT greatest(count(*) FILTER (WHERE account_id = %(account)s),
    count(*) FILTER (WHERE lower(target) = lower(%(target)s))) AS sent
FROM notice_confirmations
WHERE (account_id = %(account)s OR lower(target) = lower(%(target)s)) AND created_at > now() - interval '1 day'
"""
_ADD_CONFIRMATION: LiteralString = """
INSERT INTO notice_confirmations (token_sha256, channel_id, account_id, target, expires_at)
VALUES (%(sha256)s, %(channel)s, %(account)s, %(target)s, now() + make_interval(hours => %(hours)s))
"""
_TAKE_BACK: LiteralString = "DELETE FROM notice_confirmations WHERE token_sha256 = %(sha256)s RETURNING account_id"
# Only the newest link counts, for the address as it is now.
_CONFIRM: LiteralString = f"""
WITH used AS (
    UPDATE notice_confirmations f SET used_at = now()
    WHERE f.token_sha256 = %(sha256)s AND f.account_id = %(account)s AND f.used_at IS NULL AND f.expires_at > now()
        AND NOT EXISTS (SELECT 1 FROM notice_confirmations newer
            WHERE newer.channel_id = f.channel_id AND newer.created_at > f.created_at)
    RETURNING channel_id, target
)
UPDATE notice_channels c SET confirmed_at = coalesce(confirmed_at, now()), changed_at = now() FROM used
WHERE c.id = used.channel_id AND c.target = used.target AND c.account_id = %(account)s
RETURNING {_COLUMNS.replace("id,", "c.id,", 1).replace("target,", "c.target,")}
"""


@dataclass(frozen=True, slots=True)
class Notices:
    """Where the notices of an account go."""

    pool: AsyncConnectionPool
    settings: Settings
    vault: Vault
    sender: Sender

    async def all(self, account_id: UUID) -> NoticeSettingsView:
        """The account's address and webhooks, and what this server allows."""
        rows = await self._rows(_LIST, {"account": account_id})
        return NoticeSettingsView(
            mail_available=self.sender.mail.is_there,
            names_told=self.settings.notice_names,
            channels=[NoticeChannelView.model_validate(row) for row in rows],
        )

    async def set_email(self, account_id: UUID, address: str, *, completed: bool, failed: bool) -> NoticeChannelView:
        """Save the address for notices. A new one gets the link that confirms it, and nothing else before.

        Raises:
            VarloomError: `notice_invalid`, `mail_not_set_up`, `mail_not_sent`, `notices_limited`.
        """
        target = checked_address(address)
        _check_choice(completed=completed, failed=failed)
        if not self.sender.mail.is_there:
            raise VarloomError(MAIL_NOT_SET_UP, "This server has no mail server to send through.")
        note(address=target, completed=completed, failed=failed)
        values = {"account": account_id, "target": target, "completed": completed, "failed": failed}
        token = secrets.token_urlsafe(32)
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_LOCK_ACCOUNT, values)
            await cursor.execute(_ADDRESS_CHANGES, values)
            for row in await cursor.fetchall():  # nothing that was meant for the old one goes to the new one
                await _forget_waiting(conn, row["id"])
            await cursor.execute(_SET_EMAIL, values)
            channel = NoticeChannelView.model_validate(await cursor.fetchone())
            if channel.confirmed:
                return channel
            await cursor.execute(_CONFIRMATIONS, values)
            if (await cursor.fetchone() or {"sent": 0})["sent"] >= MOST_CONFIRMATIONS:
                raise VarloomError(
                    NOTICES_LIMITED,
                    f"At most {MOST_CONFIRMATIONS} mails a day confirm addresses.",
                    retry_after=timedelta(days=1).total_seconds(),
                )
            link = {"sha256": sha256_of(token), "channel": channel.id, "hours": CONFIRMATION_HOURS}
            await cursor.execute(_ADD_CONFIRMATION, {**values, **link})
        await self._send_confirmation(target, token)
        return channel

    async def confirm(self, account_id: UUID, token: str) -> NoticeChannelView:
        """Take the link of a mail for the proof that the address belongs to the account.

        Raises:
            VarloomError: `notice_confirmation_invalid`, whatever the reason is.
        """
        rows = await self._rows(_CONFIRM, {"account": account_id, "sha256": sha256_of(token.strip())})
        if not rows:
            raise VarloomError(NOTICE_CONFIRMATION_INVALID, "This link confirms no address of this account.")
        note(address=rows[0]["target"])
        return NoticeChannelView.model_validate(rows[0])

    async def add_webhook(
        self, account_id: UUID, name: str, url: str, *, completed: bool, failed: bool
    ) -> WebhookSecretView:
        """Add a webhook; its secret is shown this once.

        Raises:
            VarloomError: `notice_invalid`; `source_secret_unreadable` without a key.
        """
        given = checked_url(url, self.sender.caller.guard)
        _check_choice(completed=completed, failed=failed)
        key = new_key()
        values = {
            "account": account_id,
            "name": _checked_name(name),
            "target": shown_origin(given),
            "secret": self.vault.encrypt({"url": given, "key": key}),
            "completed": completed,
            "failed": failed,
            "most": MOST_WEBHOOKS,
        }
        note(name=values["name"], target=values["target"], completed=completed, failed=failed)
        rows = await self._rows(_ADD_WEBHOOK, values)
        if not rows:
            raise VarloomError(NOTICE_INVALID, f"The account has {MOST_WEBHOOKS} webhooks already.")
        return WebhookSecretView(channel=NoticeChannelView.model_validate(rows[0]), secret=SECRET_PREFIX + key)

    async def change(
        self,
        account_id: UUID,
        channel_id: UUID,
        *,
        completed: bool | None = None,
        failed: bool | None = None,
        enabled: bool | None = None,
    ) -> NoticeChannelView:
        """Choose what is told, stop it for a while, or let it go on; what is None stays.

        Raises:
            VarloomError: `notice_channel_not_found`, `notice_invalid`.
        """
        note(completed=completed, failed=failed, enabled=enabled)
        values = {"account": account_id, "channel": channel_id, "completed": completed, "failed": failed}
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_CHANGE, values)
            row = await cursor.fetchone()
            if row is None:
                raise _not_found()
            _check_choice(completed=row["completed"], failed=row["failed"])
            if enabled is True:
                await cursor.execute(_ENABLE, values)
            elif enabled is False:
                await disable(conn, channel_id, "It was switched off.")
            await cursor.execute(_GET, values)
            return NoticeChannelView.model_validate(await cursor.fetchone())

    async def replace_secret(self, account_id: UUID, channel_id: UUID) -> WebhookSecretView:
        """Give a webhook a new secret. For a day calls are signed with the former one, too.

        Raises:
            VarloomError: `notice_channel_not_found`; `source_secret_unreadable` without the key.
        """
        values: dict[str, Any] = {"account": account_id, "channel": channel_id}
        key = new_key()
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_STORED, values)
            row = await cursor.fetchone()
            if row is None:
                raise _not_found()
            held = self.vault.decrypt(row["secret"])
            until = datetime.now(UTC) + timedelta(hours=FORMER_KEY_HOURS)
            kept = {"url": held["url"], "key": key, "former": held["key"], "former_until": until.isoformat()}
            await cursor.execute(_REPLACE_SECRET, {**values, "secret": self.vault.encrypt(kept)})
            channel = NoticeChannelView.model_validate(await cursor.fetchone())
        return WebhookSecretView(channel=channel, secret=SECRET_PREFIX + key)

    async def remove(self, account_id: UUID, channel_id: UUID) -> None:
        """Forget an address or webhook, with all that was or is to be sent there.

        Raises:
            VarloomError: `notice_channel_not_found`.
        """
        async with self.pool.connection() as conn:
            cursor = await conn.execute(_DELETE, {"account": account_id, "channel": channel_id})
        if cursor.rowcount == 0:
            raise _not_found()

    async def test(self, account_id: UUID, channel_id: UUID) -> NoticeDeliveryView:
        """Send a test at once; how it went.

        Raises:
            VarloomError: `notice_channel_not_found`, `notice_not_confirmed`, `notices_limited`, `mail_not_set_up`.
        """
        channel = await self._get(account_id, channel_id)
        if not channel.confirmed:
            raise VarloomError(NOTICE_NOT_CONFIRMED, "This address is not confirmed.")
        if channel.kind == "email" and not self.sender.mail.is_there:
            raise VarloomError(MAIL_NOT_SET_UP, "This server has no mail server to send through.")
        claimed = await self.sender.outbox.begin_test(channel_id, channel.kind, MOST_TESTS)
        if claimed is None:
            told = f"At most {MOST_TESTS} tests are sent in an hour."
            raise VarloomError(NOTICES_LIMITED, told, retry_after=timedelta(hours=1).total_seconds())
        await self.sender.send(claimed)
        found = await self.sender.outbox.list(account_id, channel_id, limit=1, delivery_id=claimed.id)
        if not found:  # it was removed meanwhile
            raise _not_found()
        return found[0]

    async def deliveries(self, account_id: UUID, channel_id: UUID, limit: int = 20) -> NoticeDeliveryList:
        """What was sent to an address or webhook, or is to be, newest first.

        Raises:
            VarloomError: `notice_channel_not_found`, `request_invalid`.
        """
        check_limit(limit)
        await self._get(account_id, channel_id)
        return NoticeDeliveryList(deliveries=await self.sender.outbox.list(account_id, channel_id, limit=limit))

    async def again(self, account_id: UUID, channel_id: UUID, delivery_id: UUID) -> NoticeDeliveryView:
        """Send something once more that was sent or given up, under the same id.

        Raises:
            VarloomError: `notice_channel_not_found`, `notice_delivery_not_found`, `notice_delivery_waits`.
        """
        channel = await self._get(account_id, channel_id)
        if channel.disabled_at is not None or not channel.confirmed:
            raise VarloomError(NOTICE_INVALID, "Nothing is sent there: enable it, or confirm its address, first.")
        done = await self.sender.outbox.again(account_id, channel_id, delivery_id)
        found = await self.sender.outbox.list(account_id, channel_id, limit=1, delivery_id=delivery_id)
        if not found:
            raise VarloomError(NOTICE_DELIVERY_NOT_FOUND, f"Nothing with the id {delivery_id} was sent there.")
        if not done:
            raise VarloomError(NOTICE_DELIVERY_WAITS, "It has not been sent yet.")
        self.sender.wake()
        return found[0]

    async def _send_confirmation(self, target: str, token: str) -> None:
        link = f"{self.settings.public_url}/account/notices?confirm={quote(token)}"
        mail = confirmation_mail(target, str(uuid.uuid4()), datetime.now(UTC), link, CONFIRMATION_HOURS)
        outcome = await self.sender.mail.sent(mail)
        if not outcome.delivered:
            await self._rows(_TAKE_BACK, {"sha256": sha256_of(token)})  # what nobody got does not count
            self.sender.log_failure("confirm an address", outcome)
            raise VarloomError(MAIL_NOT_SENT, outcome.problem or "The mail could not be sent.")

    async def _get(self, account_id: UUID, channel_id: UUID) -> NoticeChannelView:
        rows = await self._rows(_GET, {"account": account_id, "channel": channel_id})
        if not rows:
            raise _not_found()
        return NoticeChannelView.model_validate(rows[0])

    async def _rows(self, statement: LiteralString, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            if statement is _ADD_WEBHOOK:
                await cursor.execute(_HOLD, values)
            await cursor.execute(statement, values)
            return await cursor.fetchall()


async def _forget_waiting(conn: Any, channel_id: UUID) -> None:
    """What waits for an address that is replaced is sent to nobody."""
    await conn.execute("DELETE FROM notice_deliveries WHERE channel_id = %s", [channel_id])
    await conn.execute("DELETE FROM notices WHERE channel_id = %s", [channel_id])


def checked_address(address: str) -> str:
    """The e-mail address that the user gave, trimmed.

    Raises:
        VarloomError: `notice_invalid`.
    """
    trimmed = address.strip()
    if not MAIL_ADDRESS.fullmatch(trimmed):
        raise VarloomError(NOTICE_INVALID, "address: expected one such as ann@example.org.")
    return trimmed


def _check_choice(*, completed: bool, failed: bool) -> None:
    if not (completed or failed):
        raise VarloomError(NOTICE_INVALID, "Choose completed jobs, failed jobs, or both; or remove it.")


def _checked_name(name: str) -> str:
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not 0 < len(trimmed) <= NAME_LIMIT or not trimmed.isprintable():
        raise VarloomError(NOTICE_INVALID, f"name: expected 1 to {NAME_LIMIT} printable characters.")
    return trimmed


def _not_found() -> VarloomError:
    return VarloomError(NOTICE_CHANNEL_NOT_FOUND, "There is no such address or webhook in this account.")
