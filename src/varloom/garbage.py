"""How seldom Python looks for garbage that lies in cycles: hardly any here does, least of all what imports make."""

from __future__ import annotations

import atexit
import gc


def collect_seldom() -> None:
    """Look after every 100,000 new objects rather than 700: imports alone make 40,000."""
    gc.set_threshold(100_000, 20, 20)


def collect_nothing_at_exit() -> None:
    """Let the process end without looking through everything once more, which takes a tenth of a short run.

    Not where DuckDB is imported: at the end it lists on standard error what was not collected.
    """
    atexit.register(gc.freeze)
