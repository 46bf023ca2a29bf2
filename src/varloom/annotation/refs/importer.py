"""The interface of every importer: a published file becomes the files of a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey

OnProgress = Callable[[int, int | None], None]
"""Told the bytes of the published file that were read and, where it is known, of how many. It raises to cancel."""


class ImportTask(NamedTuple):
    """What an importer works on.

    Attributes:
        key: what the release will be called; the coordinates are of `key.assembly`.
        sources: the published files, at least one, in the order of their names. Their names tell the compression.
        folder: an empty folder for the importer's files; it is removed if the importer raises.
        scratch: another empty folder, for what is not kept; removed afterwards.
        genome: the folder of the newest `fasta` release of the assembly (`genome.fa.gz`), None if none is installed.
        excerpt: whether chromosomes may have other lengths than in the assembly, as in data for tests.
        on_progress: to be called at least every few seconds of work.
    """

    key: ReleaseKey
    sources: tuple[Path, ...]
    folder: Path
    scratch: Path
    genome: Path | None
    on_progress: OnProgress
    excerpt: bool = False


class Imported(NamedTuple):
    """What an importer has done; all of it goes into `release.json`.

    Attributes:
        counts: how many of what, such as `records` read, `rows` kept, `duplicates` merged.
        contigs: the bare names of the contigs (see `varloom.genomics.contigs`), each with its rows (or bases).
        unused: what could not be used, counted by the reason, in words; empty if all was.
        notes: further sentences for people, such as that indels were not left-aligned.
    """

    counts: Mapping[str, int]
    contigs: Mapping[str, int]
    unused: Mapping[str, int] = {}
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """Turns a published file into a release; a function is enough.

    It reads its sources as a stream, in bounded memory; stores contigs by their bare names; and loses nothing
    silently: what it cannot use is counted in `unused`.

    Raises:
        VarloomError: `reference_malformed` with the line, `reference_wrong_assembly`, or of the disk.
    """

    def __call__(self, task: ImportTask) -> Imported:
        """Fill `task.folder`."""
        ...
