"""What can go wrong when consequences are found."""

from __future__ import annotations

from varloom.errors import define

CONSEQUENCE_FAILED = define(
    "consequence_failed",
    "Consequences could not be found",
    cause="The program that finds consequences, bcftools csq, ended with an error or was killed.",
    resolution=(
        "Retry: what was done before is kept.",
        "If it fails again, look whether the machine has memory and disk space left.",
        "Check the installed gene model and reference with `varloom refs verify`.",
    ),
    retryable=True,
)
CONSEQUENCE_DATA_UNUSABLE = define(
    "consequence_data_unusable",
    "Gene model or reference not usable",
    cause="The files of the installed gene model or reference sequence are missing, damaged, or do not fit together.",
    resolution=("Verify the releases with `varloom refs verify`, and install them again if that finds a fault.",),
)
