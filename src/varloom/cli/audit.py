"""`varloom audit`: who did what, when and from where."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.output import local_time, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

PAGE = 500
COLUMNS = (
    "id",
    "at",
    "action",
    "status",
    "account_name",
    "account_id",
    "proof",
    "address",
    "user_agent",
    "subject_kind",
    "subject_id",
    "request_id",
    "details",
)


@click.group()
def audit() -> None:
    """List and export who did what, when and from where."""


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--subject", metavar="ID", help="Only what is about the sample, job or other thing with this id."),
        click.option("--account", metavar="NAME", help="Only what this account did."),
        click.option("--action", help="Only this action, such as sample.exported."),
        click.option("--until", metavar="WHEN", help="Before this date, or time in ISO 8601."),
        click.option("--since", metavar="WHEN", help="From this date, or time in ISO 8601, on."),
    ):
        command = option(command)
    return command


@audit.command("list")
@_filters
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@server_options
def list_entries(
    *,
    since: str | None,
    until: str | None,
    action: str | None,
    account: str | None,
    subject: str | None,
    limit: int,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """List entries, newest first: for owners of the server everybody's, for others their own."""
    wanted = _wanted(since, until, action, account, subject)
    with connected(url, token, data) as server:
        found = [entry for entry, _ in zip(_entries(server, wanted), range(limit), strict=False)]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            local_time(one["at"]),
            one["account_name"] or one["details"].get("account_name") or "-",
            one["action"],
            "no outcome" if one["status"] is None else one["status"],
            f"{one['subject_kind']} {one['subject_id']}" if one["subject_kind"] else "",
            one["address"] or "",
        )
        for one in found
    ]
    print_table(("WHEN", "WHO", "ACTION", "STATUS", "ABOUT", "FROM"), rows)


@audit.command("export")
@_filters
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", help="By default JSON lines.")
@click.option(
    "-o", "--output", type=click.File("w", encoding="utf-8", lazy=False), default="-", help="A file; - for the output."
)
@server_options
def export(
    *,
    since: str | None,
    until: str | None,
    action: str | None,
    account: str | None,
    subject: str | None,
    kind: str,
    output: TextIO,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Write all entries that are wanted, newest first."""
    wanted = _wanted(since, until, action, account, subject)
    with connected(url, token, data) as server:
        if kind == "jsonl":
            output.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in _entries(server, wanted))
        else:
            table = csv.writer(output)
            table.writerow(COLUMNS)
            for entry in _entries(server, wanted):
                table.writerow([_cell(entry[name]) for name in COLUMNS])


def _entries(server: Server, wanted: dict[str, str]) -> Iterator[dict[str, Any]]:
    before: int | None = None
    while True:
        page = server.get("/audit", **wanted, limit=PAGE, before=before)
        yield from page["entries"]
        if page["next"] is None:
            return
        before = page["next"]


def _wanted(
    since: str | None, until: str | None, action: str | None, account: str | None, subject: str | None
) -> dict[str, str]:
    given = {
        "since": since and _moment("--since", since),
        "until": until and _moment("--until", until),
        "action": action,
        "name": account,
        "subject": subject,
    }
    return {name: value for name, value in given.items() if value}


def _moment(option: str, text: str) -> str:
    """A moment in ISO 8601 with its offset from UTC; what names none is meant here."""
    try:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day).astimezone().isoformat()
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{option}: expected a date or a time such as 2026-12-01T08:30, not {text!r}."
        ) from None


def _cell(value: object) -> object:
    """A value as a cell, which a spreadsheet shows as it is: never as a formula."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
