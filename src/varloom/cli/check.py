"""`varloom check`: is a file sound? Reads it as a job would, without a server."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from varloom.cli.exit_status import ERROR, OK
from varloom.cli.live_view import TransferBar, on_read
from varloom.cli.output import describe, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.reader import CheckResult

STDIN = "-"


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

    with _on_disk(name) as path, TransferBar(f"Reading {name}", None) as bar:
        return check_file(path, on_progress=on_read(bar))


@contextlib.contextmanager
def _on_disk(name: str) -> Iterator[Path]:
    """The file's path; the standard input is written to a file first, as its format shows only in its bytes."""
    if name != STDIN:
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="varloom-check-") as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1024 * 1024)
        yield path


def _print(name: str, result: CheckResult) -> None:
    """A line for the file, then one for each problem with how to mend it."""
    verdict = click.style("ok", fg="green") if result.ok else click.style("refused", fg="red", bold=True)
    counts = ""
    if result.records is not None:
        counts = f", {result.records:,} records, {result.variants or 0:,} variants"
    click.echo(f"{verdict}  {name}: {(result.format or 'unreadable').upper()}{counts}")
    told: set[tuple[str, ...]] = set()
    for problem in result.problems:
        as_dict = problem.as_dict()
        click.echo(f"  {as_dict['severity']}: {describe(as_dict)}")
        steps = tuple(as_dict["resolution"])
        if steps not in told:
            told.add(steps)
            for step in steps:
                click.echo(f"    - {step}")
