"""Runs the queues of engine_peers.py and engine_varloom.py on one PostgreSQL, each in a database of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from peer_environment import plain_environment
from psycopg import sql
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
VARLOOM = "varloom"
PEERS = ("procrastinate", "pgqueuer", "dbos")
LIMIT_SECONDS = 60.0
POLL_SECONDS = 0.05
SETTLE_SECONDS = 3.0
WARM_UP = 16
"""Jobs before those that count, so that all connections and child processes are there."""


class EngineFailedError(Exception):
    """A process of a queue ended with an error, or took too long."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One run through a full queue.

    Attributes:
        per_second: tasks (stages) begun a second, from the first to the last.
        cpu_ms: processor time for each, of the worker with its children and of its database backends.
    """

    per_second: float
    cpu_ms: float


@dataclass
class Engine:
    """One of the queues.

    Attributes:
        name: which.
        python: the interpreter that has it.
        conninfo: its own database.
        folder: for the files to which its tasks write that they began.
        settle: seconds that a worker has from its start until it counts as idle.
    """

    name: str
    python: str
    conninfo: str
    folder: Path
    settle: float = SETTLE_SECONDS
    _runs: int = field(default=0, init=False)

    def run(self, role: str, *arguments: object) -> str:
        """Play a role to its end; what it printed."""
        done = subprocess.run(
            self._command(role, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=plain_environment(),
            timeout=LIMIT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise EngineFailedError(f"{self.name} {role}: {done.stderr[-800:].strip()}")
        return done.stdout

    @contextlib.contextmanager
    def worker(self, slots: int) -> Iterator[RunningWorker]:
        """A worker for as long as the block lasts."""
        self._runs += 1
        beginnings = self.folder / f"{self.name}-{self._runs}.txt"
        beginnings.touch()
        with (self.folder / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(
                self._command("work", slots, beginnings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=plain_environment(),
                start_new_session=True,
            )
            try:
                yield RunningWorker(self, process, beginnings)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _command(self, role: str, *arguments: object) -> list[str]:
        script = HERE / ("engine_varloom.py" if self.name == VARLOOM else "engine_peers.py")
        return [self.python, str(script), self.name, role, self.conninfo, *map(str, arguments)]


@dataclass
class RunningWorker:
    """A worker process, and what its tasks wrote down."""

    engine: Engine
    process: subprocess.Popen[bytes]
    beginnings: Path

    def begun(self) -> list[tuple[str, float]]:
        """Number and time of each task that has begun."""
        lines = self.beginnings.read_text(encoding="ascii").splitlines()
        return [(number, float(at)) for number, _, at in (line.partition(" ") for line in lines)]

    def await_beginnings(self, count: int) -> list[tuple[str, float]]:
        """Wait until so many tasks have begun."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while len(begun := self.begun()) < count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.engine.folder / f"{self.engine.name}.log").read_text(errors="replace")
                raise EngineFailedError(f"{self.engine.name}: {len(begun)} of {count} tasks began.\n{log[-800:]}")
            time.sleep(POLL_SECONDS)
        return begun

    def cpu_seconds(self) -> float:
        """Processor time so far: the worker, its children, and all backends of its database."""
        root = psutil.Process(self.process.pid)
        with psycopg.connect(self.engine.conninfo) as conn:
            found = conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            backends = [pid for (pid,) in found]
        total = 0.0
        for pid in [root.pid, *(child.pid for child in root.children(recursive=True)), *backends]:
            with contextlib.suppress(psutil.Error):
                times = psutil.Process(pid).cpu_times()
                total += times.user + times.system
        return total


def engines(
    server: str, folder: Path, python: str, names: tuple[str, ...], settle: float = SETTLE_SECONDS
) -> list[Engine]:
    """The queues, each with a fresh database on the server and its tables made."""
    made = []
    for name in names:
        database = f"bench_{name}"
        with psycopg.connect(make_conninfo(server, dbname="postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        interpreter = sys.executable if name == VARLOOM else python
        engine = Engine(name, interpreter, make_conninfo(server, dbname=database), folder, settle)
        engine.run("prepare")
        made.append(engine)
    return made


def measure_rate(engine: Engine, slots: int, count: int, stages: int = 1) -> Rate:
    """Fill the queue of a worker that has warmed up with `count` jobs, in one transaction: how fast it begins tasks."""
    with engine.worker(slots // stages) as worker:
        engine.run("fill", WARM_UP, stages)
        worker.await_beginnings(WARM_UP * stages)
        time.sleep(engine.settle)
        cpu = worker.cpu_seconds()
        engine.run("fill", count, stages)
        begun = worker.await_beginnings((WARM_UP + count) * stages)[WARM_UP * stages :]
        time.sleep(0.5)
        cpu = worker.cpu_seconds() - cpu
    first, last = min(at for _, at in begun), max(at for _, at in begun)
    return Rate((len(begun) - 1) / (last - first), cpu / len(begun) * 1000)


def measure_delays(engine: Engine, slots: int, count: int, pause: float) -> list[float]:
    """Milliseconds from each acceptance to the beginning of its task, on an idle worker."""
    with engine.worker(slots) as worker:
        time.sleep(engine.settle)
        accepted: dict[str, float] = json.loads(engine.run("trickle", count, pause))
        begun = dict(worker.await_beginnings(count))
    return [(begun[number] - at) * 1000 for number, at in accepted.items()]


def measure_idleness(all_engines: list[Engine], slots: int, seconds: float) -> dict[str, float]:
    """The share of a core that each idle worker takes, all looked at in the same time."""
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(engine.worker(slots)) for engine in all_engines]
        time.sleep(3 * max(engine.settle for engine in all_engines))
        before = [worker.cpu_seconds() for worker in workers]
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        after = [worker.cpu_seconds() for worker in workers]
    return {
        engine.name: (late - early) / passed for engine, early, late in zip(all_engines, before, after, strict=True)
    }


def usable_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
