"""Every engine, the preferred first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from varloom.processing.model import Engine
    from varloom.processing.parabricks.options import ParabricksOptions


def engines(parabricks: ParabricksOptions) -> tuple[Engine, ...]:
    """What can analyse reads, the fastest first; each says itself whether this machine can run it."""
    return ()
