"""The program: its commands by name, and how an error ends it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

import varloom
from varloom.cli.exit_status import ERROR, INTERRUPTED
from varloom.errors import VarloomError
from varloom.garbage import collect_seldom, leave
from varloom.unneeded_imports import leave_pandas_out

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

# Arrow's own allocators keep what they were once given: with the system's, loading a file takes a third less memory and
# no more time. The threads that numpy would start for linear algebra have nothing to do here. Children inherit both.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
collect_seldom()

COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("varloom.cli.serve:serve", "Start the server, its database and a worker."),
    "worker": ("varloom.cli.worker:worker", "Run a worker beside a server, on this or another machine."),
    "login": ("varloom.cli.login:login", "Print a link that logs a browser in, once."),
    "submit": ("varloom.cli.submit:submit", "Load files or URLs; each becomes a job."),
    "jobs": ("varloom.cli.jobs:jobs", "List the jobs, newest first."),
    "job": ("varloom.cli.jobs:job", "Show one job and its history."),
    "watch": ("varloom.cli.watch:watch", "Follow jobs until they end."),
    "retry": ("varloom.cli.jobs:retry", "Queue a failed or cancelled job again, or end its wait for a retry."),
    "cancel": ("varloom.cli.jobs:cancel", "Stop a job."),
    "priority": ("varloom.cli.jobs:priority", "Let a job go before or after others."),
    "dismiss": ("varloom.cli.jobs:dismiss", "Take a job that has ended out of the list."),
    "queue": ("varloom.cli.queue:queue", "Show what waits and who works; pause and resume."),
    "samples": ("varloom.cli.samples:samples", "List the samples, newest first."),
    "projects": ("varloom.cli.projects:projects", "Share samples with other accounts."),
    "files": ("varloom.cli.files:files", "List the files of a sample beside its table, or download them."),
    "export": ("varloom.cli.export:export", "Write the table of a sample to a file."),
    "check": ("varloom.cli.check:check", "Read files and report what is wrong, without a server."),
    "load": ("varloom.cli.load:load", "Turn a file into a Parquet dataset, without a server."),
    "process": ("varloom.cli.process:process", "Align reads and call variants, without a server."),
    "call": ("varloom.cli.process:process", "The same as `process`."),
    "annotate": ("varloom.cli.annotate:annotate", "Tell what is known of chosen variants."),
    "pgx": ("varloom.cli.pgx:pgx", "Call pharmacogenes in a file, without a server."),
    "mcp": ("varloom.cli.mcp:mcp", "Serve tools for chat assistants (Model Context Protocol)."),
    "refs": ("varloom.cli.refs:refs", "Add, list, verify and remove reference data for annotation."),
    "credentials": ("varloom.cli.credentials:credentials", "Store, list, test and remove credentials for URLs."),
    "doctor": ("varloom.cli.doctor:doctor", "Look what is wrong with an installation, and say how it is mended."),
    "backup": ("varloom.cli.backup:backup", "Write a backup into the new folder DIR."),
    "restore": ("varloom.cli.backup:restore", "Restore the backup DIR into an empty data folder."),
    "notices": ("varloom.cli.notices:notices", "Choose how you are told of jobs that have ended."),
    "retention": ("varloom.cli.retention:retention", "Tell what is let go by age, before it goes."),
    "users": ("varloom.cli.users:users", "List, add and change the people of the server."),
    "audit": ("varloom.cli.audit:audit", "List and export who did what, when and from where."),
    "tokens": ("varloom.cli.tokens:tokens", "Create, list and revoke API tokens."),
}
"""Where each command lives, and its line in `varloom --help`; listing them loads none of them."""


class LazyCommands(Mapping[str, click.Command]):
    """The commands by name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Program(click.Group):
    """The group of all commands. An expected failure ends it in words, never in a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *rest: Any, **extra: Any
    ) -> NoReturn:
        """Run one command and exit with its status."""
        extra["standalone_mode"] = False
        _fill_in_outputs()
        try:
            status: Any = super().main(args, prog_name, *rest, **extra)
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except VarloomError as error:
            _print(error)
            sys.exit(ERROR)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # whoever read our output has gone; say nothing more, not even at exit
            _drop_output()
            sys.exit(ERROR)
        except Exception as error:  # noqa: BLE001 - the last resort: a command ends in words
            _drop_output()
            _tell(error)
            sys.exit(ERROR)
        sys.exit(status if isinstance(status, int) else 0)


def _fill_in_outputs() -> None:
    """What is printed goes nowhere where the caller has closed an output, as `>&-` does."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _drop_output() -> None:
    """What is still to be printed goes nowhere: the interpreter must not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: Exception) -> None:
    """A failure that nobody expected, in a line; servers and workers write the whole of it to their log."""
    import logging  # not above, for what it does at exit has to be registered after what `garbage` does

    from varloom.cli.problems import COMMAND_FAILED, OUTPUT_UNWRITABLE

    if isinstance(error, OSError) and error.filename is None:
        told = VarloomError(OUTPUT_UNWRITABLE, f"{error.strerror or error}.")
    else:
        told = VarloomError(COMMAND_FAILED, f"{type(error).__name__}: {error}")
    logger = logging.getLogger(__name__)
    if logger.hasHandlers():
        logger.error("The command failed.", exc_info=error)
    _print(told)


def _print(error: VarloomError) -> None:
    """An error in words; or as an entry of the log, where that is JSON."""
    import logging

    from varloom.cli.output import print_error
    from varloom.log_lines import logs_json

    if logs_json():
        logging.getLogger(__name__).error("%s", error, extra={"fields": {"code": error.code}})
    else:
        print_error(error.as_dict())


@click.group(
    cls=Program,
    commands=cast("MutableMapping[str, click.Command]", LazyCommands()),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 success, 1 error or refused input, 2 wrong usage, 3 the job failed, 4 it was cancelled.",
)
@click.version_option(varloom.__version__, message="varloom %(version)s")
def main() -> None:
    """Varloom turns genomic files into tables that can be analysed."""


def run() -> None:
    """The program as a process of its own, of which this is the end."""
    leave_pandas_out()
    try:
        main()
    except SystemExit as end:
        leave(end)
