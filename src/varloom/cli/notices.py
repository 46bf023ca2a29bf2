"""`varloom notices`: where the account is told of jobs that have ended. No URL, which may be secret, is an argument."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.exit_status import ERROR, OK
from varloom.cli.output import local_time, print_json, print_table
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.notices.problems import NOTICE_CHANNEL_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST_URL = 4096

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _choice(command: Callable[..., None]) -> Callable[..., None]:
    """What is told there."""
    for name in ("failed", "completed"):
        option = click.option(f"--{name}/--no-{name}", default=True, help=f"Whether {name} jobs are told of.")
        command = option(command)
    return command


@click.group()
def notices() -> None:
    """Choose how you are told of jobs that have ended."""


@notices.command("list")
@as_json_option
@server_options
def list_channels(*, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List your address and webhooks."""
    with connected(url, token, data) as server:
        found = server.get("/notices")
    if as_json:
        print_json(found)
        return
    rows = [(one["name"], one["target"], _told(one), _state(one)) for one in found["channels"]]
    print_table(("NAME", "WHERE", "TELLS OF", "STATE"), rows)


@notices.command("email")
@click.argument("address")
@_choice
@as_json_option
@server_options
def email(
    *,
    address: str,
    completed: bool,
    failed: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Save the address for mails. A new one is sent a link first, which confirms it."""
    with connected(url, token, data) as server:
        wanted = {"address": address, "completed": completed, "failed": failed}
        saved = server.request("PUT", "/notices/email", json=wanted)
    if as_json:
        print_json(saved)
    elif saved["confirmed"]:
        click.echo(f"{saved['target']}: saved")
    else:
        click.echo(f"A mail is on its way to {saved['target']}. Open the link in it to confirm.")


@notices.command("webhook")
@click.argument("name")
@_choice
@as_json_option
@server_options
def webhook(
    *, name: str, completed: bool, failed: bool, as_json: bool, url: str | None, token: str | None, data: Path | None
) -> None:
    """Add a webhook, and print its secret. Its URL is asked for, or read from the standard input."""
    target = click.prompt("URL", err=True) if sys.stdin.isatty() else sys.stdin.readline(LONGEST_URL)
    new = {"name": name, "url": target.strip(), "completed": completed, "failed": failed}
    with connected(url, token, data) as server:
        made = server.request("POST", "/notices/webhooks", json=new)
    if as_json:
        print_json(made)
        return
    click.echo(f"{made['channel']['name']}: {made['channel']['target']}", err=True)
    click.echo("The secret, which is not shown again:", err=True)
    click.echo(made["secret"])


@notices.command("test")
@click.argument("name")
@as_json_option
@server_options
def test(*, name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> int:
    """Send a test to a webhook, or to `e-mail`; exits 1 when it does not arrive."""
    with connected(url, token, data) as server:
        found = server.request("POST", f"/notices/{_id_of(server, name)}/test")
    sent = found["state"] == "sent"
    if as_json:
        print_json(found)
    else:
        click.echo(f"Sent; the other side answered {found['status']}." if sent else f"Not sent. {found['problem']}")
    return OK if sent else ERROR


@notices.command("sent")
@click.argument("name")
@as_json_option
@server_options
def sent(*, name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List what was sent to a webhook, or to `e-mail`, newest first."""
    with connected(url, token, data) as server:
        found = server.get(f"/notices/{_id_of(server, name)}/deliveries")["deliveries"]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            local_time(one["created_at"]),
            one["state"].replace("_", " "),
            "a test" if one["is_test"] else f"{one['jobs']:,}",
            f"{one['attempts']}",
            f"{one['status'] or ''}",
            one["problem"] or "",
        )
        for one in found
    ]
    print_table(("MADE", "STATE", "JOBS", "TRIES", "ANSWER", "PROBLEM"), rows)


@notices.command("remove")
@click.argument("name")
@server_options
def remove(*, name: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Remove a webhook, or `e-mail`, with what waits to be sent there."""
    with connected(url, token, data) as server:
        server.request("DELETE", f"/notices/{_id_of(server, name)}")
    click.echo(f"{name}: removed")


def _id_of(server: Server, name: str) -> str:
    for one in server.get("/notices")["channels"]:
        if name in {one["name"], one["id"]}:
            return str(one["id"])
    raise VarloomError(NOTICE_CHANNEL_NOT_FOUND, f"There is no webhook {safe_excerpt(name, 80)!r} in this account.")


def _told(one: dict[str, Any]) -> str:
    return ", ".join(kind for kind in ("completed", "failed") if one[kind])


def _state(one: dict[str, Any]) -> str:
    if one["disabled_at"]:
        return f"off: {one['disabled_because']}"
    if not one["confirmed"]:
        return "not confirmed"
    return f"failing since {local_time(one['failing_since'])}" if one["failing_since"] else "in use"
