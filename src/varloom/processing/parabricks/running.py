"""Running Parabricks: its words are read as they come, kept for the log, and told from when it fails."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.processing.parabricks.failures import failure_of
from varloom.processing.parabricks.problems import CONTAINER, FAILED
from varloom.processing.programs import end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

logger = logging.getLogger(__name__)

LAST_LINES = 200
"""So many are kept to tell why it failed."""
LONGEST_LINE = 4000
_SIGNALLED, _OF_ALL = 128, 255
"""A higher exit status tells a signal, but for the one that Parabricks has for everything."""
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:-\d+)?")
_VERSION_SECONDS = 120
_ENDS = re.compile(rb"[\r\n]")


def run(command: Sequence[str], step: str, on_line: Callable[[str], None]) -> None:
    """Run to the end; whatever `on_line` raises ends it.

    Args:
        command: the whole of it, that of the container included.
        step: what messages call it.
        on_line: told each line that it writes, on both of its outputs.

    Raises:
        VarloomError: see `failure_of`.
    """
    kept: deque[str] = deque(maxlen=LAST_LINES)
    if shutil.which(command[0]) is None:
        raise VarloomError(CONTAINER, f"There is no program {command[0]}.")
    guarded = [sys.executable, "-m", "varloom.processing.parabricks.guardian", *command]
    process = subprocess.Popen(guarded, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for line in _lines(process.stdout):
            kept.append(line)
            logger.info("%s: %s", step, line)
            on_line(line)
        status = process.wait()
    except BaseException:
        end(process)
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    if status:
        raise failure_of(step, _SIGNALLED - status if status > _SIGNALLED and status != _OF_ALL else status, list(kept))


def version(command: Sequence[str], seconds: float = _VERSION_SECONDS) -> str:
    """What `pbrun version` tells within so many seconds, such as `4.6.0-1`.

    Raises:
        VarloomError: it does not answer.
    """
    try:
        answered = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VarloomError(FAILED, f"pbrun version: {error}") from None
    said = answered.stdout + answered.stderr
    found = _VERSION.search(said)
    if answered.returncode or found is None:
        raise failure_of("pbrun version", answered.returncode, said.splitlines()[-LAST_LINES:])
    return found[0]


def _lines(stream: IO[bytes] | None) -> Iterator[str]:
    """The lines as they come; progress may be written over itself, with carriage returns."""
    if stream is None:
        raise AssertionError("it is started with a pipe")
    rest = b""
    with contextlib.suppress(ValueError):  # it was closed meanwhile
        while chunk := os.read(stream.fileno(), 65_536):
            *whole, rest = _ENDS.split(rest + chunk)
            yield from (_text(line) for line in whole if line.strip())
            if len(rest) > LONGEST_LINE:
                yield _text(rest)
                rest = b""
    if rest.strip():
        yield _text(rest)


def _text(line: bytes) -> str:
    return line[:LONGEST_LINE].decode("utf-8", "replace").rstrip()
