"""What can be wrong with the choice of a reference genome."""

from __future__ import annotations

from varloom.errors import define

REFERENCE_GENOME_MISSING = define(
    "reference_genome_missing",
    "No reference genome is installed",
    cause="Reads are aligned to a reference genome, and there is none of the asked name or assembly in the reference "
    "library.",
    resolution=(
        "Ask the operator to install one: `varloom refs add NAME --kind fasta --assembly GRCh38 --from FASTA`.",
        "Or choose another one: `varloom refs list` tells which there are.",
    ),
    status=409,
)
REFERENCE_GENOME_UNCHOSEN = define(
    "reference_genome_unchosen",
    "A reference genome has to be chosen",
    cause="Reads do not tell their assembly, and reference genomes of both assemblies are installed.",
    resolution=("Choose the reference or the assembly: `--reference NAME` or `--assembly GRCh38`.",),
    status=409,
)
