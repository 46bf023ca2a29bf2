"""Whether the disks have space for more work: below a limit they have not, until they are well above it again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from varloom.storage.incoming import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from varloom.settings import DiskLimit

ENOUGH_AGAIN = 1.25
"""How many times the limit must be free before a disk that was low has space again: else it would go to and fro."""


class DiskSpace(NamedTuple):
    """The space of the disk that a folder is on, in bytes."""

    folder: Path
    disk: int  # the number that the system gives it
    total: int
    free: int


@dataclass(slots=True)
class DiskWatch:
    """Looks at the disks of some folders; it remembers which were low.

    Attributes:
        folders: what each is for (`data`, `storage`, `scratch`), and where it is; several may be on one disk.
        limit: how much must be free.
    """

    folders: Mapping[str, Path]
    limit: DiskLimit
    _low: set[str] = field(default_factory=set)

    def spaces(self) -> dict[str, DiskSpace]:
        """The space of each folder's disk; of a folder that is not there, of the nearest one above it that is."""
        return {name: _space_of(folder) for name, folder in self.folders.items()}

    def look(self) -> str | None:
        """Which disk is low, in a sentence, or None. It blocks."""
        told: dict[int, str] = {}  # by disk: folders of one disk are told once
        for name, space in self.spaces().items():
            needed = self.limit.bytes_of(space.total)
            wanted = min(int(needed * ENOUGH_AGAIN), space.total) if name in self._low else needed
            if space.free >= wanted:
                self._low.discard(name)
                continue
            self._low.add(name)
            told.setdefault(
                space.disk,
                f"the disk of {space.folder} has {size_text(space.free)} of {size_text(space.total)} free; "
                f"{size_text(wanted)} must be",
            )
        return "; ".join(told.values()) or None


def _space_of(folder: Path) -> DiskSpace:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    disk = os.statvfs(there)
    return DiskSpace(folder, there.stat().st_dev, disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)
