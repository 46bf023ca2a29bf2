"""What is still to be sent: gathered into mails, claimed, settled, given up, forgotten.

The only module with the SQL of `notice_deliveries` and `notices`. Several servers share the work: a claim is one
statement that passes over what others hold. Whoever dies with a claim loses it when its time is over, and another
one sends the same again, under the same id.
"""
# ruff: noqa: S608 -- the statements are made of the names of columns

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.rows import class_row, dict_row

from varloom.services.notices.views import NoticeDeliveryView

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.notices.outcome import Outcome

GATHER_SECONDS = 60
"""So long a mail waits for further jobs that end."""
FIRST_GAP, LONGEST_GAP = 60, 3600
"""Seconds between two mails to one account: twice as long after each one, until an hour has passed without one."""
AT_ONCE = 8
"""Calls of one webhook at a time, and one only while it fails."""
LEASE_SECONDS = {"webhook": 60, "email": 300}
"""How long a claim lasts; longer than any attempt takes."""
FIRST_DELAY, DELAY_FACTOR, LONGEST_DELAY = 5.0, 4.0, 4 * 3600.0
"""Seconds until a notice is tried again: after the first failure, and each time so many times longer."""
LONGEST_REST = 3600.0
"""Seconds that a channel which fails is left alone at most."""
DISABLED_AFTER_DAYS, DISABLED_AFTER_FAILURES = 3, 10
"""A channel of which every attempt failed for so long, and so often, is disabled."""

_USABLE: LiteralString = """
c.disabled_at IS NULL AND c.confirmed_at IS NOT NULL AND c.kind = ANY (%(kinds)s)
AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = c.account_id AND a.deactivated_at IS NULL)
"""

# The lock is one that jobs do not wait for, which note something for the same channel as they end.
_GATHER: LiteralString = f"""
WITH ready AS (
    SELECT c.id FROM notice_channels c
    WHERE {_USABLE} AND c.kind = 'email'
        AND (c.last_mail_at IS NULL OR c.last_mail_at + make_interval(secs => c.mail_gap) <= now())
        AND EXISTS (SELECT 1 FROM notices n WHERE n.channel_id = c.id AND n.delivery_id IS NULL
            AND n.at <= now() - make_interval(secs => %(gather)s))
        AND NOT EXISTS (SELECT 1 FROM notice_deliveries d
            WHERE d.channel_id = c.id AND d.state = 'waiting' AND NOT d.is_test)
    FOR NO KEY UPDATE SKIP LOCKED
), made AS (
    INSERT INTO notice_deliveries (channel_id) SELECT id FROM ready RETURNING id, channel_id
), told AS (
    UPDATE notices n SET delivery_id = made.id FROM made
    WHERE n.channel_id = made.channel_id AND n.delivery_id IS NULL
)
UPDATE notice_channels c SET last_mail_at = now(),
    mail_gap = CASE WHEN c.last_mail_at > now() - interval '1 hour' - make_interval(secs => c.mail_gap)
        THEN least(c.mail_gap * 2, %(longest_gap)s) ELSE %(first_gap)s END
FROM made WHERE c.id = made.channel_id
"""

