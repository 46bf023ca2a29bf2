"""The engines by name. To add one, write it in a file or folder beside this one and add its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.processing.cpu.engine import CpuEngine
from varloom.processing.parabricks.engine import ParabricksEngine
from varloom.processing.parabricks.options import ParabricksOptions

if TYPE_CHECKING:
    from varloom.processing.model import Engine


def engines(parabricks: ParabricksOptions | None = None) -> tuple[Engine, ...]:
    """What can analyse reads, the fastest first; each says itself whether this machine can run it.

    Args:
        parabricks: how Parabricks is run here; None: as a program of this machine.
    """
    return (ParabricksEngine(parabricks or ParabricksOptions()), CpuEngine())
