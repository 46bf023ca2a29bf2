"""A server of bench_capacity.py, with what its parts have spent."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Self
from unittest import mock

import httpx
import psutil
import psycopg

from varloom.db import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = re.compile(r"^Varloom is ready at (\S+)$")
FINAL = {"completed", "failed", "cancelled"}
PATIENCE = 600.0
QUIET = subprocess.DEVNULL
CONNECTIONS_OF_A_WORKER = 12


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What has been spent up to a moment.

    Attributes:
        cpu: seconds of the processor, user and system, of web, worker (with its stages) and postgres.
        transactions: committed.
        wal_bytes: of the database's log.
        database_bytes: of its tables and indexes.
    """

    cpu: dict[str, float]
    transactions: int
    wal_bytes: int
    database_bytes: int


class CapacityServer:
    """A server without workers of its own, one worker, and a connection to its database.

    The embedded PostgreSQL is started before the server, which joins it, so that it can have more connections than it
    has otherwise.
    """

    def __init__(self, data: Path, *, most_workers: int) -> None:
        self._data = data
        self._workers: list[subprocess.Popen[bytes]] = []
        self._connections = {"max_connections": str(60 + CONNECTIONS_OF_A_WORKER * most_workers)}

    def __enter__(self) -> Self:
        with mock.patch.dict(embedded._SERVER_SETTINGS, self._connections):  # noqa: SLF001 - there is no other way
            self._embedded = embedded.EmbeddedPostgres(self._data).__enter__()
        command = [sys.executable, "-m", "varloom", "serve", "--data", str(self._data), "--port", "0", "--no-worker"]
        self._server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=QUIET, text=True, env=self._environment()
        )
        match = next((match for line in self._server.stdout or () if (match := READY.match(line.strip()))), None)
        if match is None:
            raise SystemExit("the server did not start")
        told = json.loads((self._data / "server.json").read_text(encoding="utf-8"))
        headers = {"Authorization": f"Bearer {told['token']}"}
        self._client = httpx.Client(base_url=f"{match[1]}/api/v1/", headers=headers, timeout=PATIENCE)
        self._database = psycopg.connect(self._embedded.conninfo, autocommit=True)
        self._start_workers(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._database.close()
        for process in (*self._workers, self._server):
            process.send_signal(signal.SIGTERM)
        for process in (*self._workers, self._server):
            process.wait(60)
        self._embedded.__exit__(None, None, None)

    @staticmethod
    def _environment() -> dict[str, str]:
        return os.environ | {"VARLOOM_REQUESTS_PER_MINUTE": "1000000"}

    def _start_workers(self, count: int) -> None:
        command = [sys.executable, "-m", "varloom", "worker", "--data", str(self._data)]
        expected = len(self._workers) + count
        self._workers += [
            subprocess.Popen(command, stdout=QUIET, stderr=QUIET, env=self._environment()) for _ in range(count)
        ]
        deadline = time.monotonic() + PATIENCE
        while len(self.get("queue")["workers"]) < expected:
            if time.monotonic() > deadline:
                raise SystemExit("the workers did not start")
            time.sleep(0.2)

    @contextlib.contextmanager
    def more_workers(self, count: int) -> Iterator[None]:
        """So many workers more for the length of the block, which begins when they have come to rest."""
        self._start_workers(count)
        time.sleep(10)
        try:
            yield
        finally:
            others, self._workers = self._workers[1:], self._workers[:1]
            for process in others:
                process.send_signal(signal.SIGTERM)
            for process in others:
                process.wait(60)

    def get(self, route: str) -> Any:
        """What the API answers."""
        return self._client.get(route).raise_for_status().json()

    def submit(self, name: str, content: bytes | IO[bytes]) -> dict[str, Any]:
        """Upload a file: the job."""
        return dict(self._client.post("jobs", files={"file": (name, content)}).raise_for_status().json())

    def at_rest(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job when it has ended; it is asked for seldom, for asking costs the server too."""
        deadline = time.monotonic() + PATIENCE
        while (job := self.get(f"jobs/{job['id']}"))["state"] not in FINAL:
            if time.monotonic() > deadline:
                raise SystemExit(f"the job makes no progress: {job}")
            time.sleep(0.25)
        return job

    def snapshot(self) -> Snapshot:
        """What has been spent up to now."""
        cpu = {
            "web": _spent([psutil.Process(self._server.pid)]),
            "worker": sum(_spent([root, *root.children(recursive=True)]) for root in map(psutil.Process, self._pids())),
            "postgres": _spent(self._postgres()),
        }
        row = self._database.execute(
            "SELECT pg_stat_get_db_xact_commit(oid), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'),"
            " pg_database_size(oid) FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None  # noqa: S101 - one row for the database that answers
        return Snapshot(cpu, int(row[0]), int(row[1]), int(row[2]))

    def _pids(self) -> list[int]:
        return [process.pid for process in self._workers]

    def _postgres(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self._database.info.backend_pid).parent()
        return [postmaster, *postmaster.children(recursive=True)] if postmaster else []

    def connections(self) -> int:
        """How many connections of clients the database has, this one not counted."""
        return self._count("backend_type = 'client backend' AND pid <> pg_backend_pid()")

    def connections_of_the_server(self) -> int:
        """How many of them are the web server's."""
        return self._count("application_name LIKE 'varloom serve%'")

    def _count(self, condition: str) -> int:
        row = self._database.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {condition}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def worker_memory(self) -> int:
        """Bytes (PSS) of all workers and what they keep ready."""
        roots = [psutil.Process(pid) for pid in self._pids()]
        return sum(one.memory_full_info().pss for root in roots for one in (root, *root.children(recursive=True)))


def _spent(processes: list[psutil.Process]) -> float:
    """Seconds of these processes, and of those that they have waited for."""
    found = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found += sum(process.cpu_times()[:4])  # user, system, and both of children that were waited for
    return found
