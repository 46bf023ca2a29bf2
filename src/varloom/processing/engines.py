"""The engines by name. To add one, write it in a file or folder beside this one and add its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.processing.cpu.engine import CpuEngine
from varloom.processing.parabricks.engine import ParabricksEngine
from varloom.processing.parabricks.options import ParabricksOptions
from varloom.processing.problems import CALLER_UNAVAILABLE, ENGINE_UNAVAILABLE

if TYPE_CHECKING:
    from varloom.processing.model import Caller, Engine


def engines(parabricks: ParabricksOptions | None = None) -> tuple[Engine, ...]:
    """What can analyse reads, the fastest first; each says itself whether this machine can run it.

    Args:
        parabricks: how Parabricks is run here; None: as a program of this machine.
    """
    return (ParabricksEngine(parabricks or ParabricksOptions()), CpuEngine())


ENGINES: dict[str, Engine] = {engine.name: engine for engine in engines()}


def engine_named(name: str, caller: Caller) -> Engine:
    """The engine of this name, which can be used here and has the caller.

    Raises:
        VarloomError: `engine_unavailable`, `caller_unavailable`.
    """
    engine = ENGINES.get(name)
    if engine is None:
        raise VarloomError(ENGINE_UNAVAILABLE, f"There is no engine {name!r}: there are {', '.join(ENGINES)}.")
    if (reason := engine.unavailable()) is not None:
        raise VarloomError(ENGINE_UNAVAILABLE, reason)
    if caller not in engine.callers:
        message = f"The engine {name} calls with {', '.join(sorted(engine.callers))}, not with {caller.value}."
        raise VarloomError(CALLER_UNAVAILABLE, message)
    return engine
