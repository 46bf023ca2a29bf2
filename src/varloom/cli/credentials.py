"""`varloom credentials`: what proves who asks a source, stored by name. No secret is ever an argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.ending import end_in_order
from varloom.cli.exit_status import ERROR, OK
from varloom.cli.output import local_time, print_error, print_json, print_table
from varloom.cli.problems import SOURCE_UNREADABLE
from varloom.errors import VarloomError, counted
from varloom.transfer.vault import KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Mapping[str, tuple[str, ...]] = {
    "s3": ("access_key", "secret_key", "session_token"),
    "gcs": ("service_account",),
    "azure_key": ("key",),
    "azure_sas": ("sas",),
    "bearer": ("token",),
}
_MAY_BE_EMPTY = frozenset({"session_token"})


@click.group()
def credentials() -> None:
    """Store, list, test and remove credentials for URLs."""


@credentials.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What it is.")
@click.option("--scope", required=True, help="Where alone it is sent: s3://BUCKET, az://ACCOUNT, https://HOST ...")
@click.option("--region", help="Of the bucket, for s3.")
@click.option(
    "--values",
    "values_file",
    metavar="FILE",
    help="Read the secret values from a JSON file, or - for the standard input; by default they are asked for.",
)
@click.option("--replace", is_flag=True, help="Take the place of one of the same name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
def add(
    *,
    name: str,
    kind: str,
    scope: str,
    region: str | None,
    values_file: str | None,
    replace: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Store a credential; its secret is never shown again."""
    values = _asked_for(kind) if values_file is None else _read(kind, values_file)
    if region is not None:
        values["region"] = region
    new = {"name": name, "kind": kind, "scope": scope, "values": values, "replace": replace}
    with connected(url, token, data) as server:
        stored = server.request("POST", "/credentials", json=new)
    if as_json:
        print_json(stored)
    else:
        click.echo(f"{stored['name']}: stored for {stored['scope']}")


@credentials.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@server_options
def list_credentials(*, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List the credentials, without their secrets."""
    with connected(url, token, data) as server:
        found = server.get("/credentials")["credentials"]
    if as_json:
        print_json(found)
        return
    rows = [(one["name"], one["kind"], one["scope"], local_time(one["changed_at"])) for one in found]
    print_table(("NAME", "KIND", "SCOPE", "STORED"), rows)


@credentials.command("test")
@click.argument("name")
@click.argument("source_url", metavar="URL")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
@click.pass_context
def test(
    ctx: click.Context,
    *,
    name: str,
    source_url: str,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Ask for the first bytes of a file with a credential; exits 1 when it is not let in."""
    with connected(url, token, data) as server:
        found = server.request("POST", f"/credentials/{_id_of(server, name)}/test", json={"url": source_url})
    if as_json:
        print_json(found)
    elif found["ok"]:
        size = "" if found["bytes"] is None else f", {found['bytes']:,} bytes"
        click.echo(f"{found['url']}: can be loaded{size}")
    else:
        print_error(found["error"])
    ctx.exit(OK if found["ok"] else ERROR)


@credentials.command("rotate-key")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="The server's data folder [VARLOOM_DATA]."
)
@click.option("--database-url", help="A PostgreSQL instead of the embedded one; better in VARLOOM_DATABASE_URL.")
def rotate_key(**places: Any) -> None:
    """Make a new key on the server's machine, and encrypt all stored secrets with it, while the server runs or not."""
    from varloom.services.stored_secrets import rotate_key as rotate
    from varloom.settings import load_settings

    end_in_order()
    settings = load_settings(**places)
    made = rotate(settings)
    file = settings.data / KEY_FILE
    click.echo(
        f"{counted(made.renewed, 'secret')} encrypted with a new key. The key before stays in {file} until the next"
    )
    click.echo(
        "rotation: rotate twice where it was seen by somebody. Keep a copy of the file where the backups are not."
    )


@credentials.command("remove")
@click.argument("name")
@server_options
def remove(*, name: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Forget a credential."""
    with connected(url, token, data) as server:
        server.request("DELETE", f"/credentials/{_id_of(server, name)}")


def _id_of(server: Server, name: str) -> str:
    """The id of a credential by its name; a name that there is none of is refused by the server."""
    for one in server.get("/credentials")["credentials"]:
        if one["name"].lower() == name.strip().lower():
            return str(one["id"])
    raise click.UsageError(f"There is no credential {name!r}; `varloom credentials list` shows those that there are.")


def _asked_for(kind: str) -> dict[str, str]:
    """The secret values, typed without being shown; a service account's is a file."""
    if kind == "gcs":
        raise click.UsageError("--values FILE: give the JSON file of the service account's key.")
    values = {}
    for name in KINDS[kind]:
        empty: dict[str, Any] = {"default": "", "show_default": False} if name in _MAY_BE_EMPTY else {}
        label = name.replace("_", " ").capitalize() + (" (may be empty)" if empty else "")
        values[name] = str(click.prompt(label, hide_input=True, err=True, **empty))
    return values


def _read(kind: str, file: str) -> dict[str, str]:
    """The secret values of a JSON file; that of a service account's key is a value as it is."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VarloomError(SOURCE_UNREADABLE, f"{file}: {getattr(error, 'strerror', None) or 'no text'}.") from None
    if kind == "gcs":
        return {"service_account": text}
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise click.UsageError(f"--values: expected a JSON object of texts with {', '.join(KINDS[kind])}.")
    return values
