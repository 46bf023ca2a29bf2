"""Doing harm by plan: one method for each kind of fault of `plan.FREQUENCY`."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, LiteralString

import psutil
import psycopg

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.faulty_disk import FaultyDisk
    from tests.chaos.fleet import Fleet
    from tests.chaos.plan import Plan, PlannedFault

    from varloom.db.embedded import EmbeddedPostgres

FROZEN_SECONDS = 5.0
"""Longer than a stage may stand still."""
EPISODE_SECONDS = 1.5
LONGEST_FREEZE = 12.0
PATIENCE = 60.0
"""Seconds in which a victim is looked for: the database may be away, and be killed again before anybody has worked."""
LONG_STAGES = """
SELECT workers.pid, jobs.id::text, jobs.attempt_token::text
FROM jobs JOIN workers ON workers.id = jobs.worker_id JOIN uploads ON uploads.id = jobs.upload_id
WHERE uploads.bytes > 2000000 AND workers.stopped_at IS NULL AND jobs.claimed_at > now() - interval '0.3 s'
ORDER BY uploads.bytes DESC
"""
DOWNLOADS = """
SELECT workers.pid, jobs.id::text, jobs.attempt_token::text
FROM jobs JOIN workers ON workers.id = jobs.worker_id
WHERE jobs.state = 'downloading' AND workers.stopped_at IS NULL
ORDER BY jobs.progress IS NULL, jobs.claimed_at DESC
"""
DISK = {
    "full_disk": {"enospc": 1.0},
    "broken_disk": {"eio": 0.1},
    "short_writes": {"short": 0.7},
    "slow_disk": {"slow": 0.5},
}


class Conductor:
    """Carries out the faults of a plan, each in a thread of its own, so that they overlap as they may."""

    def __init__(self, plan: Plan, fleet: Fleet, postgres: EmbeddedPostgres, disk: FaultyDisk, home: Path) -> None:
        self._plan = plan
        self._fleet = fleet
        self._postgres = postgres
        self._disk = disk
        self._log = (home / "faults.log").open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._frozen: set[int] = set()
        self._disk_chances: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.began = time.monotonic()

    def run(self) -> None:
        """Until the last fault has ended."""
        threads = []
        self.began = time.monotonic()
        for fault in self._plan.faults:
            time.sleep(max(0.0, self.began + fault.at - time.monotonic()))
            thread = threading.Thread(target=self._do, args=(fault,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        self._disk.set()
        self._log.close()

    def _do(self, fault: PlannedFault) -> None:
        chance = random.Random(fault.number)
        deadline = time.monotonic() + PATIENCE
        told = None
        while told is None and time.monotonic() < deadline:
            with contextlib.suppress(psutil.Error, ProcessLookupError, psycopg.Error):
                told = getattr(self, fault.kind)(chance)
            if told is None:
                time.sleep(0.05)
        with self._lock:
            if told is not None:
                self.done[fault.kind] += 1
            self._log.write(f"{time.monotonic() - self.began:8.2f} {fault.kind}: {told or 'no victim was found'}\n")
            self._log.flush()

    # --- The kinds: each says what it did, or None where there was nobody to do it to ---

    def kill_worker(self, chance: random.Random) -> str | None:
        pid = self._fleet.pid(chance.choice(self._fleet.workers))
        os.kill(pid, signal.SIGKILL)
        return f"worker {pid}"

    def kill_child(self, chance: random.Random) -> str | None:
        busy = [child for child in self._fleet.children() if child.cpu_times().user > 0]
        if not busy:
            return None
        child = chance.choice(busy)
        child.kill()
        return f"child {child.pid}"

    def freeze_worker(self, _: random.Random) -> str | None:
        """In the middle of a long stage, until another worker has begun it again: it comes back as a zombie."""
        return self._freeze(LONG_STAGES)

    def freeze_download(self, _: random.Random) -> str | None:
        """In the middle of a download, which another worker then goes on with."""
        return self._freeze(DOWNLOADS)

    def _freeze(self, query: LiteralString) -> str | None:
        with self._lock:
            if len(self._frozen) > len(self._fleet.workers) - 2:  # somebody has to take over
                return None
            stage = next((stage for stage in self._ask(query) if stage[0] not in self._frozen), None)
            if stage is None:
                return None
            self._frozen.add(stage[0])
        try:
            return self._freeze_worker_of(*stage)
        finally:
            with self._lock:
                self._frozen.discard(stage[0])

    def _freeze_worker_of(self, pid: int, job_id: str, token: str) -> str:
        process = psutil.Process(pid)
        processes = [process, *process.children(recursive=True)]
        for each in processes:
            each.suspend()
        began, now = time.monotonic(), [(token,)]
        while now in ([(token,)], [(None,)]) and time.monotonic() < began + LONGEST_FREEZE:
            time.sleep(0.03)
            with contextlib.suppress(psycopg.Error):
                now = self._ask("SELECT attempt_token::text FROM jobs WHERE id = %s AND finished_at IS NULL", job_id)
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # it was killed by another fault
                each.resume()
        if now not in ([], [(token,)], [(None,)]):
            with self._lock:
                self.done["zombie"] += 1
        return f"worker {pid} with job {job_id} for {time.monotonic() - began:.1f} s"

    def _ask(self, query: LiteralString, *values: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._postgres.conninfo, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(query, values).fetchall()

    def freeze_child(self, chance: random.Random) -> str | None:
        children = self._fleet.children()
        if not children:
            return None
        child = chance.choice(children)
        child.suspend()
        time.sleep(FROZEN_SECONDS)
        with contextlib.suppress(psutil.NoSuchProcess):  # it was killed for standing still
            child.resume()
        return f"child {child.pid} for {FROZEN_SECONDS:g} s"

    def kill_server(self, _: random.Random) -> str | None:
        pid = self._fleet.pid("server")
        os.kill(pid, signal.SIGKILL)
        return f"server {pid}"

    def kill_postmaster(self, _: random.Random) -> str | None:
        return self._signal_postmaster(signal.SIGKILL)

    def stop_postgres_at_once(self, _: random.Random) -> str | None:
        """What `pg_ctl stop -m immediate` does, which cannot be run as root."""
        return self._signal_postmaster(signal.SIGQUIT)

    def _signal_postmaster(self, number: signal.Signals) -> str | None:
        pid = self._postgres.server_pid
        if pid is None:
            return None
        os.kill(pid, number)
        return f"postmaster {pid}"

    def cut_connections(self, _: random.Random) -> str | None:
        query = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with psycopg.connect(self._postgres.conninfo, autocommit=True) as connection:
            (count,) = connection.execute(query).fetchone()
        return f"{count} connections" if count else None

    def full_disk(self, _: random.Random) -> str | None:
        return self._spoil_disk("full_disk")

    def broken_disk(self, _: random.Random) -> str | None:
        return self._spoil_disk("broken_disk")

    def short_writes(self, _: random.Random) -> str | None:
        return self._spoil_disk("short_writes")

    def slow_disk(self, _: random.Random) -> str | None:
        return self._spoil_disk("slow_disk")

    def _spoil_disk(self, kind: str) -> str:
        """For a while, and until somebody has met it."""
        (fault,) = DISK[kind]
        before, began = self._disk.fired()[fault], time.monotonic()
        self._change_disk(DISK[kind], 1)
        time.sleep(EPISODE_SECONDS)
        while self._disk.fired()[fault] == before and time.monotonic() < began + PATIENCE:
            time.sleep(0.1)
        self._change_disk(DISK[kind], -1)
        return f"for {time.monotonic() - began:.1f} s"

    def _change_disk(self, chances: dict[str, float], sign: int) -> None:
        with self._lock:
            for kind, chance in chances.items():
                self._disk_chances[kind] += round(sign * chance * 1000)
            self._disk.set(**{kind: min(1.0, chance / 1000) for kind, chance in self._disk_chances.items()})
