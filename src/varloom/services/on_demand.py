"""Annotating chosen variants at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from varloom.annotation.on_demand import IDLE, MOST_VARIANTS, Annotators
from varloom.errors import VarloomError
from varloom.jobs.child import environment_of_children, storable
from varloom.services.on_demand_views import AnnotatedVariant, AnnotatedVariants, PlaceView, ReleaseView
from varloom.services.problems import REQUEST_INVALID
from varloom.services.views import ErrorView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.on_demand import OnDemand
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.genomics.assemblies import Assembly


@dataclass(frozen=True, slots=True)
class OnDemandAnnotation:
    """Annotates a few small variants while somebody waits."""

    annotators: Annotators
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Requests wait here for each other, and not in threads, which the whole server shares."""

    @classmethod
    def over(cls, library: ReferenceLibrary) -> OnDemandAnnotation:
        """With the releases of a library."""
        return cls(Annotators(library, environment_of_children()))

    async def annotate(self, texts: Sequence[str], assembly: Assembly) -> AnnotatedVariants:
        """What is known of each variant, in their order; an rs number may name several.

        Raises:
            VarloomError: `request_invalid`, `reference_data_missing`, or what keeps all from being annotated.
        """
        if not 1 <= len(texts) <= MOST_VARIANTS:
            raise VarloomError(REQUEST_INVALID, f"variants: from 1 to {MOST_VARIANTS:,} at once.")
        async with self.turn:
            found, releases = await asyncio.to_thread(self.annotators.annotate, texts, assembly)
        return AnnotatedVariants(
            assembly=assembly,
            releases=[ReleaseView(kind=key.kind, name=key.name, release=key.release) for key in releases],
            variants=[_view(item) for item in found],
        )

    async def run(self) -> None:
        """End what nobody needs any more, again and again, until cancelled."""
        while True:
            await asyncio.sleep(IDLE / 4)
            await asyncio.to_thread(self.annotators.end_idle)

    async def close(self) -> None:
        """End all processes."""
        await asyncio.to_thread(self.annotators.close)


def _view(item: OnDemand) -> AnnotatedVariant:
    variant = item.variant
    return AnnotatedVariant(
        input=item.input,
        variant=variant
        and PlaceView(contig=variant.contig, position=variant.position, ref=variant.ref, alt=variant.alt),
        error=ErrorView.model_validate(item.error.as_dict()) if item.error is not None else None,
        synthetic=item.is_synthetic,
        annotation=storable(item.values),
        not_annotated=item.aside,
    )