# Of a channel nothing more is taken while something of it is under way: one that is slow holds up itself alone. Which
# go first is left to chance, so that none that has much to send keeps others waiting.
_CLAIM: LiteralString = f"""
WITH open AS (
    SELECT c.id, c.kind, c.failures, c.next_at FROM notice_channels c
    WHERE {_USABLE} AND c.next_at <= now()
        AND EXISTS (SELECT 1 FROM notice_deliveries d
            WHERE d.channel_id = c.id AND d.state = 'waiting' AND d.due_at <= now())
        AND NOT EXISTS (SELECT 1 FROM notice_deliveries d
            WHERE d.channel_id = c.id AND d.state = 'waiting' AND d.claimed_until > now())
    ORDER BY random() LIMIT %(channels)s
), taken AS (
    SELECT due.id, open.kind, open.failures, row_number() OVER (PARTITION BY open.id ORDER BY due.due_at) AS place
    FROM open CROSS JOIN LATERAL (
        SELECT d.id, d.due_at FROM notice_deliveries d
        WHERE d.channel_id = open.id AND d.state = 'waiting' AND d.due_at <= now()
            AND (d.claimed_until IS NULL OR d.claimed_until <= now())
        ORDER BY d.due_at LIMIT %(at_once)s FOR UPDATE SKIP LOCKED
    ) AS due
)
UPDATE notice_deliveries d SET claim = gen_random_uuid(), attempts = d.attempts + 1,
    first_tried_at = coalesce(d.first_tried_at, now()),
    claimed_until = now() + make_interval(secs => CASE taken.kind WHEN 'email' THEN %(email)s ELSE %(webhook)s END)
FROM taken WHERE d.id = taken.id AND (taken.place = 1 OR taken.failures = 0)
RETURNING d.id, d.channel_id, d.claim, d.attempts, d.is_test, d.created_at
"""
_BEGIN_TEST: LiteralString = """
INSERT INTO notice_deliveries (channel_id, is_test, attempts, first_tried_at, claim, claimed_until)
SELECT c.id, true, 1, now(), gen_random_uuid(), now() + make_interval(secs => %(lease)s)
FROM notice_channels c WHERE c.id = %(channel)s AND (
    SELECT count(*) FROM notice_deliveries d JOIN notice_channels o ON o.id = d.channel_id
    WHERE o.account_id = c.account_id AND d.is_test AND d.created_at > now() - interval '1 hour'
) < %(most)s
RETURNING id, channel_id, claim, attempts, is_test, created_at
"""
_EVENTS: LiteralString = "SELECT event FROM notices WHERE delivery_id = %s ORDER BY id"

_SENT: LiteralString = """
UPDATE notice_deliveries SET state = 'sent', ended_at = now(), status = %(status)s, problem = NULL, claim = NULL,
    claimed_until = NULL
WHERE id = %(id)s AND claim = %(claim)s
"""
_FAILED: LiteralString = """
UPDATE notice_deliveries SET status = %(status)s, problem = %(problem)s, claim = NULL, claimed_until = NULL,
    due_at = now() + make_interval(secs => %(delay)s),
    state = CASE WHEN %(over)s OR first_tried_at + make_interval(hours => 1) * %(hours)s <= now()
        THEN 'given_up' ELSE 'waiting' END,
    ended_at = CASE WHEN %(over)s OR first_tried_at + make_interval(hours => 1) * %(hours)s <= now() THEN now() END
WHERE id = %(id)s AND claim = %(claim)s
"""
_CHANNEL_WORKS: LiteralString = """
UPDATE notice_channels SET failures = 0, failing_since = NULL, next_at = now()
WHERE id = %s AND (failures > 0 OR next_at > now())
"""
_CHANNEL_FAILS: LiteralString = """
UPDATE notice_channels SET failures = failures + 1, failing_since = coalesce(failing_since, now()),
    next_at = now() + make_interval(secs => least(%(longest)s, %(first)s * 2 ^ least(failures, 20)))
WHERE id = %(channel)s
RETURNING disabled_at IS NULL AND failures >= %(failures)s
    AND failing_since <= now() - make_interval(days => %(days)s)
"""
_DISABLE: LiteralString = """
UPDATE notice_channels SET disabled_at = now(), disabled_because = %(because)s
WHERE id = %(channel)s AND disabled_at IS NULL
"""
_DROP_WAITING: LiteralString = """
UPDATE notice_deliveries SET state = 'given_up', ended_at = now(), claim = NULL, claimed_until = NULL,
    problem = coalesce(problem, %(because)s)
WHERE channel_id = %(channel)s AND state = 'waiting'
"""
_DROP_GATHERED: LiteralString = "DELETE FROM notices WHERE channel_id = %(channel)s AND delivery_id IS NULL"
_GIVE_UP_OF_DEACTIVATED: LiteralString = """
UPDATE notice_deliveries d SET state = 'given_up', ended_at = now(), claim = NULL, claimed_until = NULL,
    problem = 'The account was deactivated.'
FROM notice_channels c JOIN accounts a ON a.id = c.account_id
WHERE c.id = d.channel_id AND d.state = 'waiting' AND a.deactivated_at IS NOT NULL
"""
_DROP_OF_DEACTIVATED: LiteralString = """
DELETE FROM notices n USING notice_channels c, accounts a
WHERE c.id = n.channel_id AND a.id = c.account_id AND n.delivery_id IS NULL AND a.deactivated_at IS NOT NULL
"""
_FORGET: LiteralString = """
DELETE FROM notice_deliveries WHERE state <> 'waiting' AND ended_at < now() - make_interval(days => 1) * %s
"""
# Where no server sends mails any more, nothing is to pile up for ever.
_GIVE_UP_OLD: LiteralString = """
UPDATE notice_deliveries SET state = 'given_up', ended_at = now(), claim = NULL, claimed_until = NULL,
    problem = coalesce(problem, 'No server has sent it.')
WHERE state = 'waiting' AND created_at < now() - make_interval(days => 1) * %s
"""
_DROP_OLD: LiteralString = """
DELETE FROM notices WHERE delivery_id IS NULL AND at < now() - make_interval(days => 1) * %s
"""
_FORGET_CONFIRMATIONS: LiteralString = """
DELETE FROM notice_confirmations WHERE expires_at < now() - interval '1 day'
"""
_LIST: LiteralString = """
SELECT d.id, d.state, d.is_test, (SELECT count(*) FROM notices n WHERE n.delivery_id = d.id) AS jobs, d.created_at,
    d.attempts, CASE WHEN d.state = 'waiting' THEN greatest(d.due_at, c.next_at) END AS due_at, d.ended_at, d.status,
    d.problem
FROM notice_deliveries d JOIN notice_channels c ON c.id = d.channel_id
WHERE c.account_id = %(account)s AND c.id = %(channel)s AND (%(id)s::uuid IS NULL OR d.id = %(id)s)
ORDER BY d.created_at DESC, d.id LIMIT %(limit)s
"""
_AGAIN: LiteralString = """
UPDATE notice_deliveries d SET state = 'waiting', ended_at = NULL, due_at = now(), attempts = 0, first_tried_at = NULL,
    status = NULL, problem = NULL
FROM notice_channels c
WHERE d.id = %(id)s AND d.state <> 'waiting' AND c.id = d.channel_id AND c.id = %(channel)s
    AND c.account_id = %(account)s
RETURNING c.id
"""
_TRY_NOW: LiteralString = "UPDATE notice_channels SET next_at = now() WHERE id = %s"


