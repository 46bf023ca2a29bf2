"""`varloom projects`: samples that several accounts see, and who may do what with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.exit_status import ERROR, OK
from varloom.cli.output import local_time, print_error, print_json, print_table
from varloom.cli.samples import all_samples, find_sample, project_id_of
from varloom.errors import VarloomError, counted

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("viewer", "editor", "owner")


@click.group()
def projects() -> None:
    """Share samples with other accounts.

    PROJECT is an id, or a name that only one of your projects has; SAMPLE likewise. Viewers look at the samples of a
    project, editors also put their own in and change names and tags, owners also choose members.
    """


@projects.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@server_options
def list_projects(*, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """List your projects, by name."""
    with connected(url, token, data) as server:
        found = server.get("/projects")["projects"]
    if as_json:
        print_json(found)
        return
    rows = [
        (one["id"], one["name"], one["role"], one["samples"], one["members"], local_time(one["created_at"]))
        for one in found
    ]
    print_table(("ID", "NAME", "ROLE", "SAMPLES", "MEMBERS", "CREATED"), rows)


@projects.command("create")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
def create(*, name: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Make a project; you are its owner."""
    with connected(url, token, data) as server:
        made = server.request("POST", "/projects", json={"name": name})
    if as_json:
        print_json(made)
    else:
        click.echo(made["project"]["id"])


@projects.command("show")
@click.argument("project")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
def show(*, project: str, as_json: bool, url: str | None, token: str | None, data: Path | None) -> None:
    """Show the members and samples of a project."""
    with connected(url, token, data) as server:
        found = server.get(f"/projects/{project_id_of(server, project)}")
        samples = list(all_samples(server, project=found["project"]["id"]))
    if as_json:
        print_json({**found, "samples": samples})
        return
    click.echo(f"{found['project']['name']} ({found['project']['id']}); your role: {found['project']['role']}")
    click.echo()
    members = []
    for one in found["members"]:
        active = "yes" if one["active"] else "deactivated"
        members.append((one["account"], one["role"], one["samples"], local_time(one["added_at"]), active))
    print_table(("MEMBER", "ROLE", "SAMPLES", "SINCE", "ACTIVE"), members)
    click.echo()
    rows = [(one["id"], one["name"], one["shared_by"] or "yourself", one["variants"]) for one in samples]
    print_table(("SAMPLE", "NAME", "SHARED BY", "VARIANTS"), rows)


@projects.command("rename")
@click.argument("project")
@click.argument("name")
@server_options
def rename(*, project: str, name: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Give a project another name."""
    with connected(url, token, data) as server:
        server.request("PATCH", f"/projects/{project_id_of(server, project)}", json={"name": name})


@projects.command("delete")
@click.argument("project")
@server_options
def delete(*, project: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Delete a project. Its samples stay with their accounts, and are shared by it no more."""
    with connected(url, token, data) as server:
        server.request("DELETE", f"/projects/{project_id_of(server, project)}")


@projects.command("add")
@click.argument("project")
@click.argument("samples", metavar="SAMPLE...", nargs=-1, required=True)
@server_options
def add(*, project: str, samples: tuple[str, ...], url: str | None, token: str | None, data: Path | None) -> int:
    """Put samples of your own into a project: all its members see them from now on."""
    return _each("PUT", "put in", project, samples, url=url, token=token, data=data)


@projects.command("remove")
@click.argument("project")
@click.argument("samples", metavar="SAMPLE...", nargs=-1, required=True)
@server_options
def remove(*, project: str, samples: tuple[str, ...], url: str | None, token: str | None, data: Path | None) -> int:
    """Take samples out of a project. The samples themselves stay."""
    return _each("DELETE", "taken out", project, samples, url=url, token=token, data=data)


@projects.command("share")
@click.argument("project")
@click.argument("account")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What the account may do.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
def share(
    *,
    project: str,
    account: str,
    role: str,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Add an account to a project, by its exact name, or give a member another role."""
    with connected(url, token, data) as server:
        member = server.request("PUT", _member(project_id_of(server, project), account), json={"role": role})
    if as_json:
        print_json(member)
    else:
        click.echo(f"{member['account']}: {member['role']}")


@projects.command("unshare")
@click.argument("project")
@click.argument("account")
@server_options
def unshare(*, project: str, account: str, url: str | None, token: str | None, data: Path | None) -> None:
    """Take a member out of a project, or leave it. The member's own samples leave it as well."""
    with connected(url, token, data) as server:
        server.request("DELETE", _member(project_id_of(server, project), account))


def _each(method: str, done: str, project: str, samples: tuple[str, ...], **where: Any) -> int:
    """Put samples in or take them out: each that is refused is told, and the others are done; the exit status.

    A sample that is not found ends the command before anything is done.
    """
    refused = 0
    with connected(**where) as server:
        project_id = project_id_of(server, project)
        within = None if method == "PUT" else project_id
        found = [find_sample(server, name, project=within) for name in samples]
        for sample in found:
            try:
                server.request(method, f"/projects/{project_id}/samples/{sample['id']}")
            except VarloomError as error:
                if len(found) == 1:
                    raise
                refused += 1
                print_error({**error.as_dict(), "message": f"{sample['name']}: {error.message}"})
    click.echo(f"{counted(len(found) - refused, 'sample')} {done}")
    return ERROR if refused else OK


def _member(project_id: str, account: str) -> str:
    return f"/projects/{project_id}/members/{quote(account, safe='')}"
