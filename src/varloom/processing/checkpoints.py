"""The steps that are finished already, kept in a folder that outlives attempts and workers.

```
FOLDER/
  lock              held by the one process that works here
  plan.json         of which inputs, options and versions the steps are
  NAME.json         what a finished step has told; it makes the step finished
  ...               the files of the steps
```
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any, Self

from varloom.dataset.durable import disk_full_told, sync_file, write_atomically
from varloom.failpoints import failpoint
from varloom.storage.held_folder import LOCK, hold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Facts = dict[str, Any]


class Checkpoints:
    """The finished steps of one analysis; what another one left is removed. Close it in the end."""

    def __init__(self, folder: Path, identity: str) -> None:
        """Take the folder.

        Args:
            folder: made when missing.
            identity: of everything that the results depend on.

        Raises:
            BlockingIOError: another process works there.
            VarloomError: `disk_full`.
        """
        self.folder = folder
        with disk_full_told("the analysis"):
            self._lock = hold(folder)
            try:
                if self._read("plan") != {"identity": identity}:
                    self._clear()
                    self._write("plan", {"identity": identity})
            except BaseException:
                os.close(self._lock)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it; what is finished stays."""
        os.close(self._lock)

    def step(self, name: str, do: Callable[[], Facts]) -> Facts:
        """What a step has told, now or in an earlier attempt.

        Args:
            name: of the step, a plain word.
            do: does the step; what it tells has to be plain JSON.

        Raises:
            VarloomError: those of the step; `disk_full`.
        """
        told = self._read(name)
        if told is None:
            failpoint(f"processing.{name}.begun")
            with disk_full_told("the analysis"):
                told = do()
                failpoint(f"processing.{name}.before_mark")
                self._write(name, told)
            failpoint(f"processing.{name}.finished")
        return told

    def hold_to(self, name: str, facts: Facts, steps: Sequence[str], files: str | None = None) -> None:
        """See that steps which hang on these facts, and no others do, are done anew where they were others before.

        Args:
            name: under which the facts are kept.
            facts: plain JSON.
            steps: their names.
            files: a pattern of what they have kept while they were not finished.

        Raises:
            VarloomError: `disk_full`.
        """
        if self._read(name) == facts:
            return
        for step in steps:
            (self.folder / f"{step}.json").unlink(missing_ok=True)
        for path in self.folder.glob(files) if files is not None else ():
            path.unlink(missing_ok=True)
        with disk_full_told("the analysis"):
            self._write(name, facts)

    def keep(self, made: Path, name: str) -> Path:
        """Move a whole file or folder from the attempt's own space to its place among the checkpoints."""
        kept = self.folder / name
        if made.is_file():
            sync_file(made)
        made.replace(kept)
        return kept

    def _read(self, name: str) -> Facts | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else None
        return None

    def _write(self, name: str, told: Facts) -> None:
        write_atomically(self.folder / f"{name}.json", json.dumps(told).encode())

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name == LOCK:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
