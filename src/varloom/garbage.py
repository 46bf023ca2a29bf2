"""How seldom Python looks for garbage, and that a short process leaves it to the system when it ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import NoReturn

_free_nothing = False
_status: object = None


def collect_seldom() -> None:
    """Look after every 100,000 new objects rather than 700: imports alone make 40,000."""
    gc.set_threshold(100_000, 20, 20)


def free_nothing_at_exit() -> None:
    """Let a process that `leave` ends not free what it holds, piece by piece: a fortieth of a short run.

    Threads are waited for, and what was registered to run at exit runs.
    """
    global _free_nothing  # noqa: PLW0603 - a process ends once
    _free_nothing = True


def leave(end: SystemExit) -> NoReturn:
    """End the process; to be called where nothing follows any more."""
    global _status  # noqa: PLW0603 - a process ends once
    _status = end.code
    raise end


@atexit.register  # when this is imported, which is before all else: so it runs after all else
def _end_now() -> None:
    if not _free_nothing or not isinstance(_status, int):
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # Python itself shall tell of it
        return
    os._exit(_status)
