"""A file to read, as a path: what comes through a pipe is written to a file first, as a reader opens it repeatedly."""

from __future__ import annotations

import contextlib
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from varloom.cli.problems import SOURCE_UNREADABLE
from varloom.errors import VarloomError, safe_excerpt

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


def text_of(path: Path) -> str:
    """The content of a small text file.

    Raises:
        VarloomError: `source_unreadable`.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise VarloomError(SOURCE_UNREADABLE, f"{safe_excerpt(str(path))}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise VarloomError(SOURCE_UNREADABLE, f"{safe_excerpt(str(path))} is not UTF-8 text.") from None
