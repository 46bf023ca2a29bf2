"""The container in which Parabricks runs: its command, and its end.

The program that starts a container does not take it along when it is killed. So each has the name of its job, by which
it is ended: when the attempt is cancelled or stalls, and before another attempt at the job begins on this machine.
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


def container_name(job: str) -> str:
    """What the container of a job is called: a job has one at a time."""
    return f"{_NAME}{job}"


def in_container(
    options: ParabricksOptions, job: str, folders: Iterable[Path], command: Sequence[str]
) -> tuple[str, ...]:
    """The command as it runs in a container, in which the folders have the same paths as outside.

    Args:
        options: without an image, the command runs as it is.
        job: its id.
        folders: that the command reads or writes.
        command: what is to run.
    """
    if options.image is None:
        return tuple(command)
    volumes = [part for folder in sorted(set(folders)) for part in ("--volume", f"{folder}:{folder}")]
    runner = shlex.split(options.container_command)
    return (*runner, "--name", container_name(job), *volumes, options.image, *command)


def end_container(options: ParabricksOptions, job: str) -> None:
    """End the container of a job; nothing happens if there is none."""
    if options.image is None:
        return
    program = shlex.split(options.container_command)[0]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        ended = subprocess.run(
            [program, "kill", container_name(job)], capture_output=True, timeout=END_PATIENCE, check=False
        )
        if ended.returncode == 0:
            logger.warning("the container %s was ended", container_name(job))
