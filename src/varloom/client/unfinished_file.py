"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def unfinished_file(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place at the end; pipes and devices are written to as they are."""
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
