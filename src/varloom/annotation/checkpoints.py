"""What has been annotated already, kept in a folder that outlives attempts and workers.

```
FOLDER/
  lock                held by the one process that writes here
  plan.json           what the chunks were made with: a fingerprint of sources, releases and version, and of the file
  chunk-00000.arrow   the columns of one chunk of rows
  chunk-00000.json    how many rows they are, and what was set aside; it makes the chunk finished
```
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING, NamedTuple, Self

import pyarrow as pa

from varloom.dataset.durable import disk_full_told, write_atomically
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from pathlib import Path

MOST_EXAMPLES = 20
"""Of the variants that a source set aside in a chunk, so many are named; all are counted."""

_COMPRESSION = pa.ipc.IpcWriteOptions(compression="lz4")


class Aside(NamedTuple):
    """A variant that a source gave no values for.

    Attributes:
        source: its name.
        rowno: the variant's row.
        reason: for people.
    """

    source: str
    rowno: int
    reason: str


class FinishedChunk(NamedTuple):
    """A chunk that need not be annotated again.

    Attributes:
        rows: how many variants.
        aside: some of those that were set aside, at most `MOST_EXAMPLES` of each source.
        aside_counts: by source, how many were.
    """

    rows: int
    aside: tuple[Aside, ...]
    aside_counts: dict[str, int]


class Checkpoints:
    """The finished chunks of one file with one choice of sources; what another choice left is removed.

    Close it in the end.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        """Take the folder.

        Args:
            folder: made when missing.
            identity: of the file and the choice; chunks of another one are of no use.

        Raises:
            BlockingIOError: another process writes there.
            VarloomError: `disk_full`.
        """
        self.folder = folder
        with disk_full_told("the annotation"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(folder / "lock")  # the sweep goes by it
                if self._identity() != identity:
                    self.clear()
                    write_atomically(folder / "plan.json", json.dumps({"identity": identity}).encode())
            except BaseException:
                os.close(self._lock)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; what is finished stays."""
        os.close(self._lock)

    def clear(self) -> None:
        """Remove all chunks."""
        for pattern in ("plan.json", "chunk-*"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def path(self, number: int) -> Path:
        """Where the columns of a chunk are."""
        return chunk_path(self.folder, number)

    def finished(self, number: int) -> FinishedChunk | None:
        """What is known of a chunk that is finished."""
        with contextlib.suppress(FileNotFoundError):
            values = json.loads(_notes_path(self.folder, number).read_text(encoding="utf-8"))
            aside = tuple(Aside(*item) for item in values["aside"])
            return FinishedChunk(values["rows"], aside, values["aside_counts"])
        return None

    def keep(self, number: int, columns: pa.RecordBatch, chunk: FinishedChunk) -> None:
        """Write a chunk; it is finished when this returns.

        Raises:
            VarloomError: `disk_full`.
        """
        path = self.path(number)
        unfinished = path.with_name(f"{path.name}.unfinished")
        with disk_full_told("the annotation"):
            with unfinished.open("wb") as file:
                with pa.ipc.new_file(file, columns.schema, options=_COMPRESSION) as writer:
                    writer.write_batch(columns)
                file.flush()
                os.fsync(file.fileno())
            failpoint("annotation.before_rename")
            unfinished.replace(path)
            failpoint("annotation.after_rename")
            write_atomically(_notes_path(self.folder, number), json.dumps(chunk._asdict()).encode())

    def _identity(self) -> str | None:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            found = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))["identity"]
            return found if isinstance(found, str) else None
        return None


def chunk_path(folder: Path, number: int) -> Path:
    """Where the columns of a chunk are in a folder of chunks."""
    return folder / f"chunk-{number:05}.arrow"


def _notes_path(folder: Path, number: int) -> Path:
    return folder / f"chunk-{number:05}.json"
