"""Failpoints: places at which a test makes this process die, stop, stall or fail. Without the variable they do nothing.

`VARLOOM_FAILPOINTS` holds rules and options, separated by semicolons, and is read once, when this module is imported:

- `POINT=ACTION@N`: at the N-th hit in a process. With a log it happens once among all processes that share the log.
- `POINT=ACTION@P%`: at each hit with this probability, a number of percent.
- `log=FILE`: each firing appends the line `point action process-id`.
- `while=FILE`: nothing is counted or fires but while this file exists: faults end without anything being started anew.
- `seed=N`: what the chances are drawn from, together with the point, the number of the hit, and the log's length.

POINT is a name or a pattern such as `*.before_commit`; the first rule that fires wins. ACTION is one of `kill`
(SIGKILL), `stop` (SIGSTOP), `exit` (status 70), `stall:SECONDS`, `enospc`, `eio`, and `cut`, which breaks the database
connection. It is for tests only.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "VARLOOM_FAILPOINTS"

EXIT_STATUS = 70

_RULE = (  # compiled where it is used, which is in tests alone
    r"(?P<point>[^=]+)=(?P<action>[a-z]+)(:(?P<seconds>[0-9.]+))?@((?P<nth>\d+)|(?P<percent>[0-9.]+)%)"
)
_ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO}
_ACTIONS = frozenset({"kill", "stop", "exit", "stall", "cut", *_ERRORS})


class Rule(NamedTuple):
    """When which action happens at which points; either `nth` or `chance` (0 to 1) is given."""

    point: str
    action: str
    seconds: float = 0.0
    nth: int | None = None
    chance: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """One `POINT=ACTION@WHEN`; ValueError when it is none."""
        match = re.fullmatch(_RULE, text)
        if match is None or match["action"] not in _ACTIONS:
            raise ValueError(f"{VARIABLE}: {text!r} is not of the form POINT=ACTION@WHEN")
        return cls(
            match["point"],
            match["action"],
            float(match["seconds"] or 0),
            int(match["nth"]) if match["nth"] else None,
            float(match["percent"]) / 100 if match["percent"] else None,
        )


class Plan:
    """The rules of one process, and how often each point was hit in it."""

    def __init__(self, text: str) -> None:
        options: dict[str, str] = {}
        self._rules: list[Rule] = []
        for part in filter(None, (part.strip() for part in text.split(";"))):
            name, _, value = part.partition("=")
            if name in {"log", "while", "seed"}:
                options[name] = value
            else:
                self._rules.append(Rule.parse(part))
        self._seed = int(options.get("seed", "0"))
        self._log = Path(options["log"]) if "log" in options else None
        self._while = Path(options["while"]) if "while" in options else None
        self._hits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def hit(self, point: str, connection: Any = None) -> None:
        """Pass the point, and do what a rule says for this hit."""
        rule = self.choose(point)
        if rule is not None:
            _act(rule, point, connection)

    def choose(self, point: str) -> Rule | None:
        """The rule that fires at this hit, which is counted and logged."""
        if self._while is not None and not self._while.exists():
            return None
        with self._lock:
            self._hits[point] += 1
            hit = self._hits[point]
        for rule in self._rules:
            if fnmatchcase(point, rule.point) and self._is_due(rule, point, hit) and self._note(rule, point):
                return rule
        return None

    def _is_due(self, rule: Rule, point: str, hit: int) -> bool:
        if rule.nth is not None:
            return hit == rule.nth
        length = self._log.stat().st_size if self._log is not None and self._log.exists() else 0
        drawn = hashlib.blake2b(f"{self._seed} {point} {rule.action} {hit} {length}".encode(), digest_size=8)
        return int.from_bytes(drawn.digest(), "big") / 2**64 < (rule.chance or 0.0)

    def _note(self, rule: Rule, point: str) -> bool:
        """Write the firing down; False for one that is to happen once and has happened."""
        if self._log is None:
            return True
        with _locked(self._log) as descriptor:
            if rule.nth is not None and f"{point} {rule.action} " in self._log.read_text():
                return False
            os.write(descriptor, f"{point} {rule.action} {os.getpid()}\n".encode())
        return True


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _act(rule: Rule, point: str, connection: Any) -> None:
    """Do it. Only a stall and a stop, which ends by SIGCONT, let the caller go on as if nothing had been."""
    match rule.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "exit":
            os._exit(EXIT_STATUS)
        case "stall":
            time.sleep(rule.seconds)
        case "cut":
            _cut(point, connection)
        case _:
            number = _ERRORS[rule.action]
            raise OSError(number, os.strerror(number), f"failpoint {point}")


def _cut(point: str, connection: Any) -> None:
    """Break the connection: the server rolls back what was not committed, and whoever uses it next meets the end."""
    import psycopg

    if connection is not None:
        connection.pgconn.finish()
    raise psycopg.OperationalError(f"the connection was cut at the failpoint {point}")


class _Armed:
    """What the points do in a process under test. `plan` can be exchanged there."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def failpoint(self, point: str, connection: Any = None) -> None:
        self.plan.hit(point, connection)

    def commit_point(self, step: str, connection: Any) -> None:
        self.plan.hit(f"{step}.statement", connection)
        connection.steps = (*(other for other in connection.steps if other != step), step)

    def before_commit(self, step: str, connection: Any) -> None:
        """Just before COMMIT is sent; or just after it was sent, when its answer is to be lost."""
        self.plan.hit(f"{step}.before_commit", connection)
        point = f"{step}.commit_sent"
        rule = self.plan.choose(point)
        if rule is not None:
            connection.pgconn.send_query(b"COMMIT")
            while connection.pgconn.flush():
                time.sleep(0.001)
            _act(rule, point, connection)
            _cut(point, connection)


def _nothing(point: str, connection: Any = None) -> None:
    """A failpoint in a process that is not under test."""


armed = _Armed(Plan(os.environ[VARIABLE])) if VARIABLE in os.environ else None
"""None in every process that is not under test."""

failpoint = armed.failpoint if armed else _nothing
"""`failpoint("NAME")` marks a boundary at which a process under test may be made to fail."""

commit_point = armed.commit_point if armed else _nothing
"""`commit_point("STEP", connection)` names the transaction that the caller's statement belongs to.

It marks `STEP.statement`, and `STEP.before_commit`, `STEP.commit_sent` (the answer is lost) and `STEP.after_commit`
around the commit of the connection.
"""
