"""Looking at a running PostgreSQL server from outside: its pid file and its processes."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL = 0.02


@dataclass(frozen=True, slots=True)
class PidFile:
    """The lines of `postmaster.pid` that matter: see src/include/utils/pidfile.h of PostgreSQL."""

    pid: int
    socket_folder: str
    status: str

    @property
    def ready(self) -> bool:
        """Whether the server says that it accepts connections."""
        return self.status == "ready"


def read_pid_file(pgdata: Path) -> PidFile | None:
    """The server's own record; None when there is none, or none that makes sense."""
    try:
        lines = (pgdata / "postmaster.pid").read_text(errors="replace").splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return None
    lines += [""] * 8
    return PidFile(pid, lines[4].strip(), lines[7].strip())


def running_server(pgdata: Path) -> psutil.Process | None:
    """The live server of this database folder, or None when the pid file is absent, stale or another process's."""
    recorded = read_pid_file(pgdata)
    if recorded is None or recorded.pid <= 0:
        return None
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(recorded.pid)
        if _belongs(process, pgdata) and _is_main(process):
            return process
    return None


def processes_of(pgdata: Path) -> Iterator[psutil.Process]:
    """Every live process of PostgreSQL that works in this database folder, orphans included."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _belongs(process, pgdata):
                yield process


def stop_server(process: psutil.Process, *, fast: float, immediate: float) -> None:
    """Stop a server: disconnect everyone and write a checkpoint; after `fast` seconds without; then kill it."""
    for number, patience in ((signal.SIGINT, fast), (signal.SIGQUIT, immediate), (signal.SIGKILL, immediate)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if gone(process, patience):
            return


def gone(process: psutil.Process, patience: float) -> bool:
    """Wait until a process has ended; a zombie that its parent has not fetched yet has."""
    deadline = time.monotonic() + patience
    while process.is_running() and not _is_zombie(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _belongs(process: psutil.Process, pgdata: Path) -> bool:
    """PostgreSQL's processes have their database folder as working directory."""
    return process.name().startswith("postgres") and not _is_zombie(process) and process.cwd() == str(pgdata)


def _is_main(process: psutil.Process) -> bool:
    """Backends rename themselves to "postgres: ..."; a process on its way out has no command line any more."""
    command = process.cmdline()
    return bool(command) and not command[0].startswith("postgres:")


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
