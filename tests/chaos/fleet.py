"""The processes of a chaos run: `varloom serve` and workers as a user starts them, started again when they die."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx
import psutil
from tests.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

IMPATIENT = {
    "VARLOOM_RETRY_DELAY": "0.3",
    "VARLOOM_HEARTBEAT_INTERVAL": "0.5",
    "VARLOOM_WORKER_TIMEOUT": "3",
    "VARLOOM_RESCUE_INTERVAL": "0.5",
    "VARLOOM_STALL_LIMIT": "4",
    "VARLOOM_STALL_LIMITS": "download=10",
    "VARLOOM_SHUTDOWN_GRACE": "2",
    "VARLOOM_DISK_RESERVE_BYTES": "0",
    "VARLOOM_UNDO_DAYS": "0",
}
"""Short times, so that a run of minutes sees what a real one sees in days."""

MARK = "VARLOOM_CHAOS_RUN"
MARK_OF_CHILDREN = "FAULTY_DISK_CONTROL"
"""Both tell whose a process is; children of workers keep the second only."""

PAUSE = 0.1


class Fleet:
    """Keeps a server and `workers` workers running until it is closed."""

    def __init__(self, home: Path, workers: int, environment: dict[str, str]) -> None:
        self.data = home / "data"
        self._logs = home
        self._environment = {**os.environ, **IMPATIENT, MARK: str(home), **environment}
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._commands = {"server": ["serve", "--data", str(self.data), "--port", str(self._port), "--no-worker"]}
        self._commands |= {f"worker {number}": self._worker() for number in range(workers)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self.starts = 0

    def _worker(self) -> list[str]:
        return ["worker", "--data", str(self.data), "--slots", "download=2,parse=2"]

    def start(self) -> None:
        self._start("server")
        self.await_ready()
        for name in self._commands:
            if name != "server":
                self._start(name)
        self._supervisor.start()

    def _start(self, name: str) -> None:
        with (self._logs / f"{name.replace(' ', '-')}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "varloom", *self._commands[name]],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.starts += 1

    def await_ready(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            if time.monotonic() > deadline:
                raise AssertionError("the server is not ready")
            time.sleep(PAUSE)

    def _supervise(self) -> None:
        while not self._closing.wait(PAUSE):
            with self._lock:
                for name, process in list(self._running.items()):
                    if process.poll() is not None and not self._closing.is_set():
                        self._start(name)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    @property
    def workers(self) -> list[str]:
        return [name for name in self._commands if name != "server"]

    def children(self) -> list[psutil.Process]:
        """The processes in which stages run."""
        found = []
        for name in self.workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += psutil.Process(self.pid(name)).children(recursive=True)
        return found

    def replace_a_worker(self) -> None:
        """Start one more, which sweeps the storage at its start as each does."""
        name = f"worker {len(self.workers)}"
        self._commands[name] = self._worker()
        with self._lock:
            self._start(name)

    def close(self, seconds: float = 40.0) -> list[str]:
        """Ask all to end, workers first; what did not end well."""
        self._closing.set()
        self._supervisor.join()
        bad = []
        for names in (self.workers, ["server"]):
            for name in names:
                self._running[name].terminate()
            for name in names:
                try:
                    status = self._running[name].wait(seconds)
                except subprocess.TimeoutExpired:
                    self._running[name].kill()
                    self._running[name].wait()
                    bad.append(f"{name} did not end within {seconds:g} s of SIGTERM")
                else:
                    if status:
                        bad.append(f"{name} ended with status {status} after SIGTERM")
        return bad

    def left_behind(self) -> list[str]:
        """Processes that bear the mark of this run and still live."""
        ours = self._environment.get(MARK_OF_CHILDREN)
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                marked = environment.get(MARK) == str(self._logs) or (
                    ours is not None and environment.get(MARK_OF_CHILDREN) == ours
                )
                if marked and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
        return found
