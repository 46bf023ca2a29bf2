"""`varloom doctor`: what is wrong with an installation, and how it is mended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.ending import end_in_order
from varloom.cli.exit_status import ERROR
from varloom.cli.output import print_json
from varloom.errors import VarloomError, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.services.doctor.finding import Finding

_SIGNS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("PROBLEM", "red")}


@click.command()
@click.option("--deep", is_flag=True, help="Read every stored byte and compare checksums; it takes its time.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.option("--quiet", "-q", is_flag=True, help="Leave out what is well.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port that the server is to have.")
@click.option("--host", help="The address that the server is to listen on.")
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Where workers keep files meanwhile.")
@click.option("--storage", metavar="FOLDER|URL", help="Where files are kept; default: DATA/storage.")
@click.option("--database-url", help="A PostgreSQL instead of the embedded one; better in VARLOOM_DATABASE_URL.")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="The server's data folder [VARLOOM_DATA]."
)
def doctor(*, deep: bool, as_json: bool, quiet: bool, **flags: Any) -> int:
    """Look what is wrong with an installation, and say how it is mended.

    Give it the flags and variables of the server. It works while the server runs and while it does not: an embedded
    database that is off is started for the examination, and nothing is changed. The exit status is 1 if there is a
    problem; warnings alone leave it 0.
    """
    end_in_order()
    found = []
    for one in _findings(flags, deep=deep):
        found.append(one)
        if not as_json and not (quiet and one.verdict == "ok"):
            _print(one)
    number = Counter(one.verdict.value for one in found)
    if as_json:
        print_json({"ok": not number["problem"], "findings": [one.as_dict() for one in found]})
    else:
        problems, warnings = counted(number["problem"], "problem"), counted(number["warning"], "warning")
        click.echo(f"{problems}, {warnings}; {number['ok']:,} checks went well.")
    return ERROR if number["problem"] else 0


def _findings(flags: dict[str, Any], *, deep: bool) -> Iterator[Finding]:
    from varloom.services.doctor.examination import examined
    from varloom.services.doctor.finding import failed
    from varloom.settings import load_settings

    try:
        settings = load_settings(**flags)
    except VarloomError as error:
        yield failed("settings", error)
        return
    yield from examined(settings, deep=deep)


def _print(one: Finding) -> None:
    sign, colour = _SIGNS[one.verdict]
    place = f" [{one.place}]" if one.place else ""
    click.echo(f"{click.style(sign, fg=colour)} {one.id}: {one.message}{place}")
    for step in one.resolution:
        click.echo(f"  - {step}")
