"""Which reference genome reads are aligned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.problems import REFERENCE_GENOME_MISSING
from varloom.processing.reference_problems import REFERENCE_GENOME_UNCHOSEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from varloom.annotation.model import ReleaseKey

GENOME_KIND = "fasta"


def genomes_for_reads(installed: Iterable[ReleaseKey]) -> list[ReleaseKey]:
    """The genomes that reads can be aligned to, in their order: that of the demonstration is nobody's."""
    return [key for key in installed if key.kind == GENOME_KIND and not key.is_demo]


def chosen_reference(installed: Iterable[ReleaseKey], name: str | None, assembly: str | None) -> ReleaseKey:
    """The reference genome that was asked for.

    Args:
        installed: all releases, the one that was added last first.
        name: as `reference_text` writes it, or the name of a release alone, of which the newest is meant.
        assembly: which it has to be of; None: any.

    Raises:
        VarloomError: `reference_genome_missing`, or `reference_genome_unchosen` where nothing was asked for and there
            are genomes of several assemblies.
    """
    genomes = genomes_for_reads(installed)
    fitting = [key for key in genomes if name in {None, "", key.name, reference_text(key)}]
    fitting = [key for key in fitting if assembly in {None, "", key.assembly}]
    if not fitting:
        raise VarloomError(REFERENCE_GENOME_MISSING, _what_is_missing(name, assembly, genomes))
    if len({key.assembly for key in fitting}) > 1:
        raise VarloomError(REFERENCE_GENOME_UNCHOSEN, "There are reference genomes of GRCh37 and of GRCh38.")
    return fitting[0]


def _what_is_missing(name: str | None, assembly: str | None, genomes: Sequence[ReleaseKey]) -> str:
    """In words, with the genomes that are there instead."""
    wanted = " ".join(safe_excerpt(text, 80) for text in (name, assembly) if text)
    there = dict.fromkeys(f"{key.name} ({key.assembly})" for key in genomes)
    more = f" Installed: {', '.join(there)}." if there else " None is installed."
    return f"There is no reference genome {wanted}".rstrip() + "." + more


def reference_text(key: ReleaseKey) -> str:
    """A release as options name it: `ASSEMBLY/NAME/RELEASE`."""
    return f"{key.assembly}/{key.name}/{key.release}"
