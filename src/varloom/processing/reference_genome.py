"""The reference genome as engines need it: not packed, with its index, kept between jobs.

The reference library keeps it packed with bgzip. Unpacked it lies in a folder of its own, in which engines keep their
indexes of it as well.

```
FOLDER/
  lock
  genome.fa, genome.fa.fai
  ...                          what engines build of it
```
"""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from varloom.dataset.durable import disk_full_told, sync_directory
from varloom.storage.held_folder import LOCK, locked

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.processing.model import Report

FASTA = "genome.fa"
STEP = "unpacking the reference genome"
_CHUNK = 4 << 20


def unpacked(packed: Path, folder: Path, report: Report) -> Path:
    """The FASTA of a release, unpacked; who comes second waits for the first.

    Args:
        packed: with bgzip.
        folder: where it is kept; made when missing.
        report: told the bases that are unpacked.

    Raises:
        VarloomError: `disk_full`.
    """
    fasta = folder / FASTA
    with disk_full_told("the reference genome"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / LOCK, fcntl.LOCK_EX):
            if not fasta.exists():
                _unpack(packed, fasta, report)
    return fasta


def _unpack(packed: Path, fasta: Path, report: Report) -> None:
    """The index is there before the file has its name."""
    import pysam

    unfinished = fasta.with_name(f"{fasta.name}.unfinished")
    done = 0
    with pysam.BGZFile(str(packed), "rb", None) as source, unfinished.open("wb") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)
            done += len(chunk)
            report(done, None, STEP)
        target.flush()
        os.fsync(target.fileno())
    pysam.faidx(str(unfinished))
    shutil.move(f"{unfinished}.fai", f"{fasta}.fai")
    unfinished.replace(fasta)
    sync_directory(fasta.parent)
