"""`varloom tokens`: API tokens for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.output import local_time, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


@click.group()
def tokens() -> None:
    """Create, list and revoke API tokens."""


@tokens.command("create")
@click.argument("label")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
def create(
    *,
    label: str,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Make a token and print it; it cannot be shown again."""
    with connected(url, token, data) as server:
        made = server.request("POST", "/tokens", json={"label": label})
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
    rows = [(one["id"], one["label"], local_time(one["created_at"]), local_time(one["last_used_at"])) for one in found]
    print_table(("ID", "LABEL", "CREATED", "LAST USED"), rows)


@tokens.command("revoke")
@click.argument("token_id", metavar="ID", type=click.UUID)
@server_options
def revoke(*, token_id: UUID, url: str | None, token: str | None, data: Path | None) -> None:
    """Make a token useless at once."""
    with connected(url, token, data) as server:
        server.request("DELETE", f"/tokens/{token_id}")
