"""What can go wrong before an engine begins."""

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
ENGINE_UNAVAILABLE = define(
    "engine_unavailable",
    "The engine cannot run here",
    cause="The worker that took the job has not got what the chosen engine, or the chosen caller, needs.",
    resolution=(
        "Retry with the engine `auto` and no caller: what the worker has is used.",
        "Or let the operator install what the message names.",
    ),
)
READS_INCOMPLETE = define(
    "reads_incomplete",
    "The files are not one set of reads",
    cause="A job takes the FASTQ files of one sample, in pairs or single, or one BAM or CRAM.",
    resolution=(
        "Send the two files of each lane together; their names differ in `R1` and `R2`, or in `_1` and `_2`.",
        "Send a BAM or CRAM alone, or with its index.",
    ),
)
DISK_SHORT = define(
    "processing_disk_short",
    "The disk is too small for the analysis",
    cause="Alignment and sorting need several times the space of the reads, and the worker has less free.",
    resolution=("Free space on the worker, or run the job on one with a larger disk, then retry.",),
    retryable=True,
)
