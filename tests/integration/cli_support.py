"""Runs `varloom` as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

VARLOOM = [sys.executable, "-m", "varloom"]


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str
    bytes: bytes


def varloom(*arguments: object, data: Path | None = None, stdin: bytes = b"", **environment: str) -> Result:
    """Run a command to its end, with nothing of the caller's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VARLOOM_")}
    if data is not None:
        environment["VARLOOM_DATA"] = str(data)
    done = subprocess.run(
        [*VARLOOM, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**inherited, **environment},
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode(), done.stdout)