_WAITING: LiteralString = """
SELECT c.kind, count(*), extract(epoch FROM now() - min(waiting.since))::float FROM (
    SELECT channel_id, created_at AS since FROM notice_deliveries WHERE state = 'waiting'
    UNION ALL SELECT channel_id, at FROM notices WHERE delivery_id IS NULL
) AS waiting JOIN notice_channels c ON c.id = waiting.channel_id GROUP BY c.kind
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Something that nobody else sends meanwhile."""

    id: UUID
    channel_id: UUID
    claim: UUID
    attempts: int
    is_test: bool
    created_at: datetime


def delay_after(attempts: int) -> float:
    """Seconds until a notice is tried again after so many attempts."""
    return float(min(LONGEST_DELAY, FIRST_DELAY * DELAY_FACTOR ** min(attempts - 1, 20)))


@dataclass(frozen=True, slots=True)
class Outbox:
    """What is still to be sent, of all accounts.

    Attributes:
        gather_seconds: how long a mail waits for further jobs.
        hours: how long a notice is tried.
    """

    pool: AsyncConnectionPool
    hours: float
    gather_seconds: float = GATHER_SECONDS

    async def gather(self) -> None:
        """Make mails of what has waited long enough, at most one for each account."""
        values = {
            "kinds": ["email"],
            "gather": self.gather_seconds,
            "first_gap": FIRST_GAP,
            "longest_gap": LONGEST_GAP,
        }
        async with self.pool.connection() as conn:
            await conn.execute(_GATHER, values)

    async def claim(self, kinds: list[str], channels: int) -> list[Claimed]:
        """Take what is due, of at most so many channels of these kinds."""
        values = {"kinds": kinds, "channels": channels, "at_once": AT_ONCE, **LEASE_SECONDS}
        async with self.pool.connection() as conn, conn.cursor(row_factory=class_row(Claimed)) as cursor:
            await cursor.execute(_CLAIM, values)
            return await cursor.fetchall()

    async def begin_test(self, channel_id: UUID, kind: str, most: int) -> Claimed | None:
        """Enter a test and claim it; None if the account had so many within an hour."""
        values = {"channel": channel_id, "lease": LEASE_SECONDS[kind], "most": most}
        async with self.pool.connection() as conn, conn.cursor(row_factory=class_row(Claimed)) as cursor:
            await cursor.execute(_BEGIN_TEST, values)
            return await cursor.fetchone()

    async def events(self, delivery_id: UUID) -> list[dict[str, Any]]:
        """What a delivery tells of, as it was noted."""
        async with self.pool.connection() as conn:
            return [row[0] for row in await (await conn.execute(_EVENTS, [delivery_id])).fetchall()]

    async def settle(self, claimed: Claimed, outcome: Outcome) -> None:
        """Note how an attempt went; whoever has lost the claim notes nothing."""
        values = {
            "id": claimed.id,
            "claim": claimed.claim,
            "channel": claimed.channel_id,
            "status": outcome.status,
            "problem": outcome.problem,
            "delay": delay_after(claimed.attempts),
            "hours": self.hours,
            "over": outcome.gone or claimed.is_test,
        }
        async with self.pool.connection() as conn:
            cursor = await conn.execute(_SENT if outcome.delivered else _FAILED, values)
            if cursor.rowcount == 0:
                return
            if outcome.delivered:
                await conn.execute(_CHANNEL_WORKS, [claimed.channel_id])
                return
            limits = {"failures": DISABLED_AFTER_FAILURES, "days": DISABLED_AFTER_DAYS}
            rest = {"first": FIRST_DELAY, "longest": LONGEST_REST}
            row = await (await conn.execute(_CHANNEL_FAILS, {**values, **limits, **rest})).fetchone()
            if outcome.gone:
                await disable(conn, claimed.channel_id, "It answered 410: it wants no more notices.")
            elif row is not None and row[0]:
                because = f"Every attempt has failed for {DISABLED_AFTER_DAYS} days."
                await disable(conn, claimed.channel_id, because)

    async def tidy(self, keep_days: float) -> None:
        """Forget what ended long ago; give up what waits as long, or for accounts that were deactivated."""
        async with self.pool.connection() as conn:
            await conn.execute(_GIVE_UP_OF_DEACTIVATED)
            await conn.execute(_DROP_OF_DEACTIVATED)
            await conn.execute(_FORGET, [keep_days])
            await conn.execute(_GIVE_UP_OLD, [keep_days])
            await conn.execute(_DROP_OLD, [keep_days])
            await conn.execute(_FORGET_CONFIRMATIONS)

    async def list(
        self, account_id: UUID, channel_id: UUID, *, limit: int, delivery_id: UUID | None = None
    ) -> list[NoticeDeliveryView]:
        """What was sent to a channel of the account, or is to be, newest first; or one of it."""
        values = {"account": account_id, "channel": channel_id, "id": delivery_id, "limit": limit}
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_LIST, values)
            return [NoticeDeliveryView.model_validate(row) for row in await cursor.fetchall()]

    async def again(self, account_id: UUID, channel_id: UUID, delivery_id: UUID) -> bool:
        """Let something that has ended be sent once more, under its old id; whether there is such a thing."""
        values = {"account": account_id, "channel": channel_id, "id": delivery_id}
        async with self.pool.connection() as conn:
            row = await (await conn.execute(_AGAIN, values)).fetchone()
            if row is None:
                return False
            await conn.execute(_TRY_NOW, [channel_id])
            return True


async def waiting(conn: AsyncConnection[Any]) -> dict[str, tuple[int, float]]:
    """What is still to be sent, by kind of channel: how many things, and the age of the oldest in seconds."""
    rows = await (await conn.execute(_WAITING)).fetchall()
    return {"email": (0, 0.0), "webhook": (0, 0.0), **{kind: (count, age) for kind, count, age in rows}}


async def disable(conn: AsyncConnection[Any], channel_id: UUID, because: str) -> None:
    """Send nothing more to a channel until its account enables it again; what waits is given up, and told as such."""
    values = {"channel": channel_id, "because": because}
    await conn.execute(_DISABLE, values)
    await conn.execute(_DROP_WAITING, values)
    await conn.execute(_DROP_GATHERED, values)
