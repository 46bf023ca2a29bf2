"""Python imports this at its start when the folder is on PYTHONPATH: a stage's process then waits for SIGCONT."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if "varloom.pipeline.child" in sys.orig_argv:
    if sys.platform == "linux":  # a worker that is killed meanwhile would leave it stopped for ever
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGSTOP)
