"""Pins: which releases jobs work with, told in the storage beside the library, where all see them.

A stage that analyses reads, calls PGx or annotates pins the releases of its job before it reads the first of them. The
next attempt works with the same ones, so that what is finished still fits, and they are not removed meanwhile. The pin
goes when the stage is done; those of jobs that ended otherwise are swept.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.model import ReleaseKey

if TYPE_CHECKING:
    from varloom.storage import Storage

PREFIX = "pins"
ANNOTATE, PROCESS = "releases", "process"
"""What the pins of the two stages are called."""


class Pin(NamedTuple):
    """What one job chose.

    Attributes:
        kind: of the variants; `process` for the genome of reads and for PGx definitions.
        assembly: of their coordinates; empty where it is not known yet.
        releases: that it works with.
    """

    kind: str
    assembly: str
    releases: tuple[ReleaseKey, ...]


class Pins:
    """The pins in a storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def of_job(self, job: str, name: str = ANNOTATE) -> Pin | None:
        """What a stage of a job has pinned."""
        return self._read(_key(job, name))

    def put(self, job: str, pin: Pin, name: str = ANNOTATE) -> None:
        """Pin releases for a stage of a job, instead of what it had pinned before."""
        if self.of_job(job, name) == pin:
            return
        self.remove(job, name)
        with contextlib.suppress(FileExistsError):  # an attempt that was given up for dead is at it as well
            self._storage.write_bytes(_key(job, name), json.dumps(pin).encode())

    def remove(self, job: str, name: str = ANNOTATE) -> None:
        """Let go of what a stage of a job has pinned, if anything."""
        self._storage.delete_tree(_key(job, name))

    def jobs_with(self, release: ReleaseKey) -> list[str]:
        """The jobs that have pinned a release."""
        pins = ((key, self._read(key)) for key in self._storage.list_prefix(PREFIX))
        return sorted({key.split("/")[1] for key, pin in pins if pin is not None and release in pin.releases})

    def _read(self, key: str) -> Pin | None:
        """A pin; None where there is none, or where it says nothing that can be understood."""
        try:
            kind, assembly, releases = json.loads(self._storage.read_bytes(key))
            return Pin(kind, assembly, tuple(ReleaseKey(*one) for one in releases))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None


def _key(job: str, name: str) -> str:
    return f"{PREFIX}/{job}/{name}.json"
