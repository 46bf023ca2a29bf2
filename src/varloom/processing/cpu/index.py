"""bwa's index of a reference: built once, kept in `Reference.indexes`, shared by all processes of the machine.

Whoever builds it holds a lock file; the others wait for him, and use what he has built. It appears when it is whole.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import shutil
import sys
import time
from typing import TYPE_CHECKING

from varloom.dataset.durable import disk_full_told, sync_directory, sync_file
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.processing.alignment_file import contigs_of
from varloom.processing.problems import REFERENCE_UNUSABLE
from varloom.processing.programs import run
from varloom.storage.held_folder import locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.processing.model import Reference, Report

PREFIX = "genome"
_BUILD = """
import sys
from varloom.processing.tool_process import end_with_parent
end_with_parent()
from pybwa import BwaIndex
BwaIndex.index(sys.argv[1], prefix=sys.argv[2])
"""
_WAIT_SECONDS = 1.0
_EXPECTED = {".bwt": 1.0, ".pac": 0.25, ".sa": 0.5}
"""The larger files of the index, in bytes for each base of the reference."""


def bwa_index(reference: Reference, report: Report) -> Path:
    """The prefix of the index's files, which are built when they are missing.

    Raises:
        VarloomError: `reference_unusable`, `disk_full`, `program_failed`.
    """
    folder = reference.indexes / f"bwa-{fingerprint(reference.fasta)}"
    if not folder.is_dir():
        with disk_full_told("the index of the reference"):
            reference.indexes.mkdir(mode=0o700, parents=True, exist_ok=True)
            _build_once(reference, folder, report)
    return folder / PREFIX


def is_built(reference: Reference) -> bool:
    """Whether the index is there already."""
    return (reference.indexes / f"bwa-{fingerprint(reference.fasta)}").is_dir()


def fingerprint(fasta: Path) -> str:
    """What tells a FASTA from another one of the same place: its contigs, size and time."""
    try:
        told, stat = fasta.with_name(fasta.name + ".fai").read_bytes(), fasta.stat()
    except FileNotFoundError as error:
        raise VarloomError(REFERENCE_UNUSABLE, f"{fasta.name} or its index (.fai) is missing.") from error
    return hashlib.sha256(told + f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:20]


def _build_once(reference: Reference, folder: Path, report: Report) -> None:
    lock = folder.with_name(f"{folder.name}.lock")
    while True:
        try:
            with locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if not folder.is_dir():
                    _build(reference, folder, report)
                return
        except BlockingIOError:  # somebody builds it
            report(0, None, "waiting for the reference's index")
            time.sleep(_WAIT_SECONDS)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


def _build(reference: Reference, folder: Path, report: Report) -> None:
    """Build beside the place, then move there; the caller holds the lock."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    prefix = unfinished / PREFIX
    tell = _progress(reference, prefix, report)
    tell()
    try:
        run([sys.executable, "-c", _BUILD, str(reference.fasta), str(prefix)], "bwa index", tell)
        _hold_to_list(reference, prefix)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)  # some gigabytes, of which nothing is of use again
        raise
    for path in unfinished.iterdir():
        sync_file(path)
    failpoint("processing.index.before_rename")
    unfinished.rename(folder)
    sync_directory(folder.parent)


def _hold_to_list(reference: Reference, prefix: Path) -> None:
    """Refuse a FASTA whose `.fai` lists other contigs: it is older than the FASTA, or a name is there twice."""
    lines = prefix.with_name(f"{prefix.name}.ann").read_text(encoding="utf-8", errors="surrogateescape").split("\n")[1:]
    there = [
        (named.split(" ")[1], int(placed.split(" ")[1])) for named, placed in zip(lines[::2], lines[1::2], strict=False)
    ]
    if there != list(contigs_of(reference.fasta).items()):
        message = f"{reference.fasta.name} and its index (.fai) have different contigs, or one name is there twice."
        raise VarloomError(REFERENCE_UNUSABLE, message)


def _progress(reference: Reference, prefix: Path, report: Report) -> Callable[[], None]:
    """Tells how large the index is, of how large it will be; the program itself tells nothing."""
    bases = reference.fasta.stat().st_size
    total = int(bases * sum(_EXPECTED.values()))

    def tell() -> None:
        sizes = (prefix.with_name(prefix.name + suffix) for suffix in _EXPECTED)
        done = sum(path.stat().st_size for path in sizes if path.exists())
        report(min(done, total), total, "bytes of the reference's index")

    return tell
