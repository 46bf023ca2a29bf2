"""What a job needs of the worker that takes it: an engine of secondary analysis, and a caller, for reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.jobs.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTHING = ""
"""What a job needs that any worker with a slot can take."""
_AUTO = "auto"
_ENGINES = {"parabricks": "Parabricks", "cpu": "the CPU engine"}
_CALLERS = {"bcftools": "bcftools", "haplotypecaller": "HaplotypeCaller", "deepvariant": "DeepVariant"}


class Offer(NamedTuple):
    """What a worker has for secondary analysis.

    Attributes:
        engines: of each `name`, `version`, `callers`, and `reason`: why it cannot run there, None if it can.
        serves: the needs that it meets, `NOTHING` among them; None: it does not tell, and takes any job.
    """

    engines: Sequence[Mapping[str, Any]] = ()
    serves: Sequence[str] | None = None


def need_of(engine: str, caller: str | None) -> str:
    """The need of reads for which this engine, or `auto`, was chosen, and this caller, or none."""
    return f"{engine or _AUTO}:{caller or ''}"


def needed_for(stage: Stage | None, options: Mapping[str, Any]) -> str:
    """What a job needs for a stage; the same as the function `needed_for` of the database."""
    if stage is not Stage.PROCESS or options.get("reads") is not True:
        return NOTHING
    return need_of(options.get("engine") or _AUTO, options.get("caller"))


def told(need: str) -> str:
    """Whom a job with this need waits for: "a worker with Parabricks"."""
    engine, _, caller = need.partition(":")
    calling = f" that calls with {_CALLERS.get(caller, caller)}" if caller else ""
    if engine != _AUTO:
        with_engine = f"a worker with {_ENGINES.get(engine, engine)}"
        return f"{with_engine}{calling}" if caller and engine not in _ENGINES else with_engine
    return f"a worker{calling}" if caller else "a worker that can analyse reads"
