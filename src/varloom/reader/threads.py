"""How many threads read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from varloom.reader.model import ReadOptions

_MOST = 8


def reading_threads(options: ReadOptions) -> int:
    """As many as the options say, else one for each processor that this process may use, up to eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return options.threads or min(_MOST, cores)
