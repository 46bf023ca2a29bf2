"""A file to read, as a path: what comes through a pipe is written to a file first, as a reader opens it repeatedly."""

from __future__ import annotations

import contextlib
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from varloom.cli.problems import SOURCE_UNREADABLE
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
CHUNK = 1024 * 1024


@contextlib.contextmanager
def on_disk(name: str) -> Iterator[Path]:
    """The path of a file, of a pipe's content, or of what `-`, the standard input, holds."""
    if name != STDIN and not is_pipe(name):
        yield Path(name)
        return
    import shutil  # not above: most files are read where they are
    import tempfile

    with tempfile.TemporaryDirectory(prefix="varloom-") as folder:
        path = Path(folder) / "stdin"
        try:
            with standard_input() if name == STDIN else Path(name).open("rb") as source, path.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)
        except OSError as error:
            raise VarloomError(SOURCE_UNREADABLE, f"{name}: {error.strerror}.") from None
        yield path


def is_pipe(name: str) -> bool:
    """Whether it can be opened once only: whoever writes to a pipe is ended when it is closed."""
    try:
        return stat.S_ISFIFO(Path(name).stat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def standard_input() -> Iterator[BinaryIO]:
    """The bytes of the standard input.

    Raises:
        VarloomError: `source_unreadable` when it is closed.
    """
    if sys.stdin is None:
        raise VarloomError(SOURCE_UNREADABLE, "The standard input is closed.")
    yield sys.stdin.buffer
