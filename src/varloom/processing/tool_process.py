"""The process in which programs of samtools and bcftools run, joined by pipes: `python -m ... TASK`.

TASK is JSON: `pipes`, a list of pipes, and `together`, whether they run at once or one after another. A pipe has
`stages`, each a list of `samtools` or `bcftools`, a command and its arguments, and `output`, the file that the
standard output of its last stage goes to, or null. Each stage runs in a process of its own, as a failure leaves the
library unfit for a second call; the library is loaded once for all of them. The exit status is that of the stage that
failed first; what that said is on the standard error. When whoever started us is killed the system ends us, too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

_SET_DEATH_SIGNAL = 1
_MESSAGE_CHARACTERS = 4000


def main() -> None:
    """Run the pipes of the first argument."""
    end_with_parent()
    forbid_fetched_references()
    task = json.loads(sys.argv[1])
    import pysam.bcftools
    import pysam.samtools  # noqa: F401 - once, for all stages

    running: set[int] = set()
    for pipe in task["pipes"]:
        running |= _start(pipe["stages"], pipe["output"])
        if not task["together"]:
            _wait(running)
    _wait(running)


def forbid_fetched_references() -> None:
    """See that htslib looks for the bases of a CRAM in the given FASTA alone, in no cache and on no network."""
    os.environ["REF_PATH"] = os.devnull
    os.environ.pop("REF_CACHE", None)


def _start(stages: list[list[str]], output: str | None) -> set[int]:
    """Start the stages of a pipe: their processes."""
    children: set[int] = set()
    source = 0
    for number, stage in enumerate(stages):
        is_last = number == len(stages) - 1
        reading, writing = (-1, 1) if is_last else os.pipe()
        child = os.fork()
        if child == 0:
            if reading >= 0:
                os.close(reading)
            if is_last and output is not None:
                writing = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            _run(stage, source, writing)
        children.add(child)
        if source:
            os.close(source)
        if not is_last:
            os.close(writing)
        source = reading
    return children


def end_with_parent() -> None:
    """Ask the system to kill this process when the one that started it has ended (Linux)."""
    if sys.platform != "linux":
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended meanwhile
        os._exit(1)


def _run(stage: list[str], source: int, target: int) -> NoReturn:
    end_with_parent()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for descriptor, place in ((source, 0), (target, 1)):
        if descriptor != place:
            os.dup2(descriptor, place)
            os.close(descriptor)
    import pysam

    tool, command, *arguments = stage
    # With None a command writes to our standard output; False would drop what it does not write by `-o`.
    try:
        getattr(getattr(pysam, tool), command)(*arguments, catch_stdout=None)
    except BaseException as error:  # noqa: BLE001 - what ends here is told by the status
        said = str(error).partition("stderr=")[2] or str(error)
        with suppress(OSError):
            os.write(2, f"{tool} {command}: {said[-_MESSAGE_CHARACTERS:]}\n".encode())
        os._exit(1)
    os._exit(0)


def _wait(running: set[int]) -> None:
    """Wait until all have ended; when one fails the others are ended, and so are we, with the status of the first."""
    failed = 0
    while running:
        child, waited = os.waitpid(-1, 0)
        running.discard(child)
        status = os.waitstatus_to_exitcode(waited)
        if status != 0 and not failed and status != -signal.SIGPIPE:
            failed = status if status > 0 else 128 - status
            for other in running:
                with suppress(ProcessLookupError):
                    os.kill(other, signal.SIGKILL)
    if failed:
        sys.exit(failed)


if __name__ == "__main__":
    main()
