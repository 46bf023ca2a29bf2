"""`varloom samples`: what completed jobs left; and how a sample or a project is found by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.output import local_time, print_json, print_table
from varloom.cli.problems import SAMPLE_AMBIGUOUS, SAMPLE_UNKNOWN
from varloom.client.problems import PROJECT_AMBIGUOUS, PROJECT_UNKNOWN
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Sample = dict[str, Any]

PAGE = 500
NAME_LIMIT = 200
"""No sample has a longer name, and no longer one can be looked for."""


@click.command()
@click.option("--project", metavar="PROJECT", help="Only samples of this project, by its id or name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of samples.")
@server_options
def samples(*, project: str | None, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List the samples, newest first.

    Samples that projects share with you are among them, each with whose it is.
    """
    with connected(url, token, data) as server:
        found = list(all_samples(server, project=None if project is None else project_id_of(server, project)))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            sample["id"],
            sample["name"],
            sample["records"],
            sample["variants"],
            sample["datasets"][0]["assembly"],
            local_time(sample["created_at"]),
            sample["shared_by"] or "",
        )
        for sample in found
    ]
    print_table(("ID", "NAME", "RECORDS", "VARIANTS", "ASSEMBLY", "CREATED", "SHARED BY"), rows)


def find_sample(server: Server, wanted: str, *, project: str | None = None) -> Sample:
    """The sample with this id, or the only one with this name, of a project if one is given.

    An own one goes before those that are shared: what others share changes nothing for who names an own sample.

    Raises:
        VarloomError: `sample_unknown`, `sample_ambiguous`, or `sample_not_found` for an id.
    """
    try:
        found: Sample = server.get(f"/samples/{UUID(wanted)}")
    except ValueError:
        search = wanted[:NAME_LIMIT]
        named = [one for one in all_samples(server, search=search, project=project) if one["name"] == wanted]
        named = [one for one in named if one["shared_by"] is None] or named
    else:
        return found
    shown = safe_excerpt(wanted, 60)
    if not named:
        raise VarloomError(SAMPLE_UNKNOWN, f"No sample has the name {shown!r}.")
    if len(named) > 1:
        raise VarloomError(SAMPLE_AMBIGUOUS, f"{len(named)} samples have the name {shown!r}.")
    return named[0]


def project_id_of(server: Server, wanted: str) -> str:
    """The id of a project, given by it or by the name that only one of the account's projects has.

    Raises:
        VarloomError: `project_unknown`, `project_ambiguous`.
    """
    try:
        return str(UUID(wanted))
    except ValueError:
        named = [one for one in server.get("/projects")["projects"] if one["name"].lower() == wanted.strip().lower()]
    shown = safe_excerpt(wanted, 60)
    if not named:
        raise VarloomError(PROJECT_UNKNOWN, f"You are a member of no project with the name {shown!r}.")
    if len(named) > 1:
        raise VarloomError(PROJECT_AMBIGUOUS, f"{len(named)} projects have the name {shown!r}.")
    return str(named[0]["id"])


def all_samples(server: Server, *, search: str | None = None, project: str | None = None) -> Iterator[Sample]:
    """All samples, or those of a project, page by page."""
    cursor = None
    while True:
        page = server.get("/samples", limit=PAGE, cursor=cursor, search=search, project=project)
        yield from page["samples"]
        cursor = page["next"]
        if cursor is None:
            return
