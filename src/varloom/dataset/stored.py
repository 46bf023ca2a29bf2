"""Datasets as they lie in a storage: opened where they are, or from a copy on this machine."""

from __future__ import annotations

import contextlib
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from varloom.dataset.durable import disk_full_told
from varloom.dataset.manifest import MANIFEST_NAME, Dataset, Manifest
from varloom.dataset.problems import DATASET_DAMAGED, DATASET_MISSING
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.storage import BytesDone, LocalCopies, Storage

KEPT_OPEN = 64
"""Manifests that are kept in memory; a dataset never changes."""


class StoredDatasets:
    """Opens the datasets of a storage. `copies` are needed only for one that is not on this machine."""

    def __init__(self, storage: Storage, copies: LocalCopies) -> None:
        self._storage = storage
        self._copies = copies
        self._open = lru_cache(KEPT_OPEN)(Dataset.open)

    @contextlib.contextmanager
    def opened(self, key: str, size: int) -> Iterator[Dataset]:
        """The dataset in a folder of the storage, whose parts have `size` bytes; usable until the block ends.

        Raises:
            VarloomError: `dataset_missing`, `dataset_damaged`, `dataset_too_new`, `disk_full`, or those of `Storage`.
        """
        here = self._storage.local_path(key)
        if here is not None:
            yield self._open(here)
            return
        with contextlib.ExitStack() as held:
            with disk_full_told("the copy of a dataset"):
                fill = partial(fetch_dataset, self._storage, key)
                copy = held.enter_context(self._copies.borrow(key, size, fill))
            yield self._open(copy)

    def here(self, key: str) -> Dataset | None:
        """The dataset in a folder of the storage, if that is on this machine. Raises as `Dataset.open`."""
        folder = self._storage.local_path(key)
        return None if folder is None else self._open(folder)

    def forget(self, key: str) -> None:
        """Remove the copy of a dataset that is not needed any more."""
        if self._storage.local_path(key) is None:
            self._copies.drop(key)


def load_manifest(storage: Storage, key: str) -> Manifest:
    """The manifest of a dataset as it lies in the storage: a folder without one was never finished.

    Raises:
        VarloomError: as `Manifest.load`, and those of `Storage`.
    """
    try:
        return Manifest.parse(storage.read_bytes(f"{key}/{MANIFEST_NAME}"), key)
    except (FileNotFoundError, NotADirectoryError):
        raise VarloomError(DATASET_MISSING, f"{key} holds no dataset: there is no {MANIFEST_NAME}.") from None


def fetch_dataset(storage: Storage, key: str, folder: Path, on_bytes: BytesDone | None = None) -> None:
    """Copy a dataset into an empty folder, each part compared with the manifest; `on_bytes` is told of each part.

    Raises:
        VarloomError: as `load_manifest`; `dataset_damaged` for a part that is missing or not as it was written.
    """
    manifest = load_manifest(storage, key)
    for part in manifest.parts:
        try:
            fetched = storage.fetch(f"{key}/{part.name}", folder / part.name, on_bytes)
        except FileNotFoundError:
            raise VarloomError(DATASET_DAMAGED, f"The part {part.name} of the dataset is missing.") from None
        if (fetched.bytes, fetched.sha256) != (part.bytes, part.sha256):
            raise VarloomError(DATASET_DAMAGED, f"The part {part.name} of the dataset is not as it was written.")
    (folder / MANIFEST_NAME).write_bytes(storage.read_bytes(f"{key}/{MANIFEST_NAME}"))
