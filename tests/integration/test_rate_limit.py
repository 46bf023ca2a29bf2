"""A program gone wild is held back by itself: nobody else waits, and it is told for how long."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from varloom.errors import VarloomError
from varloom.services.accounts import Account
from varloom.settings import Settings
from varloom.web import rate_limit
from varloom.web.dependencies import Identity
from varloom.web.rate_limit import RateLimit

if TYPE_CHECKING:
    from pathlib import Path

    from api_support import Api


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", requests_per_minute=60)


async def test_one_who_asks_too_much_is_told_how_long_to_wait(api: Api) -> None:
    ann, ben, stranger = await api.person(), await api.person(), await api.client()
    answers = [await ann.client.get("/api/v1/account") for _ in range(70)]
    counted = Counter(answer.status_code for answer in answers)
    assert counted[200] >= 60
    assert counted[429] > 0
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "requests_limited"
    assert refused.headers["retry-after"] == "1"
    assert (await ben.client.get("/api/v1/account")).status_code == 200
    assert (await stranger.get("/healthz")).status_code == 200
    assert {(await ann.client.get("/static/favicon.svg")).status_code for _ in range(5)} == {200}


class Clock:
    """A time that stands until it is set."""

    time = 0.0

    def __call__(self) -> float:
        return self.time


async def test_what_is_left_comes_back_with_time_and_strangers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    served = 0

    async def app(*_: Any) -> None:
        nonlocal served
        served += 1

    clock = Clock()
    limit = RateLimit(app, per_minute=60, now=clock)

    async def asked(address: str, identity: Identity | None = None) -> bool:
        scope = {"type": "http", "path": "/x", "client": (address, 1), "state": {"identity": identity}}
        try:
            await limit(scope, None, None)
        except VarloomError as error:
            return error.retry_after is None
        return True

    assert [await asked("192.0.2.1") for _ in range(61)] == [True] * 60 + [False]
    identity = Identity(Account(uuid.uuid4(), "ann", "member"), "token", "x")
    assert await asked("192.0.2.1", identity), "who is logged in does not share the bucket of the address"
    clock.time = 2.5
    assert [await asked("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert served == 63
    network = [await asked(f"2001:db8:0:1::{number:x}") for number in range(61)]
    assert network == [True] * 60 + [False], "who has one IPv6 address has a network of them"
    assert await asked("2001:db8:0:2::1")
    assert not await asked("::ffff:192.0.2.1"), "the same address as a socket for both protocols tells it"
    monkeypatch.setattr(rate_limit, "MOST_BUCKETS", 50)
    for number in range(200):
        clock.time += 1
        assert await asked(f"198.51.100.{number}")
    assert len(limit._buckets) <= 50
