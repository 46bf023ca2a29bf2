"""Running programs beside this process: watched, told to whoever wants progress, and ended with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, NamedTuple

from varloom.dataset.durable import is_disk_full
from varloom.dataset.problems import DISK_FULL
from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.problems import PROGRAM_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_LOOK_SECONDS = 0.1
_LIFE_SECONDS = 1.0
"""How often it is looked whether a program works: it has used the processor or the disk since."""
_MESSAGE_BYTES = 4000


class Stage(NamedTuple):
    """One program of a pipe: `samtools` or `bcftools`, and its arguments."""

    tool: str
    arguments: tuple[str, ...]

    @classmethod
    def samtools(cls, *arguments: object) -> Stage:
        """A command of samtools."""
        return cls("samtools", tuple(map(str, arguments)))

    @classmethod
    def bcftools(cls, *arguments: object) -> Stage:
        """A command of bcftools."""
        return cls("bcftools", tuple(map(str, arguments)))


class Pipe(NamedTuple):
    """Programs of which each reads what the one before it writes.

    Attributes:
        stages: in order.
        output: the file that the standard output of the last one goes to.
    """

    stages: tuple[Stage, ...]
    output: Path | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return " | ".join(f"{stage.tool} {stage.arguments[0]}" for stage in self.stages)


def pipe(stages: Sequence[Stage], on_life: Callable[[], None]) -> None:
    """Run one pipe; see `pipes`."""
    pipes([Pipe(tuple(stages))], on_life)


def pipes(wanted: Sequence[Pipe], on_life: Callable[[], None], *, together: bool = False) -> None:
    """Run pipes of samtools and bcftools, one after another or at once, beside this process.

    Args:
        wanted: at least one.
        on_life: called about every second in which they work; what it raises ends them and goes on to the caller.
        together: whether they run at once.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    told = {
        "together": together,
        "pipes": [
            {
                "stages": [[stage.tool, *stage.arguments] for stage in one.stages],
                "output": str(one.output) if one.output is not None else None,
            }
            for one in wanted
        ],
    }
    command = [sys.executable, "-m", "varloom.processing.tool_process", json.dumps(told)]
    run(command, "; ".join(one.name for one in wanted), on_life)


def run(command: Sequence[str], name: str, on_life: Callable[[], None]) -> None:
    """Run one program to its end; see `pipes`."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        try:
            watch(process, on_life)
        except BaseException:
            end(process)
            raise
        if process.returncode:
            raise failed(name, process.returncode, last_words(said))


def watch(process: subprocess.Popen[bytes], on_life: Callable[[], None]) -> None:
    """Wait for a process; while it works `on_life` is called. One that hangs is not spoken for."""
    used, looked = -1.0, time.monotonic()
    while True:
        try:
            process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() - looked >= _LIFE_SECONDS:
                looked = time.monotonic()
                now = work_done(process.pid)
                if now != used:
                    used = now
                    on_life()
        else:
            return


def work_done(pid: int) -> float:
    """What a process and those it started have used of processor and disk: a number that grows while they work."""
    import psutil

    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                times = one.cpu_times()
                total += times.user + times.system
                if hasattr(one, "io_counters"):
                    counters = one.io_counters()
                    total += counters.read_bytes + counters.write_bytes
    return total


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and what it has started."""
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def last_words(said: IO[bytes]) -> str:
    """The end of what a program wrote to its standard error."""
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - _MESSAGE_BYTES))
    return said.read().decode("utf-8", "replace")


def failed(name: str, status: int, said: str) -> VarloomError:
    """How a program failed, for people: its own last line."""
    if is_disk_full(OSError(said)):
        return VarloomError(DISK_FULL, f"There is no space left on the disk for {name}.")
    lines = [line.strip() for line in said.replace("\\n", "\n").splitlines() if line.strip(" '\"")]
    if status < 0 or status > 128:
        signal = -status if status < 0 else status - 128
        return VarloomError(PROGRAM_FAILED, f"{name} was ended by signal {signal}.")
    reason = safe_excerpt(lines[-1], 300) if lines else f"status {status}"
    return VarloomError(PROGRAM_FAILED, f"{name} failed: {reason}")
