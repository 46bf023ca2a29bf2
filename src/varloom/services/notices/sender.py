"""The loop that sends notices, in every server. It holds no lock and no connection while it talks to others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import OperationalError
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from varloom.cancelling import cancel_all
from varloom.errors import VarloomError
from varloom.services.notices.mail import jobs_mail, test_mail
from varloom.services.notices.outcome import Outcome
from varloom.services.notices.payload import body_of, test_body, told_job

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.services.notices.mail import Mail, MailServer
    from varloom.services.notices.outbox import Claimed, Outbox
    from varloom.services.notices.webhook import Caller
    from varloom.settings import Settings
    from varloom.transfer.vault import Vault

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often the outbox is looked at."""
TIDY_SECONDS = 300.0
CLOSE_PATIENCE = 3.0
"""Seconds that what is under way has when the server stops."""
CHANNELS_AT_ONCE = 16
"""Of so many channels something is under way at most."""

_CHANNEL: LiteralString = "SELECT kind, target, secret, account_id FROM notice_channels WHERE id = %s"


@dataclass(slots=True)
class Sender:
    """Sends what waits in the outbox.

    Attributes:
        look_seconds: how often the outbox is looked at.
    """

    pool: AsyncConnectionPool
    settings: Settings
    vault: Vault
    outbox: Outbox
    mail: MailServer
    caller: Caller
    look_seconds: float = LOOK_SECONDS
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False
    _under_way: dict[UUID, set[asyncio.Task[None]]] = field(default_factory=dict)

    def wake(self) -> None:
        """Look at the outbox now."""
        self._news.set()

    async def run(self) -> None:
        """Send what is due, for as long as the server runs, whatever fails."""
        tidied = -TIDY_SECONDS
        try:
            while True:
                try:
                    if time.monotonic() - tidied >= TIDY_SECONDS:
                        await self.outbox.tidy(self.settings.keep_notices_days)
                        tidied = time.monotonic()
                    await self.look()
                except (OperationalError, PoolTimeout):
                    logger.warning("Notices wait: the database is away.")
                except Exception:
                    logger.exception("The outbox of notices could not be looked at; it is tried again.")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.look_seconds):
                        await self._news.wait()
                self._news.clear()
        finally:
            await cancel_all(self._tasks())

    async def close(self) -> None:
        """Begin nothing more, and let what is under way end if it does so soon; the rest is sent again, by others."""
        self._closed = True
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=CLOSE_PATIENCE)

    async def look(self) -> None:
        """Begin to send what is due."""
        if self.mail.is_there:
            await self.outbox.gather()
        if self._closed:
            return
        room = CHANNELS_AT_ONCE - len(self._under_way)
        if room <= 0:
            return
        kinds = ["webhook", "email"] if self.mail.is_there else ["webhook"]
        for claimed in await self.outbox.claim(kinds, room):
            task = asyncio.create_task(self.send(claimed), name="notice")
            self._under_way.setdefault(claimed.channel_id, set()).add(task)
            task.add_done_callback(partial(self._ended, claimed.channel_id))

    async def send(self, claimed: Claimed) -> None:
        """Send one delivery that is claimed, and note how it went."""
        channel = await self._channel(claimed.channel_id)
        if channel is None:  # removed meanwhile, and its deliveries with it
            return
        try:
            outcome = await (
                self._mail(claimed, channel) if channel["kind"] == "email" else self._call(claimed, channel)
            )
        except VarloomError as error:  # a key that is not here
            outcome = Outcome(problem=error.message)
        except Exception:
            logger.exception("The notice %s could not be sent; it is tried again.", claimed.id)
            outcome = Outcome(problem="An internal error; the log of the server says more.")
        await self.outbox.settle(claimed, outcome)
        if not outcome.delivered:
            self.log_failure(f"send the notice {claimed.id} of account {channel['account_id']}", outcome)

    def log_failure(self, what: str, outcome: Outcome) -> None:
        """Tell the operator, without any address."""
        logger.warning("Could not %s: %s", what, outcome.problem)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for tasks in self._under_way.values() for task in tasks]

    def _ended(self, channel_id: UUID, task: asyncio.Task[None]) -> None:
        tasks = self._under_way.get(channel_id, set())
        tasks.discard(task)
        if not tasks:
            self._under_way.pop(channel_id, None)
            self.wake()  # there may be more for the same channel
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, (OperationalError, PoolTimeout)):
                logger.warning("How a notice went could not be noted: the database is away. It is sent again.")
            else:
                logger.error("How a notice went could not be noted. It is sent again.", exc_info=error)

    async def _mail(self, claimed: Claimed, channel: dict[str, Any]) -> Outcome:
        mail = await self._mail_of(claimed, channel["target"])
        return await self.mail.sent(mail)

    async def _mail_of(self, claimed: Claimed, to: str) -> Mail:
        public_url = self.settings.public_url or ""
        if claimed.is_test:
            return test_mail(to, str(claimed.id), claimed.created_at, public_url)
        names = self.settings.notice_names
        events = await self.outbox.events(claimed.id)
        jobs = [told_job(event, names=names, public_url=public_url) for event in events]
        return jobs_mail(to, str(claimed.id), claimed.created_at, jobs, public_url)

    async def _call(self, claimed: Claimed, channel: dict[str, Any]) -> Outcome:
        secret = self.vault.decrypt(channel["secret"])
        keys = [secret["key"]]
        if "former" in secret and datetime.fromisoformat(secret["former_until"]) > datetime.now(UTC):
            keys.append(secret["former"])
        if claimed.is_test:
            body = test_body(claimed.created_at)
        else:
            [event] = await self.outbox.events(claimed.id)
            settings = self.settings
            body = body_of(told_job(event, names=settings.notice_names, public_url=settings.public_url))
        return await self.caller.call(secret["url"], claimed.id, body, keys)

    async def _channel(self, channel_id: UUID) -> dict[str, Any] | None:
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_CHANNEL, [channel_id])
            return await cursor.fetchone()
