"""`varloom watch`: follow jobs until they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.exit_status import status_of
from varloom.cli.following import follow
from varloom.cli.live_view import JobChanges
from varloom.cli.output import print_error

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


@click.command()
@click.argument("job_ids", metavar="ID...", type=click.UUID, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the job as a JSON object on a line at each change.")
@server_options
@click.pass_context
def watch(
    ctx: click.Context,
    /,
    *,
    job_ids: tuple[UUID, ...],
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Follow jobs until they end.

    The exit status says how they ended. The jobs go on whether they are watched or not.
    """
    wanted = list(dict.fromkeys(str(job_id) for job_id in job_ids))
    changes = JobChanges(as_json=as_json, on_stdout=True)
    with connected(url, token, data) as server:
        ended = follow(server, wanted, changes)
    changes.clear()
    for job in ended.values():
        if job["state"] == "failed" and job["error"]:
            print_error(job["error"])
    ctx.exit(status_of(ended.values()))
