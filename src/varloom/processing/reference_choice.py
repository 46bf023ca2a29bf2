"""Which reference genome reads are aligned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.problems import REFERENCE_GENOME_MISSING
from varloom.processing.reference_problems import REFERENCE_GENOME_UNCHOSEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from varloom.annotation.model import ReleaseKey

GENOME_KIND = "fasta"


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
    genomes = [key for key in installed if key.kind == GENOME_KIND]
    fitting = [key for key in genomes if name in {None, "", key.name, reference_text(key)}]
    fitting = [key for key in fitting if assembly in {None, "", key.assembly}]
    if not fitting:
        wanted = " ".join(safe_excerpt(text, 80) for text in (name, assembly) if text)
        raise VarloomError(REFERENCE_GENOME_MISSING, f"There is no reference genome {wanted}".rstrip() + ".")
    if len({key.assembly for key in fitting}) > 1:
        raise VarloomError(REFERENCE_GENOME_UNCHOSEN, "There are reference genomes of GRCh37 and of GRCh38.")
    return fitting[0]


def reference_text(key: ReleaseKey) -> str:
    """A release as options name it: `ASSEMBLY/NAME/RELEASE`."""
    return f"{key.assembly}/{key.name}/{key.release}"
