"""`varloom samples`: what completed jobs left; and how a sample is found by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.output import local_time, print_json, print_table
from varloom.cli.problems import SAMPLE_AMBIGUOUS, SAMPLE_UNKNOWN
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Sample = dict[str, Any]

PAGE = 500
NAME_LIMIT = 200
"""No sample has a longer name, and no longer one can be looked for."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of samples.")
@server_options
def samples(*, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List the samples, newest first."""
    with connected(url, token, data) as server:
        found = list(_all(server))
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
        )
        for sample in found
    ]
    print_table(("ID", "NAME", "RECORDS", "VARIANTS", "ASSEMBLY", "CREATED"), rows)


def find_sample(server: Server, wanted: str) -> Sample:
    """The sample with this id, or the only one with this name.

    Raises:
        VarloomError: `sample_unknown`, `sample_ambiguous`, or `sample_not_found` for an id.
    """
    try:
        found: Sample = server.get(f"/samples/{UUID(wanted)}")
    except ValueError:
        named = [sample for sample in _all(server, search=wanted[:NAME_LIMIT]) if sample["name"] == wanted]
    else:
        return found
    shown = safe_excerpt(wanted, 60)
    if not named:
        raise VarloomError(SAMPLE_UNKNOWN, f"No sample has the name {shown!r}.")
    if len(named) > 1:
        raise VarloomError(SAMPLE_AMBIGUOUS, f"{len(named)} samples have the name {shown!r}.")
    return named[0]


def _all(server: Server, search: str | None = None) -> Iterator[Sample]:
    """All samples, page by page."""
    cursor = None
    while True:
        page = server.get("/samples", limit=PAGE, cursor=cursor, search=search)
        yield from page["samples"]
        cursor = page["next"]
        if cursor is None:
            return
