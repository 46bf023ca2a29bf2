"""Bounds how fast requests may come, so that a program gone wild does not take the server from everybody else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.services.sessions import place_of
from varloom.web.problems import REQUESTS_LIMITED

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from varloom.web.dependencies import Identity

MOST_BUCKETS = 10_000
"""Accounts and addresses that are remembered; beyond it, those that are full again are forgotten."""


@dataclass(slots=True)
class Bucket:
    """What somebody may still ask at once, and when it was looked at."""

    left: float
    at: float


class RateLimit:
    """Refuses an account, or an address that is not logged in, that asks for more than so many requests a minute.

    A minute's worth may come at once; from then on it is refilled evenly. Requests for pieces of uploads count like
    others: each carries megabytes. Scripts and styles of pages do not count.
    """

    def __init__(self, app: ASGIApp, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self.app = app
        self._most = float(per_minute)
        self._now = now
        self._buckets: dict[str, Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and not scope["path"].startswith("/static/"):
            self._take(scope)
        await self.app(scope, receive, send)

    def _take(self, scope: Scope) -> None:
        identity: Identity | None = scope.get("state", {}).get("identity")
        client = scope.get("client")
        who = f"account {identity.account.id}" if identity else f"address {place_of(client[0] if client else None)}"
        now = self._now()
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._forget_full(now)
            bucket = self._buckets[who] = Bucket(self._most, now)
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._most / 60)
        bucket.at = now
        if bucket.left < 1:
            wait = (1 - bucket.left) * 60 / self._most
            raise VarloomError(REQUESTS_LIMITED, f"More than {self._most:,.0f} requests in a minute.", retry_after=wait)
        bucket.left -= 1

    def _forget_full(self, now: float) -> None:
        """Forget those that have waited long enough to be like new; a flood of addresses only forgets all sooner."""
        self._buckets = {
            who: bucket
            for who, bucket in self._buckets.items()
            if bucket.left + (now - bucket.at) * self._most / 60 < self._most
        }
        if len(self._buckets) >= MOST_BUCKETS:
            self._buckets.clear()
