"""The queue as operators and users see it: slots, workers, what waits, and what is paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.jobs import line
from varloom.jobs.lifecycle import Stage
from varloom.services.audit import note
from varloom.services.engine_choices import engines_view
from varloom.services.owners import require_owner
from varloom.services.problems import ACCOUNT_NOT_FOUND, REQUEST_INVALID
from varloom.services.views import QueueView, pause_view, stage_queue_views, worker_view

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.accounts import Account
    from varloom.services.engine_views import EnginesView
    from varloom.settings import Settings

REASON_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, who works, and what operators hold back."""

    pool: AsyncConnectionPool
    settings: Settings

    async def overview(self, account: Account) -> QueueView:
        """Slots and waiting jobs of each stage, the places of the account's own jobs, and for owners the workers."""
        async with self.pool.connection() as conn:
            return await self._overview(conn, account)

    async def engines(self) -> EnginesView:
        """Which engines the connected workers have for reads, and for which choices a job would wait."""
        async with self.pool.connection() as conn:
            return engines_view(await line.offers(conn))

    async def pause(
        self, account: Account, *, stage: str | None = None, name: str | None = None, reason: str | None = None
    ) -> QueueView:
        """Claim nothing more of a stage, or of the account with this name; what runs goes on.

        Raises:
            VarloomError: `owner_only`, `request_invalid` or `account_not_found`.
        """
        require_owner(account)
        why = _checked_reason(reason)
        note(stage=stage, account=name, reason=why)
        async with self.pool.connection() as conn:
            held_stage, held_account = await _target(conn, stage, name)
            await line.pause(conn, stage=held_stage, account_id=held_account, reason=why)
            return await self._overview(conn, account)

    async def resume(self, account: Account, *, stage: str | None = None, name: str | None = None) -> QueueView:
        """Let what is paused be claimed again; nothing happens when it is not paused.

        Raises:
            VarloomError: `owner_only`, `request_invalid` or `account_not_found`.
        """
        require_owner(account)
        note(stage=stage, account=name)
        async with self.pool.connection() as conn:
            held_stage, held_account = await _target(conn, stage, name)
            await line.resume(conn, stage=held_stage, account_id=held_account)
            return await self._overview(conn, account)

    async def _overview(self, conn: AsyncConnection, account: Account) -> QueueView:
        stages = await line.queue_overview(conn, self.settings.worker_timeout)
        positions = await line.queue_positions(conn, account.id)
        pauses = await line.pauses(conn)
        is_owner = account.role == "owner"
        workers = await line.worker_states(conn) if is_owner else None
        return QueueView(
            stages=stage_queue_views(stages),
            positions=positions,
            pauses=[pause_view(one) for one in pauses if is_owner or one.account_id in {None, account.id}],
            workers=None if workers is None else [worker_view(worker) for worker in workers],
        )


def _checked_reason(reason: str | None) -> str | None:
    """The reason as it is shown: one line, not too long."""
    told = (reason or "").strip()
    if len(told) > REASON_LIMIT or not told.isprintable():
        raise VarloomError(REQUEST_INVALID, f"reason: expected one line of at most {REASON_LIMIT} characters.")
    return told or None


async def _target(conn: AsyncConnection, stage: str | None, name: str | None) -> tuple[Stage | None, UUID | None]:
    """The stage or the account that is meant: one of them."""
    if (stage is None) == (name is None):
        raise VarloomError(REQUEST_INVALID, "Either a stage or an account must be named.")
    if name is None:
        return _stage(stage or ""), None
    row = None
    if "\0" not in name:  # no name has one, and the database refuses to look for it
        cursor = await conn.execute("SELECT id FROM accounts WHERE lower(name) = lower(%s)", [name])
        row = await cursor.fetchone()
    if row is None:
        raise VarloomError(ACCOUNT_NOT_FOUND, f"There is no account {safe_excerpt(name, 60)!r}.")
    return None, row[0]


def _stage(name: str) -> Stage:
    try:
        return Stage(name)
    except ValueError:
        known = ", ".join(stage.value for stage in Stage)
        raise VarloomError(REQUEST_INVALID, f"stage: expected one of {known}.") from None
