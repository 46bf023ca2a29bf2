"""A file that is arriving: its bytes, and a journal of which of them are there, in a folder that outlives the process.

```
FOLDER/
  lock       held by the one process that writes here
  part       the bytes, with holes where nothing has come yet
  journal    a JSON object a line: first which version of which URL this is, then a block that was written, with its CRC
```

A block is taken for present only if its CRC still agrees with what is on the disk: after the power failed the journal
may know of blocks that never got there. So nothing has to be forced to the disk before the end.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from isal import isal_zlib

from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.storage.held_folder import hold
from varloom.storage.problems import STORAGE_FULL, STORAGE_UNUSABLE
from varloom.transfer.model import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 512 * 1024
"""Bytes of one entry of the journal: what is fetched again after a kill is at most one for each connection."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


class PartialFile:
    """The bytes of one version of one URL, as far as they are here. Close it in the end. Writing is thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._noting = threading.Lock()
        self._blocks: dict[int, int] = {}  # where each begins and ends
        self._present = 0
        self._descriptor = -1
        self._journal = -1
        with disk_told():
            self._held = hold(folder)

    def close(self) -> None:
        """Let go of it; what has come stays."""
        for descriptor in (self._descriptor, self._journal, self._held):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._journal = self._held = -1

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return self._folder / "part"

    @property
    def present(self) -> int:
        """How many bytes are here."""
        return self._present

    def resume(self, identity: str, on_checked: Callable[[int, int | None], None]) -> Version | None:
        """Take up what an earlier attempt left of this URL: its version; None if there is nothing of use.

        Args:
            identity: what stands for the URL, without its secrets.
            on_checked: told how many bytes have been found here, and of how many the file is.

        Raises:
            VarloomError: `storage_full` or `storage_unusable`.
        """
        with disk_told():
            entries = _entries(self._folder / "journal")
            if not entries or entries[0].get("identity") != identity or not self.path.exists():
                return None
            self._open(os.O_APPEND)
        version, found = Version.from_json(entries[0]["version"]), 0
        for entry in entries[1:]:
            start, end = entry["start"], entry["end"]
            with contextlib.suppress(OSError):  # what cannot be read is fetched again
                if isal_zlib.crc32(os.pread(self._descriptor, end - start, start)) == entry["crc"]:
                    self._blocks[start] = end
                    found += end - start
            on_checked(found, version.size)
        self._blocks = _without_overlaps(self._blocks)
        self._present = sum(end - start for start, end in self._blocks.items())
        if os.fstat(self._descriptor).st_nlink > 1 and (version.size is None or self.missing(version.size)):
            return None  # it is a job's original already, which is never written to again
        return version

    def begin(self, identity: str, version: Version) -> None:
        """Start anew. What was here goes; a file that it was linked to stays as it is.

        Raises:
            VarloomError: `storage_full` or `storage_unusable`.
        """
        for descriptor in (self._descriptor, self._journal):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._journal = -1
        self._blocks, self._present = {}, 0
        self.discard()
        with disk_told():
            self._open(os.O_CREAT | os.O_EXCL | os.O_APPEND)
            self._note({"identity": identity, "version": version.as_json()})

    def discard(self) -> None:
        """Remove what has come: it is of no use."""
        with disk_told():
            for name in ("journal", "part"):
                (self._folder / name).unlink(missing_ok=True)

    def _open(self, flags: int) -> None:
        flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags & ~os.O_APPEND, 0o600)
        self._journal = os.open(self._folder / "journal", flags, 0o600)

    def missing(self, size: int) -> list[tuple[int, int]]:
        """The gaps in a file of so many bytes, as beginnings and ends."""
        gaps, at = [], 0
        with self._lock:
            blocks = sorted(self._blocks.items())
        for start, end in blocks:
            if start > at:
                gaps.append((at, start))
            at = max(at, end)
        return [*gaps, (at, size)] if at < size else gaps

    def write(self, start: int, content: bytes | memoryview) -> int:
        """Write a block that begins at `start`, and note that it is here: how many bytes it has.

        Raises:
            VarloomError: `storage_full` or `storage_unusable`.
        """
        remaining, at, end = memoryview(content), start, start + len(content)
        crc = isal_zlib.crc32(content)
        with disk_told():
            failpoint("download.before_write")
            while remaining:  # the system may not take all at once
                written = os.pwrite(self._descriptor, remaining, at)
                remaining, at = remaining[written:], at + written
            failpoint("download.after_write")
            self._note({"start": start, "end": end, "crc": crc})
        with self._lock:
            self._blocks[start] = end
            self._present += end - start
        return end - start

    def read_into(self, start: int, buffer: bytearray) -> int:
        """Read bytes that are here from `start` on, at most as many as the buffer has: how many they were."""
        limit = len(buffer)
        with self._lock:
            end = self._blocks.get(start)
            if end is None:
                return 0
            if end - start > limit:
                self._blocks[start + limit] = end
                self._blocks[start] = end = start + limit
        return os.preadv(self._descriptor, [memoryview(buffer)[: end - start]], start)

    def sync(self) -> None:
        """Force the bytes to the disk."""
        with disk_told():
            os.fsync(self._descriptor)

    def _note(self, entry: dict[str, Any]) -> None:
        remaining = memoryview(json.dumps(entry).encode() + b"\n")
        with self._noting:  # no other entry comes between the pieces of this one
            while remaining:
                remaining = remaining[os.write(self._journal, remaining) :]


@contextlib.contextmanager
def disk_told() -> Iterator[None]:
    """Turn what the system says about the disk into errors that a person can read."""
    try:
        yield
    except BlockingIOError:  # another process has it
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise VarloomError(STORAGE_FULL, f"The disk refused to take more: {error.strerror}.") from error
        raise VarloomError(STORAGE_UNUSABLE, f"Writing what arrives failed: {error.strerror}.") from error


def _entries(journal: Path) -> list[dict[str, Any]]:
    """The entries of a journal; the end of one that was not written whole is cut off, so that others can follow.

    The disk may have refused the end of an entry before another one was written: then both are left out.
    """
    try:
        text = journal.read_bytes()
    except FileNotFoundError:
        return []
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        os.truncate(journal, len(whole))
    first, *others = whole.splitlines() or [b""]
    entries = []
    for line in (first, *others):
        try:
            entries.append(json.loads(line))
        except ValueError:
            if not entries:
                return []
    return entries


def _without_overlaps(blocks: dict[int, int]) -> dict[int, int]:
    """Blocks of which none covers a byte of another: of two, the one that begins first stays."""
    kept, at = {}, 0
    for start, end in sorted(blocks.items()):
        if start >= at and end > start:
            kept[start] = at = end
    return kept
