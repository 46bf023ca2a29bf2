"""Which engine analyses reads, and how its variants are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import VarloomError
from varloom.processing.model import Caller
from varloom.processing.problems import CALLER_UNAVAILABLE, ENGINE_UNAVAILABLE

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
        VarloomError: `engine_unavailable` or `caller_unavailable`, with the reason of each.
    """
    asked = [engine for engine in engines if wanted in {AUTO, engine.name}]
    if not asked:
        names = ", ".join(engine.name for engine in engines)
        raise VarloomError(ENGINE_UNAVAILABLE, f"There is no engine {wanted!r}: there are {names}.")
    having = [engine for engine in asked if caller is None or caller in engine.callers]
    if not having:
        told = " ".join(f"The engine {one.name} calls with {', '.join(sorted(one.callers))}." for one in asked)
        raise VarloomError(CALLER_UNAVAILABLE, told)
    reasons = []
    for engine in having:
        if (why := engine.unavailable()) is None:
            return ChosenEngine(engine, caller or _first_choice(engine))
        reasons.append(why)
    raise VarloomError(ENGINE_UNAVAILABLE, " ".join(reasons))


def _first_choice(engine: Engine) -> Caller:
    """What an engine calls with unless it is told: as the callers stand in their list."""
    return next(caller for caller in Caller if caller in engine.callers)
