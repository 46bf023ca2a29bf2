"""The faulty disk as Python sees it: built with the C compiler, switched while processes run, and asked what it did."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_disk.c")
KINDS = ("enospc", "eio", "short", "slow")
MILLION = 1_000_000


def is_possible() -> bool:
    """Only Linux has LD_PRELOAD as it is used here, and a C compiler is needed."""
    return sys.platform == "linux" and shutil.which("cc") is not None


class FaultyDisk:
    """Fails for files below `folder`, in processes with `environment`."""

    def __init__(self, home: Path, folder: Path, seed: int) -> None:
        self._library = home / "faulty_disk.so"
        self._control = home / "faulty_disk.control"
        self._log = home / "faulty_disk.log"
        self._folder = folder
        self._seed = seed
        command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self._library.chmod(0o755)
        self.set()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAULTY_DISK_CONTROL": str(self._control),
            "FAULTY_DISK_FOLDER": str(self._folder),
            "FAULTY_DISK_LOG": str(self._log),
            "FAULTY_DISK_SEED": str(self._seed),
        }

    def set(self, **chances: float) -> None:
        """From now on: the chance of each kind, 0 to 1; those not named do not happen."""
        numbers = struct.pack("=4I", *(round(chances.get(kind, 0.0) * MILLION) for kind in KINDS))
        if not self._control.exists():
            self._control.write_bytes(numbers)
            return
        with self._control.open("r+b") as file:  # it is mapped by others, and must stay the same file
            file.write(numbers)

    def fired(self) -> Counter[str]:
        """How often each kind happened."""
        if not self._log.exists():
            return Counter()
        return Counter(line.split(" ", 1)[0] for line in self._log.read_text(errors="replace").splitlines())
