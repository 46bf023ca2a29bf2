"""`varloom tokens`: API tokens for programs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.output import local_time, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


SCOPES = ("read", "submit", "full")
MOST_DAYS = 36_500


@click.group()
def tokens() -> None:
    """Create, list and revoke API tokens."""


@tokens.command("create")
@click.argument("label")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="full",
    help="What it may do: look; also load files and act on jobs; all that the account may (the default).",
)
@click.option(
    "--expires", metavar="WHEN", help="After so many days (90d), or at a date (2027-12-31); by default never."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
def create(
    *,
    label: str,
    scope: str,
    expires: str | None,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Make a token and print it; it cannot be shown again."""
    new = {"label": label, "scope": scope, "expires_at": None if expires is None else _end(expires)}
    with connected(url, token, data) as server:
        made = server.request("POST", "/tokens", json=new)
    if as_json:
        print_json(made)
    else:
        click.echo(made["token"])


@tokens.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@server_options
def list_tokens(
    *,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """List the tokens that can be used, without their secrets."""
    with connected(url, token, data) as server:
        found = server.get("/tokens")["tokens"]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["id"],
            one["label"],
            one["scope"],
            *(local_time(one[when]) for when in ("created_at", "last_used_at", "expires_at")),
        )
        for one in found
    ]
    print_table(("ID", "LABEL", "SCOPE", "CREATED", "LAST USED", "EXPIRES"), rows)


@tokens.command("revoke")
@click.argument("token_id", metavar="ID", type=click.UUID)
@server_options
def revoke(*, token_id: UUID, url: str | None, token: str | None, data: Path | None) -> None:
    """Make a token useless at once."""
    with connected(url, token, data) as server:
        server.request("DELETE", f"/tokens/{token_id}")


def _end(text: str) -> str:
    """The moment that was meant, in ISO 8601: after so many days, or at the end of a day, here."""
    if (match := re.fullmatch(r"(\d{1,5})d", text.strip())) and int(match[1]) <= MOST_DAYS:
        return (datetime.now(UTC) + timedelta(days=int(match[1]))).isoformat()
    try:
        day = date.fromisoformat(text.strip())
        return datetime(day.year, day.month, day.day, 23, 59, 59).astimezone().isoformat()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"expected days such as 90d, or a date such as 2027-12-31, not {text!r}.") from None
