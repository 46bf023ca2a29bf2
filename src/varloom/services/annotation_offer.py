"""Which annotation can be had here: that for which reference data is installed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from varloom.annotation.choice import choose
from varloom.annotation.model import DEMO_RELEASE, VariantKind
from varloom.annotation.problems import REFERENCE_DATA_MISSING
from varloom.annotation.refs.catalogue import title_of
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.errors import VarloomError
from varloom.genomics.assemblies import Assembly
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.pgx.problems import PGX_DEFINITIONS_MISSING, PGX_WRONG_ASSEMBLY
from varloom.processing.reference_choice import chosen_reference, genomes_for_reads, reference_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.annotation.choice import Choice
    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.release import Release
    from varloom.services.options import JobOptions
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

LOOK_INTERVAL = 30.0
"""Seconds between two looks at what is installed; who asks for what is not there looks at once."""


def is_synthetic(versions: Mapping[str, str]) -> bool:
    """Whether a table was annotated with the demonstration data, by the versions in its manifest."""
    return any(" " in name and version == DEMO_RELEASE for name, version in versions.items())


class NewerRelease(NamedTuple):
    """Reference data with which a table would be annotated now, and was not.

    Attributes:
        kind: such as `variants`.
        name: such as `clinvar`.
        title: for people, such as `ClinVar`.
        release: that is installed.
        used: the release of it that the table was annotated with; None if there was none.
    """

    kind: str
    name: str
    title: str
    release: str
    used: str | None


class AnnotationOffer:
    """What was installed at the last look."""

    def __init__(self, storage: Storage) -> None:
        self._library = ReferenceLibrary(storage)
        self._releases: Sequence[Release] = ()
        self._begun = 0
        self._seen = 0
        """Which look `_releases` is of."""

    @property
    def _installed(self) -> list[ReleaseKey]:
        return [release.key for release in self._releases]

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """See what is installed; what was seen last stays true while the storage cannot be read.

        Looks overlap: one that is slow and ends after another does not take back what that, begun later, has seen.
        """
        self._begun += 1
        turn = self._begun
        try:
            found = await asyncio.to_thread(self._library.releases)
        except VarloomError as error:
            logger.warning("The installed reference data cannot be listed: %s", error)
            return
        if turn > self._seen:
            self._seen = turn
            self._releases = sorted(found, key=lambda one: one.added_at, reverse=True)

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

    def why_no_pgx(self, assembly: Assembly | None = None) -> str | None:
        """Why PGx alleles cannot be called of a file of this assembly, in a sentence; None if they can."""
        if not choose_pgx(self._installed):
            return "No definitions of PGx alleles are installed on this server."
        return None if assembly in {None, "GRCh38"} else f"PGx alleles are called on GRCh38, not on {assembly}."

    def newer(
        self, annotation: Mapping[str, Any] | None, assembly: str | None, made_at: datetime
    ) -> tuple[NewerRelease, ...]:
        """With what a table would be annotated otherwise now.

        Args:
            annotation: its kind and its releases, as they stand with a dataset; None for a table without.
            assembly: of the table.
            made_at: when it was published.
        """
        known = next((one for one in get_args(Assembly) if one == assembly), None)
        if annotation is None or annotation["kind"] is None or known is None:
            return ()
        used: Mapping[str, str] = annotation["releases"]
        if is_synthetic(used):
            return ()
        choice = choose(VariantKind(annotation["kind"]), known, self._installed)
        return tuple(
            NewerRelease(key.kind, key.name, title_of(key), key.release, used.get(f"{key.kind} {key.name}"))
            for key in choice.keys
            if self._is_newer(key, used, made_at, choice)
        )

    def _is_newer(self, key: ReleaseKey, used: Mapping[str, str], made_at: datetime, choice: Choice) -> bool:
        """Whether a release came after what a table was annotated with: what is left when that was removed did not."""
        before = used.get(f"{key.kind} {key.name}")
        if before == key.release:
            return False
        added = {one.key: one.added_at for one in self._releases}
        if datetime.fromisoformat(added[key]) > made_at:
            return True
        if before is not None:  # both were there: the newer one came when the annotation had begun
            return added.get(key._replace(release=before), "~") < added[key]
        takes_any = any(need.kind == key.kind and need.name is None for one in choice.planned for need in one.keys)
        return not (takes_any and any(name.startswith(f"{key.kind} ") for name in used))

    def genome_choices(self) -> list[tuple[str, str]]:
        """The genomes for reads, GRCh38 and what was added last first: each as options name it, and for people."""
        genomes = sorted(genomes_for_reads(self._installed), key=lambda key: key.assembly, reverse=True)
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
