"""What can go wrong with PGx calling."""

from __future__ import annotations

from varloom.errors import define

PGX_DEFINITIONS_MISSING = define(
    "pgx_definitions_missing",
    "No definitions of PGx alleles are installed",
    cause="PGx calling needs a release of the kind `pgx`, and none is installed here.",
    resolution=(
        "Ask the operator to install one: `varloom refs add pharmcat --kind pgx --assembly GRCh38 --from FOLDER`.",
        "Or load the file without PGx.",
    ),
    status=409,
)
PGX_WRONG_ASSEMBLY = define(
    "pgx_wrong_assembly",
    "PGx alleles are called on GRCh38 alone",
    cause="The coordinates of the file are not of GRCh38, and the positions that define alleles are. Lifting genotypes "
    "over can swap reference and variant and lose positions, so it is not done.",
    resolution=(
        "Call the variants again on GRCh38, and upload that file.",
        "Or load this file without PGx.",
    ),
)
PGX_REFERENCE_MISMATCH = define(
    "pgx_reference_mismatch",
    "The reference alleles do not fit",
    cause="At positions that define alleles the file's REF is not the base of GRCh38: it is of another assembly, "
    "written for the other strand, or REF is not the reference.",
    resolution=(
        "Check the assembly of the file, and REF by `bcftools norm --check-ref w` and the reference genome.",
        "Or load the file without PGx.",
    ),
)
PGX_NEEDS_GENOTYPES = define(
    "pgx_needs_genotypes",
    "The file has no genotypes",
    cause="PGx calling needs the genotypes (GT) of at least one sample. The file is a list of sites, or a table.",
    resolution=("Upload a VCF or BCF with samples.", "Or load the file without PGx."),
)
PGX_SAMPLE_UNKNOWN = define(
    "pgx_sample_unknown",
    "No such sample in the file",
    cause="A sample that was to be called is not in the file's header, or in none of its outside calls.",
    resolution=("Name samples as the `#CHROM` line of the file does.",),
)
OUTSIDE_CALLS_MALFORMED = define(
    "outside_calls_malformed",
    "Outside calls not understood",
    cause="The file of calls made elsewhere is not a tab-separated list of gene, diplotype, phenotype and activity "
    "score.",
    resolution=(
        "Write a gene on each line, with tabs between gene, diplotype, phenotype and activity score.",
        "Leave empty what is not known; a fifth column names the sample, where the file has several.",
        "For example: CYP2D6, a tab, *1/*4.",
    ),
)
PGX_NOTICE = define(
    "pgx_notice",
    "PGx calls to look at",
    cause="Something about the file limits what its PGx calls can tell. They are made, and marked where it matters.",
    resolution=("Look at the genes that are named, in the report of the sample.",),
)
PGX_RESULT_DAMAGED = define(
    "pgx_result_damaged",
    "The PGx result cannot be read",
    cause="The file with the PGx calls of this sample is missing or damaged, or a newer Varloom wrote it.",
    resolution=("Retry the job from the start.", "If a newer Varloom wrote it, upgrade this one."),
    status=500,
)
PGX_NOT_CALLED = define(
    "pgx_not_called",
    "The sample has no PGx calls",
    cause="PGx was not chosen for the job of this sample.",
    resolution=("Upload the file again with the option PGx.", "Or call it on your machine by `varloom pgx`."),
    status=404,
)
