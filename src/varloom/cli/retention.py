"""`varloom retention`: what is let go by age, before it goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.ending import end_in_order
from varloom.cli.output import local_time, print_json, print_table, size
from varloom.errors import counted

if TYPE_CHECKING:
    from varloom.services.retention import Due, Report

_WHAT = {
    "keep_originals_days": ("original files of completed jobs", "original file"),
    "keep_failed_days": ("failed and cancelled jobs, with their files", "job"),
    "keep_logs_days": ("logs of attempts", "log"),
}


@click.command()
@click.option("--dry-run/--apply", default=True, help="Only tell what would go (the default), or let it go now.")
@click.option("--keep-originals-days", type=click.FloatRange(min=1), help="Instead of the setting.")
@click.option("--keep-failed-days", type=click.FloatRange(min=1), help="Instead of the setting.")
@click.option("--keep-logs-days", type=click.FloatRange(min=1), help="Instead of the setting.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.option("--storage", metavar="FOLDER|URL", help="Where files are kept; default: DATA/storage.")
@click.option("--database-url", help="A PostgreSQL instead of the embedded one; better in VARLOOM_DATABASE_URL.")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="The server's data folder [VARLOOM_DATA]."
)
def retention(*, dry_run: bool, as_json: bool, **flags: Any) -> None:
    """Tell what is let go by age, before it goes: how much, and how large it is.

    Without settings everything is kept. Workers let go what the settings say every ten minutes; --apply does it at
    once. Tables, results, the records of jobs and the audit log never go by age. Give it the flags and variables of
    the server; it works while the server runs and while it does not.
    """
    from varloom.services.retention import apply, report
    from varloom.settings import load_settings

    end_in_order()
    settings = load_settings(**flags)
    found = report(settings)
    gone = {} if dry_run else asyncio.run(apply(settings))
    if as_json:
        folders, size_of_them = found.garbage
        garbage = {"folders": folders, "bytes": size_of_them}
        print_json({"due": [one.as_dict() for one in found.due], "garbage": garbage, "gone": gone})
        return
    _print(found)
    if dry_run:
        return
    told = [counted(number, _WHAT[rule][1]) for rule, number in gone.items()]
    click.echo(f"Let go: {', '.join(told)}." if told else "Nothing was let go.")
    if told:
        click.echo("Files go with the next sweep of a worker, within ten minutes. The audit log tells of each.")


def _print(found: Report) -> None:
    print_table(("WHAT", "SETTING", "KEPT", "WOULD GO", "SIZE", "OLDEST"), [_row(one) for one in found.due])
    folders, size_of_them = found.garbage
    click.echo(
        f"Nothing needs any more, and the next sweep removes: {counted(folders, 'folder')}, {size(size_of_them)}."
    )


def _row(one: Due) -> tuple[str, ...]:
    what, _ = _WHAT[one.rule]
    if one.days is None:
        return what, one.rule, "for ever", "nothing", "", ""
    oldest = local_time(one.oldest.isoformat()) if one.oldest else ""
    return what, one.rule, f"{one.days:g} days", f"{one.things:,}", size(one.bytes), oldest
