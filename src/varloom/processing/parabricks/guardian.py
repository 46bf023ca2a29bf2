"""Runs a command that ends with whoever started it: `python -m varloom.processing.parabricks.guardian COMMAND...`.

Parabricks starts programs of its own, which would go on, on the GPU, after the death of a worker that was killed. The
system tells this process of it (Linux), and it ends its process group, which it has for itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_SIGNALLED = 128
"""The exit status of a command that a signal ended is this and the signal's number, as shells have it."""


def main() -> None:
    """Run the command of the arguments; the exit status is its own."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(os.getpgid(0), signal.SIGKILL))
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended meanwhile
            sys.exit(1)
        os.setpgid(0, 0)  # the group of whoever started us has programs that are not ours: those of a shell's script
    try:
        status = subprocess.call(sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[1]} cannot be started: {error.strerror}.")
    sys.exit(status if status >= 0 else _SIGNALLED - status)


if __name__ == "__main__":
    main()
