"""Which engine analyses reads, and how its variants are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import VarloomError
from varloom.processing.model import Caller
from varloom.processing.problems import ENGINE_UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.processing.model import Engine

AUTO = "auto"


class ChosenEngine(NamedTuple):
    """An engine that can run here, and the caller that it has."""

    engine: Engine
    caller: Caller


def choose_engine(engines: Sequence[Engine], wanted: str, caller: Caller | None) -> ChosenEngine:
    """The first engine that was asked for, can run here, and has the caller.

    Args:
        engines: the preferred first.
        wanted: the name of one, or `auto`.
        caller: None: the engine's own first choice.

    Raises:
        VarloomError: `engine_unavailable`, with the reason of each.
    """
    reasons = []
    for engine in engines:
        if wanted not in {AUTO, engine.name}:
            continue
        if caller is not None and caller not in engine.callers:
            reasons.append(f"The engine {engine.name} has no caller {caller.value}.")
        elif (why := engine.unavailable()) is not None:
            reasons.append(f"{engine.name}: {why}")
        else:
            return ChosenEngine(engine, caller or first_choice(engine))
    raise VarloomError(ENGINE_UNAVAILABLE, " ".join(reasons) or f"There is no engine {wanted!r}.")


def first_choice(engine: Engine) -> Caller:
    """What an engine calls with unless it is told: as the callers stand in their list."""
    return next(caller for caller in Caller if caller in engine.callers)
