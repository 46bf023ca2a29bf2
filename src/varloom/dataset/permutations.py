"""Row numbers in the order of an answer, found once: in memory, or in files that outlive the process."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

RowNumbers: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""The `rowno` of selected rows, in the order of the answer."""

_SUFFIX = ".npy"
_MOST = 5_000
"""Answers that are kept, however small they are."""


class Permutations:
    """The row numbers of questions that were asked last, bounded in bytes; each is found by one thread only.

    Args:
        most_bytes: how much is kept; what was used longest ago goes first.
        folder: where the row numbers are kept as files, which are mapped and so take no memory of the process; they are
            found again after a restart. Without it they are kept in memory.
    """

    def __init__(self, most_bytes: int, folder: Path | None = None) -> None:
        self._most_bytes = most_bytes
        self._folder = folder
        self._lock = threading.Lock()
        self._finding: dict[Hashable, threading.Lock] = {}
        self._found: OrderedDict[Hashable, RowNumbers] = OrderedDict()
        self.bytes = 0
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_up(folder)

    def peek(self, key: Hashable) -> RowNumbers | None:
        """The row numbers if they are known."""
        name = self._name(key)
        with self._lock:
            found = self._found.get(name)
            if found is not None:
                self._found.move_to_end(name)
        if found is not None and self._folder is not None:
            with contextlib.suppress(OSError):
                os.utime(self._folder / str(name))
        return found

    def get(self, key: Hashable, find: Callable[[], RowNumbers]) -> RowNumbers:
        """The row numbers, found now if they are not known."""
        with self._lock:
            finding = self._finding.setdefault(key, threading.Lock())
        with finding:
            try:
                found = self.peek(key)
                if found is None:
                    found = self._kept(self._name(key), find())
                return found
            finally:
                with self._lock:
                    self._finding.pop(key, None)

    def _name(self, key: Hashable) -> Hashable:
        """What the row numbers of a question are kept under; the name of their file where there is a folder."""
        return key if self._folder is None else hashlib.sha256(repr(key).encode()).hexdigest() + _SUFFIX

    def _kept(self, name: Hashable, found: RowNumbers) -> RowNumbers:
        if found.nbytes > self._most_bytes:
            return found
        if self._folder is not None:
            try:
                found = _saved(self._folder / str(name), found)
            except OSError as error:
                logger.warning("the order of a table could not be kept in a file: %s", error)
                return found
        with self._lock:
            dropped = list(self._take_in(name, found))
        self._remove(dropped)
        return found

    def _take_in(self, name: Hashable, found: RowNumbers) -> Iterator[Hashable]:
        """Keep row numbers; the names of those that have to go for it."""
        replaced = self._found.pop(name, None)
        self._found[name] = found
        self.bytes += found.nbytes - (0 if replaced is None else replaced.nbytes)
        while self.bytes > self._most_bytes or len(self._found) > _MOST:
            dropped, numbers = self._found.popitem(last=False)
            self.bytes -= numbers.nbytes
            yield dropped

    def _take_up(self, folder: Path) -> None:
        """Take up what an earlier process kept, and remove what it left half written."""
        for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime):
            try:
                numbers = _mapped(path) if path.suffix == _SUFFIX else None
            except (OSError, ValueError):
                numbers = None
            if numbers is None:
                path.unlink(missing_ok=True)
            else:
                self._remove(list(self._take_in(path.name, numbers)))

    def _remove(self, names: list[Hashable]) -> None:
        if self._folder is not None:
            for name in names:
                (self._folder / str(name)).unlink(missing_ok=True)


def _saved(path: Path, numbers: RowNumbers) -> RowNumbers:
    """The row numbers as a file that is mapped; it appears under its name only when all of it is written."""
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        np.save(file, numbers)
    unfinished.replace(path)
    return _mapped(path)


def _mapped(path: Path) -> RowNumbers:
    # An empty file cannot be mapped; nor need it be.
    mapped: RowNumbers = np.load(path, mmap_mode="r") if path.stat().st_size > _HEADER_BYTES else np.load(path)
    return mapped


_HEADER_BYTES = 128
"""What numpy writes before the numbers."""
