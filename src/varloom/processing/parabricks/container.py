"""The container in which Parabricks runs: its command, and its end.

The program that starts a container does not take it along when it is killed. So each has a name by which it is ended:
when its attempt is cancelled or stalls, and before another attempt at the same job begins.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from varloom.processing.parabricks.options import ParabricksOptions

logger = logging.getLogger(__name__)

END_PATIENCE = 20.0
"""Seconds that ending a container may take."""
_NAME = "varloom-"


def container_name(token: str) -> str:
    """What the container of an attempt is called."""
    return f"{_NAME}{token}"


def in_container(
    options: ParabricksOptions, token: str, folders: Iterable[Path], command: Sequence[str]
) -> tuple[str, ...]:
    """The command as it runs in a container, in which the folders have the same paths as outside.

    Args:
        options: with an image.
        token: of the attempt.
        folders: that the command reads or writes.
        command: what is to run.
    """
    if options.image is None:
        return tuple(command)
    volumes = [part for folder in sorted(set(folders)) for part in ("--volume", f"{folder}:{folder}")]
    runner = shlex.split(options.container_command)
    return (*runner, "--name", container_name(token), *volumes, options.image, *command)


def end_container(options: ParabricksOptions, token: str) -> None:
    """End the container of an attempt; nothing happens if there is none."""
    if options.image is None:
        return
    program = shlex.split(options.container_command)[0]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        ended = subprocess.run(
            [program, "kill", container_name(token)], capture_output=True, timeout=END_PATIENCE, check=False
        )
        if ended.returncode == 0:
            logger.warning("the container %s was ended", container_name(token))
