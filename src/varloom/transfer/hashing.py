"""Checksums of a file that arrives in any order."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError
from varloom.transfer import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.transfer.blocks import Block, Blocks
    from varloom.transfer.model import Checksum
    from varloom.transfer.partial_file import PartialFile

BUFFER = 1 << 20
"""Bytes that are read at once."""
LOOK_INTERVAL = 0.1
"""Seconds between two looks how far it is."""
LONGEST_SLEEP = 0.02
"""Seconds after which the disk is looked at, where nothing comes: it may have what did not fit into memory."""
MOST_KEPT = 48 * 1024**2
"""Bytes that wait in memory for those before them; what does not fit is read from the disk when its turn comes."""


class Hasher:
    """Computes checksums in file order while the bytes arrive in any.

    Blocks that were just written are taken from memory, others from the disk: of an earlier attempt, or too far ahead.
    """

    def __init__(self, partial: PartialFile, blocks: Blocks, checksums: tuple[Checksum, ...]) -> None:
        self._partial = partial
        self._blocks = blocks
        self._digest = hashlib.sha256()
        self._others = _others([one.algorithm for one in checksums])
        self._at = 0
        self._kept: dict[int, Block] = {}
        self._kept_bytes = 0
        self._changed = threading.Condition()
        self._is_all_there = False
        self._uses_memory = True
        self._stopped = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def take(self, start: int, block: Block) -> None:
        """Take a block that was written, so that it need not be read again; it is given back when that is done.

        Who brings one waits while memory is full, but only while that empties: not for what is read of an earlier
        attempt, which may be long, nor for a block that is still to come, which may be his to bring.

        Args:
            start: where it begins.
            block: with its bytes.
        """
        with self._changed:
            while self._is_behind(block) and self._uses_memory and self._thread.is_alive():
                self._changed.wait(LONGEST_SLEEP)  # it catches up sooner if it need not read
            is_wanted = start >= self._at and start not in self._kept and not self._is_behind(block)
            if is_wanted:
                self._kept[start] = block
                self._kept_bytes += block.size
            self._changed.notify_all()
        if not is_wanted:
            self._blocks.give_back(block)

    def _is_behind(self, block: Block) -> bool:
        return self._kept_bytes + block.size > MOST_KEPT

    def finish(self, size: int | None, on_read: Callable[[int, int | None], None]) -> tuple[int, dict[str, str]]:
        """Wait until all has been read: how many bytes there are, and each checksum in hexadecimal.

        Args:
            size: how many they should be; None where that is not known.
            on_read: told now and then how many have been read, and of how many.

        Raises:
            VarloomError: `download_interrupted` when bytes are missing; or what reading met.
        """
        with self._changed:
            self._is_all_there = True
            self._changed.notify_all()
        while self._thread.is_alive():
            self._thread.join(LOOK_INTERVAL)
            on_read(self._at, size)
        if self.failure is not None:
            raise self.failure
        if size is not None and self._at != size:
            raise VarloomError(problems.DOWNLOAD_INTERRUPTED, f"{self._at:,} of {size:,} bytes have arrived.")
        found = {"sha256": self._digest.hexdigest()}
        found.update({name: other.hexdigest() for name, other in self._others.items()})
        return self._at, found

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        with self._changed:
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        buffer = bytearray(BUFFER)
        try:
            while not self._stopped:
                last = self._is_all_there
                if not self._add_kept() and not self._add_read(buffer):
                    if last:
                        return
                    self._await_more()
        except BaseException as error:  # noqa: BLE001 - the thread that waits raises it
            self.failure = error

    def _add_kept(self) -> bool:
        """Add the next block, if it is in memory."""
        with self._changed:
            block = self._kept.get(self._at)
            self._uses_memory = block is not None
        if block is None:
            return False
        self._add(block.content)
        return True

    def _add_read(self, buffer: bytearray) -> bool:
        """Add the next bytes, if they are on the disk."""
        count = self._partial.read_into(self._at, buffer)
        if count:
            self._add(memoryview(buffer)[:count])
        return count > 0

    def _add(self, content: memoryview) -> None:
        self._digest.update(content)
        for other in self._others.values():
            other.update(content)
        with self._changed:
            block = self._kept.pop(self._at, None)  # this one, or one that came while it was read from the disk
            self._at += len(content)
            if block is not None:
                self._kept_bytes -= block.size
                self._blocks.give_back(block)
            self._changed.notify_all()

    def _await_more(self) -> None:
        """Sleep until something comes."""
        with self._changed:
            if self._at not in self._kept and not self._is_all_there and not self._stopped:
                self._changed.notify_all()
                self._changed.wait(LONGEST_SLEEP)


class _Crc32c:
    """CRC-32C as the others are used."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, block: memoryview) -> None:
        import google_crc32c

        self._value = google_crc32c.extend(self._value, bytes(block))

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def _others(algorithms: list[str]) -> dict[str, Any]:
    """What has to be computed beside SHA-256: the first that is enough."""
    if "sha256" in algorithms:
        return {}
    for name in algorithms:
        match name:
            case "crc32c":
                return {name: _Crc32c()}
            case "md5":
                return {name: hashlib.md5(usedforsecurity=False)}
            case _:
                continue
    return {}
