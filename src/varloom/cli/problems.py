"""What can go wrong on the user's side of the command line."""

from __future__ import annotations

from varloom.client.problems import (
    OUTPUT_UNWRITABLE,
    RESPONSE_UNEXPECTED,
    SAMPLE_AMBIGUOUS,
    SAMPLE_UNKNOWN,
    SERVER_UNKNOWN,
    SERVER_UNREACHABLE,
    SOURCE_CHANGED,
    SOURCE_UNREADABLE,
)
from varloom.errors import define

__all__ = [
    "CHECK_CRASHED",
    "COMMAND_FAILED",
    "OUTPUT_UNWRITABLE",
    "REFERENCE_AMBIGUOUS",
    "RESPONSE_UNEXPECTED",
    "SAMPLE_AMBIGUOUS",
    "SAMPLE_UNKNOWN",
    "SERVER_UNKNOWN",
    "SERVER_UNREACHABLE",
    "SOURCE_CHANGED",
    "SOURCE_UNREADABLE",
]

COMMAND_FAILED = define(
    "command_failed",
    "The command failed unexpectedly",
    cause="Something happened in the command, or in the server's answer to it, that Varloom does not know.",
    resolution=(
        "Check that the command and the server have the same version: `varloom --version`.",
        "If it fails again, send this message to whoever maintains Varloom.",
    ),
)
CHECK_CRASHED = define(
    "check_crashed",
    "The check was cut off",
    cause="The process that read the file died: the system ended it for lack of memory, or Varloom has a fault.",
    resolution=(
        "Check the file alone, without --jobs.",
        "If it fails again, send the file to whoever maintains Varloom.",
    ),
)
REFERENCE_AMBIGUOUS = define(
    "reference_ambiguous",
    "Several releases of this name",
    cause="More than one release of reference data fits what was given.",
    resolution=("Say which one by --kind, --assembly and --release; `varloom refs list` shows them.",),
)
