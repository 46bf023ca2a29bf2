"""Looks at the tables over HTTP all the time while faults happen: none may ever be seen with too few rows."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.traffic import User

INTERVAL = 0.25
LOOKS = 3


class Watcher:
    """Asks for the rows of samples as soon as they are listed, and of some again later."""

    def __init__(self, users: dict[str, User], rows_of: Callable[[str], set[int]]) -> None:
        self._users = list(users.values())
        self._rows_of = rows_of
        self._chance = random.Random(0)
        self._seen: set[str] = set()
        self.looks = 0
        self.findings: list[str] = []

    async def run(self) -> None:
        while True:
            for user in self._users:
                with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):  # the server is away
                    await self._look(user)
            await asyncio.sleep(INTERVAL)

    async def _look(self, user: User) -> None:
        samples = (await user.client.get("samples", params={"limit": 30})).json()["samples"]
        new = [sample for sample in samples if sample["id"] not in self._seen][:LOOKS]
        for sample in [*new, *self._chance.sample(samples, min(1, len(samples)))]:
            wanted = self._rows_of(sample["name"])
            response = await user.client.get(f"samples/{sample['id']}/count")
            if response.status_code == 200 and wanted:
                self.looks += 1
                self._seen.add(sample["id"])
                if response.json()["count"] not in wanted:
                    seen = response.json()["count"]
                    self.findings.append(
                        f"{sample['name']}: expected {sorted(wanted)} rows, {seen} could be seen for a while"
                    )
            elif response.status_code not in {200, 404} and response.status_code < 500:
                self.findings.append(f"{sample['name']} is listed, but its rows are refused: {response.text}")
