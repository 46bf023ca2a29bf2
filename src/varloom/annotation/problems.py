"""What can go wrong while variants are annotated."""

from __future__ import annotations

from varloom.errors import define

REFERENCE_DATA_MISSING = define(
    "reference_data_missing",
    "Reference data is not installed",
    cause="The annotation that was chosen needs reference data of the file's assembly, and none is installed here.",
    resolution=(
        "Ask the operator to install it with `varloom refs add`; `varloom refs list` says what is missing.",
        "To see how annotation works, install the demonstration data with `varloom refs demo` and load its files.",
        "Or load the file without annotation.",
    ),
    status=409,
)

ASSEMBLY_NEEDED = define(
    "assembly_needed",
    "The assembly of the file is not known",
    cause="Annotation needs the assembly of the coordinates, and neither the options nor the file's header tell it.",
    resolution=("Choose the assembly, GRCh37 or GRCh38, and try again.",),
)

ASSEMBLY_CONTRADICTED = define(
    "assembly_contradicted",
    "The header tells another assembly than was chosen",
    cause="The file was annotated by the assembly that was chosen, and its header declares another one for certain: by "
    "the lengths or checksums of its contigs, or by the name of its reference.",
    resolution=("See which is right. If it is the header, annotate the sample again with the other assembly.",),
)

ANNOTATION_NEEDS_VARIANTS = define(
    "annotation_needs_variants",
    "The file holds no variants",
    cause="A table (CSV, TSV) was to be annotated. Only the variants of a VCF or BCF can be.",
    resolution=("Load the file without annotation.",),
)

ANNOTATION_STALLED = define(
    "annotation_stalled",
    "Annotation made no progress",
    cause="Single variants are set aside when their annotation stalls, crashes or fails; here there are so many of "
    "them that something else must be wrong.",
    resolution=(
        "Try again, should the machine have been overloaded.",
        "Or load the file without annotation, and annotate the variants of interest on demand.",
    ),
    retryable=True,
)

ANNOTATION_SOURCE_FAILED = define(
    "annotation_source_failed",
    "An annotation source could not be opened",
    cause="The reference data of a source could not be used, or the program that reads it ended unexpectedly.",
    resolution=(
        "Check the data with `varloom refs verify`, and install it again if it is damaged.",
        "Or load the file without annotation.",
    ),
    retryable=True,
)

ANNOTATION_INCONSISTENT = define(
    "annotation_inconsistent",
    "The annotation does not fit the file",
    cause="The annotation was made of another number of variants than the file has now.",
    resolution=("Try again from the start. If it fails again, report this as a bug.",),
    retryable=True,
)

VARIANTS_SET_ASIDE = define(
    "variants_set_aside",
    "Variants without annotation",
    cause="An annotation source could not work on some variants. They are in the table, without this source's values.",
    resolution=("Look at the named variants; annotate them on demand when what is wrong with them is mended.",),
)

ANNOTATION_SYNTHETIC = define(
    "annotation_synthetic",
    "The annotation is synthetic",
    cause="The file is on the demonstration genome of Varloom, and was annotated with the demonstration data. Genome, "
    "genes, variants, frequencies and scores are all made.",
    resolution=("Use it to learn how annotation works, and for nothing else.",),
)
SYNTHETIC_TOLD = "The annotation is synthetic demonstration data: it says nothing of any person, gene or disease."

VARIANT_NOT_UNDERSTOOD = define(
    "variant_not_understood",
    "The variant is not understood",
    cause="A variant that was to be annotated is not written in a way that is known, or its place does not exist.",
    resolution=(
        "Write it as `chr7:117559590:A:G`, `chr7:g.117559590A>G`, `NM_000492.4:c.1521_1523del`, or as an rs number.",
        "Check the assembly of its coordinates; on a transcript its version, and the bases of the transcript's strand.",
    ),
)
