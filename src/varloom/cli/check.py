"""`varloom check`: is a file sound? Reads it as a job would, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from varloom.cli.exit_status import ERROR, OK
from varloom.cli.live_view import TransferBar, on_read
from varloom.cli.output import counts, describe, print_json
from varloom.cli.readable_file import STDIN, on_disk
from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from varloom.reader import CheckResult

PATH_LIMIT = 4096
"""The most characters of a path that are shown."""


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on a line for each file, in order.")
@click.pass_context
def check(ctx: click.Context, /, *, files: tuple[str, ...], as_json: bool) -> None:
    """Read files and report what is wrong, without a server.

    FILE is a VCF, CSV or TSV file, compressed or not, or - for the standard input. The exit status is 0 when all files
    are sound, and 1 when any is refused.
    """
    if files.count(STDIN) > 1:
        raise click.UsageError("- can be given once.")
    sound = True
    for name in files:
        result = _check(name)
        sound = sound and result.ok
        if as_json:
            print_json({**result.as_dict(), "path": name})
        else:
            _print(name, result)
    ctx.exit(OK if sound else ERROR)


def _check(name: str) -> CheckResult:
    from varloom.reader import check_file

    with on_disk(name) as path, TransferBar(f"Reading {name}", None) as bar:
        return check_file(path, on_progress=on_read(bar))


def _print(name: str, result: CheckResult) -> None:
    """A line for the file, then one for each problem with how to mend it."""
    from varloom.genomics.recognition import VARIANT_FORMATS

    verdict = click.style("ok", fg="green") if result.ok else click.style("refused", fg="red", bold=True)
    read = ""
    if result.records is not None:
        read = ", " + counts(result.records, result.variants if result.format in VARIANT_FORMATS else None)
    click.echo(f"{verdict}  {safe_excerpt(name, PATH_LIMIT)}: {(result.format or 'unreadable').upper()}{read}")
    told: set[tuple[str, ...]] = set()
    for problem in result.problems:
        as_dict = problem.as_dict()
        click.echo(f"  {as_dict['severity']}: {describe(as_dict)}")
        steps = tuple(as_dict["resolution"])
        if steps not in told:
            told.add(steps)
            for step in steps:
                click.echo(f"    - {step}")
