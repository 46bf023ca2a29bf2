"""What can go wrong on the side of whoever talks to a server: the command line, and programs."""

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
PROJECT_UNKNOWN = define(
    "project_unknown",
    "No such project",
    cause="The account is a member of no project with the given name.",
    resolution=("`varloom projects list` lists the projects.", "Ask an owner of the project to add this account."),
)
PROJECT_AMBIGUOUS = define(
    "project_ambiguous",
    "The project is not clear",
    cause="Several projects have the given name.",
    resolution=("Give the project's id: `varloom projects list` lists them.",),
)
JOB_CANCELLED = define(
    "job_cancelled",
    "The job was cancelled",
    cause="A program waited for a job with the Python client, and somebody cancelled it.",
    resolution=("Retry the job if it was not meant.",),
)
PACKAGE_MISSING = define(
    "package_missing",
    "A Python package is missing",
    cause="The Python client was asked for a data frame of a package that is not installed.",
    resolution=("Install the named package beside Varloom, or ask for an Arrow table instead.",),
)
