"""Which disks the server and its workers need space on, and the refusal of uploads while one has too little."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.storage.disk_watch import DiskWatch
from varloom.storage.problems import STORAGE_FULL

if TYPE_CHECKING:
    from varloom.settings import Settings
    from varloom.storage import Storage


def watch_of_server(settings: Settings, storage: Storage) -> DiskWatch:
    """The disks of the data folder, where uploads arrive, and of a storage on this machine."""
    place = _folder_of(storage)
    folders = {"data": settings.data} | ({"storage": place} if place is not None else {})
    return DiskWatch(folders, settings.disk_low)


def watch_of_worker(settings: Settings, storage: Storage) -> DiskWatch:
    """The disk of the storage, or where that is not on this machine, of the scratch folder."""
    place = _folder_of(storage)
    scratch = settings.scratch or Path(tempfile.gettempdir())
    return DiskWatch({"scratch": scratch} if place is None else {"storage": place}, settings.disk_low)


def _folder_of(storage: Storage) -> Path | None:
    """Where a storage on this machine is."""
    place = storage.local_path("attempts")
    return None if place is None else place.parent


async def refuse_while_low(disks: DiskWatch | None) -> None:
    """See that there is space for an upload, before any of it is sent.

    Raises:
        VarloomError: `storage_full`.
    """
    low = await asyncio.to_thread(disks.look) if disks is not None else None
    if low is not None:
        raise VarloomError(STORAGE_FULL, f"The server takes no uploads until it has more disk space: {low}.")
