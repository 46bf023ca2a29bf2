"""What can go wrong with releases of reference data."""

from __future__ import annotations

from varloom.errors import define

REFERENCE_MALFORMED = define(
    "reference_malformed",
    "Reference file not understood",
    cause="A file of reference data does not have the format in which it is published, or is cut short.",
    resolution=(
        "Check that the file is the one that the publisher's page names for this kind of release, and download it again.",
        "Compare its checksum with the published one, or give that by --sha256.",
    ),
)
REFERENCE_WRONG_ASSEMBLY = define(
    "reference_wrong_assembly",
    "Reference data of another assembly",
    cause="The contigs, positions or reference bases of the file do not fit the assembly that was named.",
    resolution=("Name the assembly of the file by --assembly, or get the file for this assembly.",),
)
