"""What a process does at its start that reads a file or some, and ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from varloom.reader.native.memory import keep_memory

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def begin_short_process() -> None:
    """Keep freed memory, and leave numpy out.

    Arrow takes numpy along if it can, for 36 of the 160 ms in which a load starts and for 17 MB. Nothing that reads
    files needs it, and Arrow does without since its version 18. To be called before Arrow is imported.
    """
    keep_memory()
    modules: MutableMapping[str, Any] = sys.modules
    modules.setdefault("numpy", None)  # the documented way to let an import fail
