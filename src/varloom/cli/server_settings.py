"""The flags that `serve` and `worker` share, and how their processes log."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from varloom.jobs.attempt_log import redacted
from varloom.log_lines import LOG_FORMAT_VARIABLE, log_json

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., Any])


def data_options(command: Command) -> Command:
    """Add the flags that say where the data are and what a worker does."""
    command = click.option(
        "--slots", metavar="STAGE=N,...", help="How many stages of each kind the worker runs at once: parse=2."
    )(command)
    command = click.option(
        "--scratch",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for what a worker fetches from an object store; default: the system's for temporary files.",
    )(command)
    command = click.option(
        "--storage",
        metavar="FOLDER|URL",
        help="Where uploads and datasets are kept: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or "
        "az://CONTAINER/PREFIX; default: DATA/storage.",
    )(command)
    command = click.option(
        "--database-url", help="A PostgreSQL to use instead of the embedded one; better in VARLOOM_DATABASE_URL."
    )(command)
    command = click.option("-v", "--verbose", is_flag=True, help="Log every request and step.")(command)
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the database and all files [VARLOOM_DATA].",
    )(command)


class OneLine(logging.Formatter):
    """A line for each entry; only a traceback takes more. What gives access to something is taken out of either."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry's line, and its traceback."""
        return "\n".join(map(redacted, super().format(record).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The entry's line."""
        return super().formatMessage(record).replace("\n", " ")


def log_to_stderr(*, verbose: bool, form: str = "text") -> None:
    """Log warnings, or everything that Varloom does, to the standard error: in the setting `log_format`."""
    if form == "json":
        log_json(redacted)
        os.environ[LOG_FORMAT_VARIABLE] = form  # for the processes that begin to log before they are told more
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(handlers=[handler], level=logging.WARNING)
    if verbose:
        logging.getLogger("varloom").setLevel(logging.INFO)
