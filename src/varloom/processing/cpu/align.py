"""Step: reads become batches of alignments (see `aligner`), which stay for the next attempt."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from varloom.dataset.durable import is_disk_full
from varloom.dataset.problems import DISK_FULL
from varloom.errors import Place as Spot
from varloom.errors import VarloomError, kind_of
from varloom.processing import programs
from varloom.processing.problems import PROGRAM_FAILED

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from varloom.processing.cpu.aligner import Task
    from varloom.processing.model import Report

_FULL_BYTES = 1 << 20
"""A disk with less of it free has no room for a batch."""
_LIFE_SECONDS = 1.0


def align(task: Task, total: int, report: Report) -> dict[str, Any]:
    """Align all lanes of a task.

    Args:
        task: its folders exist.
        total: how many reads there are, for progress.
        report: told how many are aligned.

    Returns:
        How many reads there were (`reads`), and how many batches.

    Raises:
        VarloomError: those of the reads; `program_failed`, `disk_full`.
    """
    command = [sys.executable, "-m", "varloom.processing.cpu.aligner", task.to_json()]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        try:
            reads, batches, error = _follow(process, total, report)
            process.wait()
        finally:
            programs.end(process)
            if process.stdout is not None:
                process.stdout.close()
        if error is not None:
            raise _disk_full() if error.kind is PROGRAM_FAILED and _is_full(task) else error
        if process.returncode:
            raise programs.failed("bwa mem", process.returncode, programs.last_words(said))
    if reads != total:
        raise VarloomError(PROGRAM_FAILED, f"{reads:,} of {total:,} reads were aligned: the files have changed.")
    return {"reads": reads, "batches": batches}


def _follow(process: subprocess.Popen[bytes], total: int, report: Report) -> tuple[int, int, VarloomError | None]:
    """Report what the process tells until it ends; the reads and batches it has done, and what went wrong."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    if process.stdout is None:
        raise AssertionError("it is started with a pipe")
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    reads = batches = 0
    work = -1.0
    report(0, total, "reads aligned")
    while True:
        try:
            line = lines.get(timeout=_LIFE_SECONDS)
        except queue.Empty:
            now = programs.work_done(process.pid)
            if now != work:
                work = now
                report(reads, total, "reads aligned")
            continue
        if not line:
            return reads, batches, None
        told = json.loads(line)
        if "error" in told:
            return reads, batches, _error(told["error"])
        reads, batches = reads + told["reads"], batches + 1
        report(reads, total, "reads aligned")


def _read(pipe: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(b"")


def _error(told: dict[str, Any]) -> VarloomError:
    if is_disk_full(OSError(told["message"])):
        return _disk_full()
    place = Spot(told["line"], told["column"], told["field"], told["excerpt"], told["url"])
    return VarloomError(kind_of(told["code"]), told["message"], place, tuple(told["resolution"]))


def _is_full(task: Task) -> bool:
    """Whether the disk is full: a batch that could not be written does not tell why."""
    return min(shutil.disk_usage(folder).free for folder in (task.work, task.batches)) < _FULL_BYTES


def _disk_full() -> VarloomError:
    return VarloomError(DISK_FULL, "There is no space left on the disk for the alignment.")


def batch_files(folder: Path) -> list[Path]:
    """The finished batches, in the order of the reads."""
    return sorted(folder.glob("*.bam"))
