"""What a worker has for secondary analysis: its engines, and the needs of jobs that it meets with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError
from varloom.jobs.needs import NOTHING, Offer, need_of
from varloom.processing.choice import AUTO, choose_engine
from varloom.processing.engines import engines
from varloom.processing.model import Caller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.pipeline.request import Processing
    from varloom.processing.model import Engine


class EngineOffer:
    """Looks at the engines of this machine again and again; a version is asked for once, since that starts a program.

    Args of the constructor:
        processing: what the worker was told to use.
    """

    def __init__(self, processing: Processing) -> None:
        self._processing = processing
        self._versions: dict[str, str | None] = {}

    def look(self) -> Offer:
        """What is there now; it blocks."""
        known = engines(self._processing.parabricks)
        return Offer([self._told(engine) for engine in known], serves(known, self._processing.engine))

    def _told(self, engine: Engine) -> dict[str, Any]:
        reason = engine.unavailable()
        if reason is not None:
            self._versions.pop(engine.name, None)  # what is installed then may be another one
        elif engine.name not in self._versions:
            self._versions[engine.name] = engine.version()
        version = self._versions.get(engine.name)
        callers = [caller.value for caller in Caller if caller in engine.callers]
        return {"name": engine.name, "version": version, "callers": callers, "reason": reason}


def serves(known: Sequence[Engine], own: str) -> list[str]:
    """The needs of jobs that engines meet here, in a settled order.

    Args:
        known: the engines.
        own: which the worker uses where the job leaves it open: `auto`, or a name.
    """
    met = [NOTHING]
    for wanted in (AUTO, *(engine.name for engine in known)):
        for caller in (None, *Caller):
            try:
                choose_engine(known, own if wanted == AUTO else wanted, caller)
            except VarloomError:
                continue
            met.append(need_of(wanted, caller))
    return met
