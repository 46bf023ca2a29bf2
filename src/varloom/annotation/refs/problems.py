"""What can go wrong with releases of reference data."""

from __future__ import annotations

from varloom.errors import define

REFERENCE_MALFORMED = define(
    "reference_malformed",
    "Reference file not understood",
    cause="A file of reference data does not have the format in which it is published, or is cut short.",
    resolution=(
        "Check that the file is the one that the publisher names for this kind of release; download it again.",
        "Compare its checksum with the published one, or give that by --sha256.",
    ),
)
REFERENCE_WRONG_ASSEMBLY = define(
    "reference_wrong_assembly",
    "Reference data of another assembly",
    cause="The contigs, positions or reference bases of the file do not fit the assembly that was named.",
    resolution=("Name the assembly of the file by --assembly, or get the file for this assembly.",),
)
REFERENCE_NAME_INVALID = define(
    "reference_name_invalid",
    "Release cannot be named so",
    cause="The kind, the name, the assembly or the release is not one that the library of reference data can have.",
    resolution=(
        "Use a kind and a name that `varloom refs list` shows.",
        "Write the release with letters, digits, `.`, `_` and `-`, such as 2026-11-15 or v4.1.",
    ),
)
REFERENCE_EXISTS = define(
    "reference_exists",
    "Release installed already",
    cause="There is a release of this kind, name and assembly with this release name. Releases are never changed.",
    resolution=(
        "Give the new file another release name by --release.",
        "Or remove the old one first by `varloom refs remove`.",
    ),
    status=409,
)
REFERENCE_MISSING = define(
    "reference_missing",
    "Release not installed",
    cause="There is no such release in the library of reference data, or it was removed.",
    resolution=("See by `varloom refs list` what is installed, and add it by `varloom refs add`.",),
    status=404,
)
REFERENCE_IN_USE = define(
    "reference_in_use",
    "Release in use",
    cause="A job is annotated with this release, or analyses reads by it, or waits to do so, so it is not removed.",
    resolution=(
        "Wait until the jobs that need it have ended, or cancel them, and try again.",
        "A job that failed or was cancelled, and a server that annotated single variants, lets go within ten minutes.",
        "Or remove it all the same by `varloom refs remove --force`: jobs that need it then fail.",
    ),
    status=409,
)
REFERENCE_NEEDED = define(
    "reference_needed",
    "Alignments need this genome",
    cause="A CRAM tells how reads differ from the genome that they were aligned to: without that release the "
    "alignments of some samples could not be read any more.",
    resolution=(
        "Keep the release as long as these samples are there. A deleted sample counts until it cannot be brought back.",
        "Or remove it all the same by `varloom refs remove --force`: tables and VCFs stay as they are.",
        "The CRAMs can be read again once the same FASTA is added under the same name and release.",
    ),
    status=409,
)
REFERENCE_REMOVED = define(
    "reference_removed",
    "Release removed meanwhile",
    cause="A release with which a job had begun to annotate was removed by force before the job was done.",
    resolution=("Retry the job: it begins anew, with the reference data that is installed then.",),
    status=409,
)
REFERENCE_CHECKSUM = define(
    "reference_checksum",
    "Checksum differs",
    cause="The file is not the one whose SHA-256 was given: its download broke off, or it is another release.",
    resolution=("Download the file again.", "Check that the checksum is that of this file, in hexadecimal."),
)
REFERENCE_UNREADABLE = define(
    "reference_unreadable",
    "Reference file cannot be read",
    cause="The file or folder of reference data does not exist, is empty, or may not be read.",
    resolution=("Check the path and its permissions.",),
)
REFERENCE_DAMAGED = define(
    "reference_damaged",
    "Release damaged",
    cause="A file of an installed release is missing or changed, or a newer Varloom wrote it.",
    resolution=(
        "Remove the release by `varloom refs remove` and add it again.",
        "If a newer Varloom wrote it, upgrade this one.",
    ),
    status=500,
)
