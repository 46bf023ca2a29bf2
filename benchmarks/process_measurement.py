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
        proportional_bytes: the most that all had together where what several share, or the system keeps of files, is
            divided among them (PSS), as sampled five times a second; 0 where the system does not tell it.
        own_bytes: likewise, without files.
    """

    seconds: float
    cpu_seconds: float
    tree_bytes: int
    largest_bytes: int
    output: str
    proportional_bytes: int = 0
    own_bytes: int = 0


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
        memory = MemorySamples(process.pid)
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
            memory.proportional,
            memory.own,
        )


class MemorySamples(threading.Thread):
    """Samples the memory of a process and of all below it; see `Measurement`. `before`: samples that are gone on with.

    Attributes:
        most, largest, proportional, own: the most that was seen, in bytes.
    """

    def __init__(self, pid: int, before: MemorySamples | None = None) -> None:
        super().__init__(daemon=True)
        self.most = before.most if before else 0
        self.largest = before.largest if before else 0
        self.proportional = before.proportional if before else 0
        self.own = before.own if before else 0
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
                shares = [_proportional(process.pid) for process in family]
                self.proportional = max(self.proportional, sum(whole for whole, _ in shares))
                self.own = max(self.own, sum(own for _, own in shares))
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


def _proportional(pid: int) -> tuple[int, int]:
    """The proportional set size of a process in bytes, and that of what is no file; 0 where it is not told."""
    sizes = {"Pss": 0, "Pss_Anon": 0}
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name in sizes:
                sizes[name] = int(value.split()[0]) * 1024
    return sizes["Pss"], sizes["Pss_Anon"]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0
