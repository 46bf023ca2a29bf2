"""`varloom users`: who has an account on the server, for its owners."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.output import local_time, print_json, print_table, size
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import USER_NOT_FOUND
from varloom.services.account_quotas import parsed_quota

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("owner", "member")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def users() -> None:
    """List, add and change the people of the server."""


@users.command("list")
@as_json_option
@server_options
def list_users(*, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List the accounts; deactivated ones at the end."""
    with connected(url, token, data) as server:
        found = server.get("/users")["users"]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["name"],
            one["role"],
            _ways_in(one),
            one["email"] or "",
            size(one["quota"]) if isinstance(one["quota"], int) else one["quota"],
            local_time(one["last_seen_at"]),
            f"since {local_time(one['deactivated_at'])}" if one["deactivated_at"] else "",
        )
        for one in found
    ]
    print_table(("NAME", "ROLE", "LOGS IN BY", "E-MAIL", "QUOTA", "LAST SEEN", "DEACTIVATED"), rows)


@users.command("add")
@click.argument("name")
@click.option("--email", help="Address of that person.")
@click.option("--role", type=click.Choice(ROLES), default="member", help="What they may do; by default: member.")
@as_json_option
@server_options
def add(
    *,
    name: str,
    email: str | None,
    role: str,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Make an account, and print a login link to be given to that person."""
    with connected(url, token, data) as server:
        made = server.request("POST", "/users", json={"name": name, "email": email, "role": role})
        address = server.address.url
    if as_json:
        print_json(made)
    else:
        _tell_link(address, made["link"])


@users.command("login-link")
@click.argument("name")
@as_json_option
@server_options
def login_link(*, name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Print a login link for somebody, who can set a new password with it."""
    with connected(url, token, data) as server:
        link = server.request("POST", f"/users/{_named(server, name)['id']}/login-links")
        address = server.address.url
    if as_json:
        print_json(link)
    else:
        _tell_link(address, link)


@users.command("rename")
@click.argument("name")
@click.argument("new_name", metavar="NEW")
@as_json_option
@server_options
def rename(*, name: str, new_name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Give an account another name to log in with."""
    _change(name, {"name": new_name}, as_json=as_json, url=url, token=token, data=data)


@users.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@as_json_option
@server_options
def role(*, name: str, role: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Make somebody an owner of the server, or a member."""
    _change(name, {"role": role}, as_json=as_json, url=url, token=token, data=data)


@users.command("quota")
@click.argument("name")
@click.argument("quota", metavar="AMOUNT")
@as_json_option
@server_options
def quota(*, name: str, quota: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Say how much somebody may store: an amount such as 500GB, `none` for no limit, or `default`."""
    _change(name, {"quota": parsed_quota(quota)}, as_json=as_json, url=url, token=token, data=data)


@users.command("deactivate")
@click.argument("name")
@as_json_option
@server_options
def deactivate(*, name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Shut somebody out at once; their samples stay, their jobs go on."""
    _change(name, {"active": False}, as_json=as_json, url=url, token=token, data=data)


@users.command("activate")
@click.argument("name")
@as_json_option
@server_options
def activate(*, name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Let somebody in again who was deactivated; they need a new login link or their password."""
    _change(name, {"active": True}, as_json=as_json, url=url, token=token, data=data)


@users.command("disconnect")
@click.argument("name")
@server_options
def disconnect(*, name: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Let somebody in no more by the OpenID Connect provider, until they connect with it again."""
    with connected(url, token, data) as server:
        user = _named(server, name)
        gone = server.request("DELETE", f"/users/{user['id']}/identities")["disconnected"]
    click.echo(f"{user['name']}: {'disconnected' if gone else 'was not connected'}")


@users.command("password")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the new password from the first line of the input.")
@server_options
def password(*, from_stdin: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Set the password of your own account; other browsers are logged out."""
    with connected(url, token, data) as server:
        account = server.get("/account")
        body: dict[str, Any] = {}
        if account["present_password_needed"]:
            body["present"] = _asked_for("Present password", from_stdin=from_stdin)
        body["password"] = _asked_for("New password", from_stdin=from_stdin, twice=True)
        server.request("PUT", "/account/password", json=body)
    click.echo(f"{account['name']}: the password is set", err=True)


def _ways_in(user: dict[str, Any]) -> str:
    ways = {"password": user["has_password"], "single sign-on": user["is_connected"]}
    return ", ".join(way for way, there in ways.items() if there) or "links only"


def _asked_for(what: str, *, from_stdin: bool, twice: bool = False) -> str:
    """A password, which is never an argument: others on this machine could read it there."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    typed: str = click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
    return typed


def _change(
    name: str, change: dict[str, Any], *, as_json: bool, url: str | None, token: str | None, data: Path | None
) -> None:
    with connected(url, token, data) as server:
        changed = server.request("PATCH", f"/users/{_named(server, name)['id']}", json=change)
    if as_json:
        print_json(changed)
    else:
        state = "deactivated" if changed["deactivated_at"] else changed["role"]
        if "quota" in change:
            state = f"quota {size(changed['quota']) if isinstance(changed['quota'], int) else changed['quota']}"
        click.echo(f"{changed['name']}: {state}")


def _named(server: Server, name: str) -> dict[str, Any]:
    """The account with this name; capitals make no difference.

    Raises:
        VarloomError: `user_not_found`.
    """
    for one in server.get("/users")["users"]:
        if one["name"].lower() == name.lower():
            found: dict[str, Any] = one
            return found
    raise VarloomError(USER_NOT_FOUND, f"There is no account with the name {safe_excerpt(name, 60)}.")


def _tell_link(address: str, link: dict[str, Any]) -> None:
    click.echo(f"{address}{link['path']}")
    click.echo(f"The link works once, within {link['minutes']:g} minutes.", err=True)
