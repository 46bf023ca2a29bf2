"""Checksums of a file that arrives in any order."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError
from varloom.transfer import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.transfer.model import Checksum
    from varloom.transfer.partial_file import PartialFile

BUFFER = 1 << 20
"""Bytes that are read at once."""
LOOK_INTERVAL = 0.1
"""Seconds between two looks how far it is."""


class Hasher:
    """Computes checksums in file order while the bytes arrive in any, reading behind them what the disk cache holds."""

    def __init__(self, partial: PartialFile, checksums: tuple[Checksum, ...]) -> None:
        self._partial = partial
        self._digest = hashlib.sha256()
        self._others = _others([one.algorithm for one in checksums])
        self._at = 0
        self._size: int | None = None
        self._all_there = threading.Event()
        self._stopped = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def finish(self, size: int | None, on_read: Callable[[int, int | None], None]) -> tuple[int, dict[str, str]]:
        """Wait until all has been read: how many bytes there are, and each checksum in hexadecimal.

        Args:
            size: how many they should be; None where that is not known.
            on_read: told now and then how many have been read, and of how many.

        Raises:
            VarloomError: `download_interrupted` when bytes are missing; or what reading met.
        """
        self._all_there.set()
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
        self._all_there.set()
        self._thread.join()

    def _work(self) -> None:
        buffer = bytearray(BUFFER)
        view = memoryview(buffer)
        try:
            while not self._stopped:
                last = self._all_there.is_set()
                count = self._partial.read_into(self._at, buffer)
                if count:
                    block = view[:count]
                    self._digest.update(block)
                    for other in self._others.values():
                        other.update(block)
                    self._at += count
                elif last:
                    return
                else:
                    self._all_there.wait(0.02)
        except BaseException as error:  # noqa: BLE001 - the thread that waits raises it
            self.failure = error


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
