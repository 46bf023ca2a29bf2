"""Which files `varloom check` reads: those named, and those in folders that are named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.cli.problems import SOURCE_UNREADABLE
from varloom.cli.readable_file import STDIN
from varloom.errors import Problem
from varloom.genomics.recognition import named_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_PIPE = Problem(SOURCE_UNREADABLE, "This is a pipe or a device, which is read only when it is named itself.")


@dataclass(frozen=True, slots=True)
class Source:
    """A file to check under the name that the user knows, or why there is none to check."""

    name: str
    problem: Problem | None = None

    @property
    def bytes(self) -> int:
        """How large the file is; 0 where that is not known."""
        if self.name == STDIN or self.problem:
            return 0
        try:
            return Path(self.name).stat().st_size
        except (OSError, ValueError):
            return 0


def sources_of(names: Iterable[str], *, recursive: bool) -> list[Source]:
    """The files to check, in the order given; the files of a folder come in its place, by name.

    Of a folder, the files named as VCF, BCF, CSV or TSV are taken, packed or not; hidden ones and folders behind links
    are left out. A folder that cannot be looked into, or that holds none, is a source with a problem: nothing that
    was asked for is passed over in silence.
    """
    found: list[Source] = []
    for name in names:
        if name == STDIN or not _is_folder(name):
            found.append(Source(name))
        elif not recursive:
            step = "Add --recursive to check the files in it, or name them, as in FOLDER/*.vcf.gz."
            found.append(Source(name, Problem(SOURCE_UNREADABLE, "This is a folder.", resolution=(step,))))
        else:
            found += list(_below(name)) or [_without_files(name)]
    return found


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _below(folder: str) -> Iterator[Source]:
    denied: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=denied.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and named_format(name) is not None:
                path = os.path.join(parent, name)  # noqa: PTH118 - pathlib would drop a leading ./
                yield Source(path, _PIPE if _is_pipe(path) else None)
    for error in denied:
        message = f"The folder cannot be looked into: {error.strerror or 'unknown reason'}."
        yield Source(str(error.filename), Problem(SOURCE_UNREADABLE, message))


def _is_pipe(path: str) -> bool:
    """Whether it is a pipe or a device; nobody may ever write into it."""
    try:
        return Path(path).exists() and not Path(path).is_file()
    except (OSError, ValueError):
        return False


def _without_files(name: str) -> Source:
    message = "The folder holds no file that is named as VCF, BCF, CSV or TSV."
    step = "Check that this is the folder you meant, or name the files themselves: those are read whatever their name."
    return Source(name, Problem(SOURCE_UNREADABLE, message, resolution=(step,)))
