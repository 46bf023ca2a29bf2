"""Where a worker keeps genomes unpacked, with the indexes of engines; see `varloom.processing.references`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.annotation.refs.library import ReferenceLibrary
from varloom.processing import references

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.storage import Storage

_FOLDER = "reference-indexes"


def genomes_folder(storage: Storage, sources: Path | None) -> Path:
    """The folder on this machine: in the storage if that is here, else beside the worker's copies of sources."""
    kept = storage.local_path(_FOLDER)
    if kept is not None:
        return kept
    if sources is None:
        raise AssertionError("a storage on another machine needs scratch space")
    return sources.with_name(_FOLDER)


def sweep_genomes(storage: Storage, sources: Path | None) -> int:
    """Remove from this machine what belongs to releases that are not installed any more; how many those were.

    Each worker does so for its machine; of two on one machine, one waits for nobody and leaves what the other has.

    Raises:
        VarloomError: those of `Storage`.
    """
    return references.sweep(ReferenceLibrary(storage), genomes_folder(storage, sources))
