"""Alignments that are kept as CRAM need their genome as long as they are there: which do, told by the storage itself.

The process stage leaves a folder for each job that analysed reads, `processed/JOB/ATTEMPT/`, with the alignment and
`processed.json`, which names the genome. It goes when the sample cannot be brought back any more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from varloom.annotation.model import ReleaseKey
    from varloom.storage import Storage

FOLDER, DESCRIPTION = "processed", "processed.json"


def jobs_with_cram_of(storage: Storage, genome: ReleaseKey) -> list[str]:
    """The jobs whose alignment is a CRAM that was written with this release.

    Raises:
        VarloomError: those of `Storage`.
    """
    crams = [key for key in storage.list_prefix(FOLDER) if key.endswith(".cram")]
    return sorted({key.split("/")[1] for key in crams if _is_of(storage, key.rpartition("/")[0], genome)})


def _is_of(storage: Storage, folder: str, genome: ReleaseKey) -> bool:
    """Whether a folder is of the release; one that does not tell is, to be safe."""
    try:
        told = json.loads(storage.read_bytes(f"{folder}/{DESCRIPTION}"))
        return (told["reference"], told["assembly"]) == (f"{genome.name} {genome.release}", genome.assembly)
    except FileNotFoundError:
        return False  # it is being written by a job, which has pinned what it works with
    except (ValueError, KeyError, TypeError):
        return True
