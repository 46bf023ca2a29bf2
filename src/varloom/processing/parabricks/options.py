"""How Parabricks is run on a worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParabricksOptions:
    """See the settings of the same names, which begin with `parabricks_`.

    Attributes:
        image: of the container with Parabricks; None: `pbrun` is a program of this machine.
        container_command: what runs a container; the options of the job, the image and the command follow it.
        gpus: how many one analysis uses; None: as many as Parabricks finds.
        low_memory: whether it saves GPU memory: `auto` (once it has run out), `always` or `never`.
        job: whose analysis it is; containers are named by it.
    """

    image: str | None = None
    container_command: str = "docker run --rm --gpus all"
    gpus: int | None = None
    low_memory: str = "auto"
    job: str = "by-hand"
