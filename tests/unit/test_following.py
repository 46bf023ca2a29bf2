"""Waiting for jobs while the server is away: how long is too long, counted from when it went."""

from __future__ import annotations

import contextlib
import json

import pytest

from varloom.cli import following as cli_following
from varloom.cli.problems import SERVER_UNREACHABLE
from varloom.client import sync_io
from varloom.client.synchronous_following import Following
from varloom.errors import VarloomError

JOB = {"id": "1", "state": "parsing"}
ENDED = {"id": "1", "state": "completed"}


class Clock:
    """Time that goes on only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Away:
    """A server that is quiet for ten minutes, then away for some seconds, then tells that the job has ended."""

    choice = None

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self.gone_at: float | None = None

    def _check(self) -> None:
        if self.gone_at is not None and self.clock.now < self.gone_at + self.seconds:
            raise VarloomError(SERVER_UNREACHABLE, "away")

    def get(self, path: str, *_: object, **__: object) -> dict[str, str]:
        self._check()
        return JOB

    @contextlib.contextmanager
    def stream(self, path: str, *_: object, **__: object):
        self._check()
        yield self

    def iter_lines(self):
        if self.gone_at is None:
            self.clock.now += 600
            self.gone_at = self.clock.now
            raise VarloomError(SERVER_UNREACHABLE, "away")
        yield from ("event: job", f"data: {json.dumps(ENDED)}", "")

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for where in ("varloom.cli.following.time", "varloom.client.synchronous_following.time"):
        monkeypatch.setattr(where, clock)
    monkeypatch.setattr(sync_io, "sleep", clock.sleep)
    monkeypatch.setattr("varloom.client.synchronous_following.decoded", lambda _, job: job)
    return clock


def by_the_command(server: Away, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(cli_following, "Server", lambda _: server)
    seen: list[str] = []
    cli_following.follow(server, ["1"], lambda job: seen.append(job["state"]))
    return seen


def by_the_client(server: Away, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return [job["state"] for job in Following(server, ["1"], 300.0).listening()]


@pytest.mark.parametrize("follow", [by_the_command, by_the_client])
def test_a_server_that_was_quiet_may_still_be_away_for_minutes(clock, monkeypatch, follow):
    assert follow(Away(clock, 280), monkeypatch)[-1] == "completed"


@pytest.mark.parametrize("follow", [by_the_command, by_the_client])
def test_a_server_that_stays_away_is_given_up(clock, monkeypatch, follow):
    with pytest.raises(VarloomError, match="away"):
        follow(Away(clock, 400), monkeypatch)
    assert clock.now < 1000 + 600 + 320
