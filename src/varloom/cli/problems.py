"""What can go wrong on the user's side of the command line."""

from __future__ import annotations

from varloom.errors import define

SERVER_UNKNOWN = define(
    "server_unknown",
    "No server is known",
    cause="The command needs a server, but none was named, and the data folder does not say that one runs.",
    resolution=(
        "Start one with `varloom serve`.",
        "Or name one with --url and --token, or with VARLOOM_URL and VARLOOM_TOKEN.",
        "If the server uses another data folder, name it with --data.",
    ),
)
SERVER_UNREACHABLE = define(
    "server_unreachable",
    "The server cannot be reached",
    cause="Nothing answered at the server's address, or the connection broke off.",
    resolution=("Check that `varloom serve` runs and that the address is right.", "Then try again."),
    retryable=True,
)
RESPONSE_UNEXPECTED = define(
    "response_unexpected",
    "The server's answer is not understood",
    cause="Something answered at the address, but not as a Varloom server does.",
    resolution=("Check that the address is that of a Varloom server.",),
)
SOURCE_UNREADABLE = define(
    "source_unreadable",
    "The file cannot be read",
    cause="The file does not exist, is a folder, or may not be read by this user.",
    resolution=("Check the path and the permissions of the file.",),
)
SOURCE_CHANGED = define(
    "source_changed",
    "The file changed while it was sent",
    cause="The file was written to, replaced or removed between its first and its last byte, so that what arrived may "
    "be of two versions. Nothing of it was kept.",
    resolution=("Wait until the program that writes the file has ended, then send it again.",),
)
OUTPUT_UNWRITABLE = define(
    "output_unwritable",
    "The output cannot be written",
    cause="The output file cannot be created or written by this user, or the disk is full.",
    resolution=("Free space, or choose another output, with -o where the command has it.",),
)
COMMAND_FAILED = define(
    "command_failed",
    "The command failed unexpectedly",
    cause="Something happened in the command, or in the server's answer to it, that Varloom does not know.",
    resolution=(
        "Check that the command and the server have the same version: `varloom --version`.",
        "If it fails again, send this message to whoever maintains Varloom.",
    ),
)
SAMPLE_AMBIGUOUS = define(
    "sample_ambiguous",
    "The sample is not clear",
    cause="Several samples have the given name.",
    resolution=("Give the sample's id: `varloom samples` lists them.",),
)
SAMPLE_UNKNOWN = define(
    "sample_unknown",
    "No such sample",
    cause="The account has no sample with the given name.",
    resolution=("`varloom samples` lists the samples; names are case-sensitive.",),
)
PROJECT_AMBIGUOUS = define(
    "project_ambiguous",
    "The project is not clear",
    cause="Several projects have the given name.",
    resolution=("Give the project's id: `varloom projects list` lists them.",),
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
