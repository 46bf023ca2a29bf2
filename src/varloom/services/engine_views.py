"""What the outside sees of the engines of secondary analysis: which there are, and what can be had now."""

from pydantic import Field

from varloom.services.views import View


class EngineView(View):
    """An engine, and the workers that have it now."""

    name: str
    title: str
    callers: list[str] = Field(description="what it calls variants with, its first choice first")
    workers: int = Field(description="connected workers that can run it")
    versions: list[str] = Field(description="that they have, as far as they tell")


class EnginesView(View):
    """What can analyse reads now. A job may ask for anything: it waits for a worker that can run it."""

    engines: list[EngineView]
    waits: dict[str, str] = Field(
        description="by `ENGINE:CALLER` (the caller is empty where it is left open): what a job with this choice waits "
        "for, in a sentence; choices that a connected worker can run are not among them"
    )
