"""Which annotation can be had here: that for which reference data is installed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, get_args

from varloom.annotation.choice import choose
from varloom.annotation.model import DEMO_RELEASE, VariantKind
from varloom.annotation.problems import REFERENCE_DATA_MISSING
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.errors import VarloomError
from varloom.genomics.assemblies import Assembly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.annotation.model import ReleaseKey
    from varloom.services.options import JobOptions
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

LOOK_INTERVAL = 30.0
"""Seconds between two looks at what is installed; who asks for what is not there looks at once."""


def is_synthetic(versions: Mapping[str, str]) -> bool:
    """Whether a table was annotated with the demonstration data, by the versions in its manifest."""
    return any(" " in name and version == DEMO_RELEASE for name, version in versions.items())


class AnnotationOffer:
    """What was installed at the last look."""

    def __init__(self, storage: Storage) -> None:
        self._library = ReferenceLibrary(storage)
        self._installed: Sequence[ReleaseKey] = ()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """See what is installed; what was seen last stays true while the storage cannot be read."""
        try:
            self._installed = await asyncio.to_thread(self._library.newest_first)
        except VarloomError as error:
            logger.warning("The installed reference data cannot be listed: %s", error)

    def why_unavailable(self, kind: str, assembly: Assembly | None = None) -> str | None:
        """Why variants of this kind cannot be annotated, in a sentence; None if they can.

        Args:
            kind: `small` or `structural`.
            assembly: of the file; None where it is not known yet: then any will do.
        """
        assemblies: Sequence[Assembly] = (assembly,) if assembly else get_args(Assembly)
        for demo in (False, True):  # whether a file is the demonstration's is known when it is read
            if any(choose(VariantKind(kind), one, self._installed, demo=demo).planned for one in assemblies):
                return None
        of = f" of {assembly}" if assembly else ""
        return f"No reference data{of} for {kind} variants is installed on this server."

    def only_demo(self) -> bool:
        """Whether nothing but the demonstration data is installed: it serves its own files alone."""
        return bool(self._installed) and all(key.is_demo for key in self._installed)

    def newer(self, versions: Mapping[str, str], assembly: str | None) -> dict[str, str]:
        """Of which releases that a table was annotated with newer ones are installed.

        Args:
            versions: of the table's manifest, where a release is called by its kind and name.
            assembly: of the table.

        Returns:
            By the name in `versions`: the newest release that is installed.
        """
        newest: dict[str, str] = {}
        for key in self._installed:
            if key.assembly == assembly and not key.is_demo:
                newest.setdefault(f"{key.kind} {key.name}", key.release)
        if is_synthetic(versions):
            return {}
        return {name: newest[name] for name, used in versions.items() if newest.get(name, used) != used}

    async def require(self, options: JobOptions) -> None:
        """See that the annotation that was chosen can be had.

        Raises:
            VarloomError: `reference_data_missing`.
        """
        if options.annotate is None:
            return
        if self.why_unavailable(options.annotate, options.assembly):
            await self.look()
        if why := self.why_unavailable(options.annotate, options.assembly):
            raise VarloomError(REFERENCE_DATA_MISSING, why)
