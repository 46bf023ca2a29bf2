"""`varloom login`: a link for the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from varloom.cli.connection import connected, server_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@server_options
def login(*, url: str | None, token: str | None, data: Path | None) -> None:
    """Print a link that logs a browser in, once."""
    with connected(url, token, data) as server:
        link = server.request("POST", "/login-links")
        address = server.address.url
    click.echo(f"{address}{link['path']}")
    click.echo(f"The link works once, within {link['minutes']:g} minutes.", err=True)
