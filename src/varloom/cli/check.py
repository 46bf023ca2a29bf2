"""`varloom check`: are files sound? Reads them as a job would, without a server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from varloom.cli.ending import end_in_order
from varloom.cli.exit_status import ERROR, OK
from varloom.cli.output import print_json
from varloom.cli.readable_file import STDIN
from varloom.garbage import free_nothing_at_exit

if TYPE_CHECKING:
    from varloom.reader import CheckResult


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Check the VCF, CSV and TSV files in folders, and in theirs.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=1, metavar="N", help="Check N files at a time; default: 1."
)
@click.option("-q", "--quiet", is_flag=True, help="Show only the files at fault.")
@click.option(
    "--warnings",
    type=click.Choice(["short", "all", "none"]),
    default="short",
    help="Show one line for each kind of warning, all of them with excerpts and advice, or none.",
)
@click.option("--strict", is_flag=True, help="Let warnings count as faults: the exit status is then 1.")
@click.option(
    "--max-problems",
    type=click.IntRange(min=1, max=100_000),
    default=20,
    metavar="N",
    help="Gather up to N errors of each file; default: 20.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on a line for each file, in order.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    *,
    files: tuple[str, ...],
    recursive: bool,
    jobs: int,
    quiet: bool,
    warnings: str,
    strict: bool,
    max_problems: int,
    as_json: bool,
) -> None:
    """Read files and report what is wrong, without a server.

    FILE is a VCF, CSV or TSV file, compressed or not, or - for the standard input. The exit status is 0 when all files
    are sound, 1 when any is refused or cannot be read, and 2 for wrong usage.
    """
    from varloom.cli.check_progress import CheckProgress
    from varloom.cli.check_report import Report, Warnings, is_at_fault
    from varloom.cli.check_run import check_all
    from varloom.cli.check_sources import sources_of
    from varloom.reader import ReadOptions
    from varloom.reader.short_process import begin_short_process

    end_in_order()
    begin_short_process()
    free_nothing_at_exit()
    if files.count(STDIN) > 1:
        raise click.UsageError("- can be given once.")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False
    sources = sources_of(files, recursive=recursive)
    report = Report(
        [source.name for source in sources], Warnings(warnings), quiet=quiet, strict=strict, max_problems=max_problems
    )
    sound = True
    with CheckProgress(sources) as progress:
        for result in check_all(sources, ReadOptions(max_problems=max_problems), jobs=jobs, progress=progress):
            at_fault = is_at_fault(result, strict=strict)
            sound = sound and not at_fault
            with progress.hidden():
                if not as_json:
                    report.tell(result)
                elif at_fault or not quiet:
                    _print_json(result, at_fault=at_fault, warnings=report.warnings is not Warnings.NONE)
    if not as_json:
        report.finish()
    ctx.exit(OK if sound else ERROR)


def _print_json(result: CheckResult, *, at_fault: bool, warnings: bool) -> None:
    told = {**result.as_dict(), "ok": not at_fault}
    if not warnings:
        told["problems"] = [problem.as_dict() for problem in result.errors]
    print_json(told)
