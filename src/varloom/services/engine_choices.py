"""Which engines can be had now, by what the connected workers tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from varloom.jobs.needs import need_of, told
from varloom.services.engine_views import EnginesView, EngineView
from varloom.services.options import CALLERS, CallerName, EngineName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.jobs.needs import Offer

TITLES = {"cpu": "CPU", "parabricks": "Parabricks"}


def engines_view(offers: Sequence[Offer]) -> EnginesView:
    """What workers with these offers can run; one that tells nothing takes any job."""
    served = {need for offer in offers for need in offer.serves or ()}
    any_job = any(offer.serves is None for offer in offers)
    waits = {need: f"It waits for {told(need)}; none is connected now." for need in _choices() if need not in served}
    return EnginesView(engines=[_view(name, offers) for name in CALLERS], waits={} if any_job else waits)


def _choices() -> list[str]:
    """All needs that the options of a job can have."""
    everything: dict[EngineName, tuple[CallerName, ...]] = {"auto": get_args(CallerName), **CALLERS}
    return [need_of(engine, caller) for engine, callers in everything.items() for caller in (None, *callers)]


def _view(name: EngineName, offers: Sequence[Offer]) -> EngineView:
    having = [one for offer in offers for one in offer.engines if one["name"] == name and one["reason"] is None]
    versions = sorted({one["version"] for one in having if one["version"]})
    return EngineView(
        name=name, title=TITLES[name], callers=list(CALLERS[name]), workers=len(having), versions=versions
    )
