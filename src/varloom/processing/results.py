"""Files that stand in two places: among the checkpoints, and where they are left or read."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


_INDEXES = {"bam": ".bai", "cram": ".crai"}
"""By the end of an alignment's name: what follows in that of its index."""


def link(source: Path, target: Path) -> None:
    """Give a file another name; a copy on another disk."""
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)  # of a symbolic link itself the system would make another one
    except OSError:
        shutil.copyfile(source, target)


def publish(kept: Path, name: str, output: Path) -> Path:
    """Leave an alignment or a VCF, and its index, in the output; they stay among what is kept, too."""
    index = _INDEXES.get(name.rpartition(".")[2], ".tbi")
    for one in (f"{name}{index}", name):
        link(kept / one, output / one)
    return output / name
