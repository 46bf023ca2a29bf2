"""What can be wrong with the choice of a reference genome."""

from __future__ import annotations

from varloom.errors import define

REFERENCE_GENOME_UNCHOSEN = define(
    "reference_genome_unchosen",
    "A reference genome has to be chosen",
    cause="Reads do not tell their assembly, and reference genomes of both assemblies are installed.",
    resolution=("Choose the reference or the assembly: `--reference NAME` or `--assembly GRCh38`.",),
    status=409,
)
