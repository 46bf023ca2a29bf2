"""Which annotation can be had here: that for which reference data is installed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from varloom.annotation.choice import choose
from varloom.annotation.model import VariantKind
from varloom.annotation.problems import REFERENCE_DATA_MISSING
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.errors import VarloomError
from varloom.genomics.assemblies import Assembly
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.pgx.problems import PGX_DEFINITIONS_MISSING, PGX_WRONG_ASSEMBLY
from varloom.processing.reference_choice import GENOME_KIND, chosen_reference, reference_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.annotation.model import ReleaseKey
    from varloom.services.options import JobOptions
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

LOOK_INTERVAL = 30.0
"""Seconds between two looks at what is installed; who asks for what is not there looks at once."""


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
        if any(choose(VariantKind(kind), one, self._installed).planned for one in assemblies):
            return None
        of = f" of {assembly}" if assembly else ""
        return f"No reference data{of} for {kind} variants is installed on this server."

    def why_no_pgx(self, assembly: Assembly | None = None) -> str | None:
        """Why PGx alleles cannot be called of a file of this assembly, in a sentence; None if they can."""
        if not choose_pgx(self._installed):
            return "No definitions of PGx alleles are installed on this server."
        return None if assembly in {None, "GRCh38"} else f"PGx alleles are called on GRCh38, not on {assembly}."

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
            if key.assembly == assembly:
                newest.setdefault(f"{key.kind} {key.name}", key.release)
        return {name: newest[name] for name, used in versions.items() if newest.get(name, used) != used}

    def genome_choices(self) -> list[tuple[str, str]]:
        """The genomes for reads, GRCh38 and what was added last first: each as options name it, and for people."""
        genomes = [key for key in self._installed if key.kind == GENOME_KIND]
        genomes.sort(key=lambda key: key.assembly, reverse=True)
        return [(reference_text(key), f"{key.assembly}, {key.name} {key.release}") for key in genomes]

    def with_reference(self, options: JobOptions) -> JobOptions:
        """The options of reads with the very genome and assembly that they mean; others stay as they are.

        Raises:
            VarloomError: `reference_genome_missing`, `reference_genome_unchosen`.
        """
        if not options.reads:
            return options
        key = chosen_reference(self._installed, options.reference, options.assembly)
        return replace(options, reference=reference_text(key), assembly=key.assembly)

    async def require(self, options: JobOptions) -> JobOptions:
        """See that the reference data for what was chosen can be had; the options, with the genome for reads.

        Raises:
            VarloomError: `reference_data_missing`; `pgx_definitions_missing`, `pgx_wrong_assembly`; those of
                `with_reference`.
        """
        try:
            settled = self.with_reference(options)
        except VarloomError:
            await self.look()
            settled = self.with_reference(options)
        if options.pgx:
            await self._require_pgx(settled.assembly)
        if options.annotate is None:
            return settled
        if self.why_unavailable(options.annotate, settled.assembly):
            await self.look()
        if why := self.why_unavailable(options.annotate, settled.assembly):
            raise VarloomError(REFERENCE_DATA_MISSING, why)
        return settled

    async def _require_pgx(self, assembly: Assembly | None) -> None:
        if self.why_no_pgx():
            await self.look()
        if why := self.why_no_pgx(assembly):
            kind = PGX_WRONG_ASSEMBLY if self.why_no_pgx() is None else PGX_DEFINITIONS_MISSING
            raise VarloomError(kind, why)
