"""Runs a command as a whole process tree and measures it: time, processor time and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import psutil
from peer_environment import plain_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_SECONDS = 0.02
"""How often the memory is looked at."""
LOOK_SECONDS = 0.2
"""How often new processes are looked for, which costs more."""
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run.

    Attributes:
        seconds: from the start of the process to its end.
        cpu_seconds: of all processes of the tree, in user and system.
        tree_bytes: the most memory (resident) that all processes of the tree had together, as sampled.
        largest_bytes: the most that one of them had, as sampled, or as the system counted it where that is more.
        output: what it printed.
    """

    seconds: float
    cpu_seconds: float
    tree_bytes: int
    largest_bytes: int
    output: str


class RunFailedError(Exception):
    """A command ended with an error, or took too long."""


def measure(command: Sequence[str], *, limit: float, keep_output: bool = True) -> Measurement:
    """Run a command to its end. `limit` is in seconds; `keep_output=False` sends its output nowhere.

    Raises:
        RunFailedError: it failed; the message has the end of what it said.
    """
    with TemporaryFile() as out, TemporaryFile() as err:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out if keep_output else subprocess.DEVNULL,
            stderr=err,
            env=plain_environment(),
            start_new_session=True,
        )
        memory = _Memory(process.pid)
        memory.start()
        stop = threading.Timer(limit, process.kill)
        stop.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        stop.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.stop()
        if process.returncode != 0:
            err.seek(0)
            last = err.read()[-500:].decode("utf-8", "replace").strip()
            raise RunFailedError(f"status {process.returncode} after {seconds:.1f} s: {last}")
        out.seek(0)
        largest = memory.largest
        if usage.ru_maxrss > own:  # else it may be ours: a process starts as a copy of the one that starts it
            largest = max(largest, usage.ru_maxrss * _MAXRSS_BYTES)
        return Measurement(
            seconds,
            usage.ru_utime + usage.ru_stime,
            max(memory.most, largest),
            largest,
            out.read().decode("utf-8", "replace"),
        )


class _Memory(threading.Thread):
    """Samples the memory of a process and of all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.largest = 0
        self._root = psutil.Process(pid)
        self._ended = threading.Event()

    def run(self) -> None:
        """Sample until told to stop."""
        family: list[Any] = [self._root]
        looked = 0.0
        while not self._ended.wait(SAMPLE_SECONDS):
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                with contextlib.suppress(psutil.Error):
                    family = [self._root, *_descendants(self._root)]
            sizes = []
            for process in family:
                with contextlib.suppress(psutil.Error):
                    sizes.append(process.memory_info().rss)
            self.most = max(self.most, sum(sizes))
            self.largest = max(self.largest, *sizes, 0)

    def stop(self) -> None:
        """End the sampling."""
        self._ended.set()
        self.join()


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    """All processes below one; psutil looks through all of the machine, at the cost of those that are measured."""
    if sys.platform != "linux":
        return process.children(recursive=True)
    found = []
    for listed in Path(f"/proc/{process.pid}/task").glob("*/children"):
        with contextlib.suppress(OSError, psutil.Error):
            for pid in listed.read_text().split():
                child = psutil.Process(int(pid))
                found += [child, *_descendants(child)]
    return found


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0
