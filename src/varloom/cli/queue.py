"""`varloom queue`: what waits, who works, and pausing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.output import local_time, print_json, print_table
from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from pathlib import Path

STAGES = ("download", "process", "annotate", "parse")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@server_options
@click.pass_context
def queue(
    ctx: click.Context,
    *,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Show what waits and who works; pause and resume.

    The options of the server stand before the command: varloom queue --data DIR pause --stage annotate
    """
    ctx.obj = {"server": (url, token, data), "as_json": as_json}
    if ctx.invoked_subcommand is None:
        with connected(url, token, data) as server:
            _print(server.get("/queue"), as_json=as_json)


_stage = click.option("--stage", type=click.Choice(STAGES), help="Every job before this stage.")
_account = click.option("--account", metavar="NAME", help="Every job of this account.")


@queue.command()
@_stage
@_account
@click.option("--reason", metavar="TEXT", help="Shown with the jobs that wait.")
@click.pass_obj
def pause(obj: dict[str, Any], *, stage: str | None, account: str | None, reason: str | None) -> None:
    """Begin nothing more of a stage, or of an account; what runs goes on. For owners."""
    _change(obj, "pause", {**_target(stage, account), "reason": reason})


@queue.command()
@_stage
@_account
@click.pass_obj
def resume(obj: dict[str, Any], *, stage: str | None, account: str | None) -> None:
    """Let what is paused begin again. For owners."""
    _change(obj, "resume", _target(stage, account))


def _target(stage: str | None, account: str | None) -> dict[str, str]:
    if (stage is None) == (account is None):
        raise click.UsageError("Give either --stage or --account.")
    return {"stage": stage} if stage is not None else {"account": account or ""}


def _change(obj: dict[str, Any], action: str, what: dict[str, Any]) -> None:
    with connected(*obj["server"]) as server:
        _print(server.request("POST", f"/queue/{action}", json=what), as_json=obj["as_json"])


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    stages = [(one["stage"], one["busy"], one["total"], one["waiting"], one["delayed"]) for one in found["stages"]]
    print_table(("STAGE", "BUSY", "SLOTS", "WAITING", "DELAYED"), stages)
    for one in found["pauses"]:
        what = f"stage {one['stage']}" if one["stage"] else f"account {safe_excerpt(one['account'], 60)}"
        why = f": {safe_excerpt(one['reason'], 200)}" if one["reason"] else ""
        click.echo(f"Paused since {local_time(one['paused_at'])}, {what}{why}")
    if found["workers"] is not None:
        click.echo()
        print_table(("WORKER", "PROCESS", "VERSION", "SLOTS", "SINCE", "LAST HEARD"), map(_worker, found["workers"]))
        for one in found["workers"]:
            if one["low_disk"]:
                click.echo(f"{one['host']}, process {one['pid']}, begins nothing: {one['low_disk']}.")
        _print_engines(found["workers"])


def _print_engines(workers: list[dict[str, Any]]) -> None:
    """What each worker has for reads, and why it has not more."""
    rows = [(worker, engine) for worker in workers for engine in worker["engines"]]
    if not rows:
        return
    click.echo()
    told = [
        (worker["host"], str(worker["pid"]), one["name"], one["version"] or "", one["reason"] or "ready")
        for worker, one in rows
    ]
    print_table(("WORKER", "PROCESS", "ENGINE", "VERSION", "STATE"), told)


def _worker(worker: dict[str, Any]) -> tuple[str, str, str, str, str, str]:
    slots = [f"{stage} {worker['busy'].get(stage, 0)}/{number}" for stage, number in worker["slots"].items()]
    since, heard = local_time(worker["started_at"]), f"{worker['heartbeat_age']:.0f} s ago"
    return worker["host"], str(worker["pid"]), worker["version"], ", ".join(slots), since, heard
