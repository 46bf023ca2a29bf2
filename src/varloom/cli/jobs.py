"""`varloom jobs`, `job`, `retry`, `cancel` and `dismiss`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.output import counts, local_time, outcome, print_error, print_json, print_table, state_of
from varloom.cli.readable_file import text_of
from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from uuid import UUID

STAGES = ("download", "process", "annotate", "parse")
STATES = ("queued", "downloading", "processing", "annotating", "parsing", "completed", "failed", "cancelled")
PAGE = 500
LOG_LINE = 10_000


@click.command()
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="Only this state; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of jobs.")
@server_options
def jobs(
    *,
    states: tuple[str, ...],
    limit: int,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """List the jobs, newest first."""
    with connected(url, token, data) as server:
        found = _list(server, states, limit)
    if as_json:
        print_json(found)
        return
    headings = ("ID", "SAMPLE", "STATE", "RECORDS", "CREATED")
    rows = [
        (job["id"], job["sample_name"], state_of(job), job["records"], local_time(job["created_at"])) for job in found
    ]
    print_table(headings, rows)


def _list(server: Server, states: tuple[str, ...], limit: int) -> list[dict[str, Any]]:
    """As many jobs as were asked for, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < limit:
        page = server.get("/jobs", state=list(states) or None, limit=min(PAGE, limit - len(found)), cursor=cursor)
        found += page["jobs"]
        cursor = page["next"]
        if cursor is None:
            break
    return found


@click.command()
@click.argument("job_id", metavar="ID", type=click.UUID)
@click.option("--log", "with_log", is_flag=True, help="Print what the processes of its stages said.")
@click.option("--json", "as_json", is_flag=True, help="Print the job, or with --log its log, as a JSON object.")
@server_options
def job(
    *,
    job_id: UUID,
    with_log: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Show one job and its history."""
    with connected(url, token, data) as server:
        if with_log:
            _print_log(server.get(f"/jobs/{job_id}/log"), as_json=as_json)
            return
        found = server.get(f"/jobs/{job_id}")
        history = [] if as_json else server.get(f"/jobs/{job_id}/events")["events"]
    if as_json:
        print_json(found)
        return
    for name, value in _facts(found):
        click.echo(f"{name + ':':<10} {value}")
    click.echo()
    rows = [(local_time(event["at"]), event["state"].capitalize(), event["message"]) for event in history]
    print_table(("TIME", "STATE", "WHAT HAPPENED"), rows)
    if found["error"]:
        click.echo(err=True)
        print_error(found["error"])


def _print_log(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for log in found["logs"]:
        click.echo(f"{log['stage'].capitalize()}, attempt {log['attempt']} ({local_time(log['began_at'])})")
        for line in log["text"].split("\n"):
            click.echo(f"  {safe_excerpt(line, LOG_LINE)}")


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("Job", found["id"]),
        ("Sample", safe_excerpt(found["sample_name"])),
        ("File", f"{safe_excerpt(found['source']['name'])} ({found['source']['bytes'] or 0:,} bytes)"),
        ("State", state_of(found)),
        ("Options", _options_text(found["options"])),
    ]
    if found["held_up"]:
        facts.append(("Held up", safe_excerpt(found["held_up"]["message"], 300)))
    if found["records"] is not None:
        facts.append(("Rows", counts(found["records"], found["variants"])))
    facts.extend(("Warning", safe_excerpt(warning["message"], 400)) for warning in found["warnings"])
    return facts


def _options_text(options: dict[str, Any]) -> str:
    """What was chosen: `reads, engine=auto`."""
    chosen = {name: value for name, value in options.items() if value not in (None, False)}
    told = [name if value is True else f"{name}={safe_excerpt(str(value))}" for name, value in chosen.items()]
    return ", ".join(told) or "none"


@click.command()
@click.argument("job_id", metavar="ID", type=click.UUID)
@click.option("--from-start", is_flag=True, help="Begin with the first stage, not with the one that failed.")
@click.option("--from-stage", type=click.Choice(STAGES), help="Begin with this stage, on what the earlier ones left.")
@click.option("--assembly", type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False))
@click.option("--split-by-sample/--no-split-by-sample", default=None, help="Change this option for the retry.")
@click.option("--credential", metavar="NAME", help="Another stored credential for the job's URL.")
@click.option("--pgx/--no-pgx", default=None, help="Whether pharmacogenes are called.")
@click.option(
    "--reference-sites-listed/--no-reference-sites-listed",
    default=None,
    help="Whether PGx takes a position without a record for the reference.",
)
@click.option(
    "--outside-calls",
    metavar="TSV",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Other PGx calls made elsewhere.",
)
@click.option("--sex-chromosomes", type=click.Choice(["auto", "xx", "xy"]), help="Of the sample, for reads.")
@click.option("--annotate", type=click.Choice(["none", "small", "structural"]), help="Which variants are annotated.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as a JSON object.")
@server_options
def retry(
    *,
    job_id: UUID,
    from_start: bool,
    from_stage: str | None,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
    **options: Any,
) -> None:
    """Queue a failed or cancelled job again, or end its wait for a retry."""
    if from_start and from_stage:
        raise click.UsageError("Give either --from-start or --from-stage.")
    changed = {name: value for name, value in options.items() if value is not None}
    if "outside_calls" in changed:
        changed |= {"pgx": True, "outside_calls": text_of(changed["outside_calls"])}
    how = {"from_stage": "start" if from_start else from_stage, "options": changed or None}
    with connected(url, token, data) as server:
        _print_changed(server.request("POST", f"/jobs/{job_id}/retry", json=how), as_json=as_json)


@click.command()
@click.argument("job_id", metavar="ID", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print the job as a JSON object.")
@server_options
def cancel(
    *,
    job_id: UUID,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Stop a job: a waiting one at once, a running one within seconds."""
    with connected(url, token, data) as server:
        _print_changed(server.request("POST", f"/jobs/{job_id}/cancel"), as_json=as_json)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("job_id", metavar="ID", type=click.UUID)
@click.argument("number", metavar="N", type=click.IntRange(-1000, 1000))
@click.option("--json", "as_json", is_flag=True, help="Print the job as a JSON object.")
@server_options
def priority(
    *,
    job_id: UUID,
    number: int,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Let a job go before or after others: higher numbers go first, 0 is ordinary."""
    with connected(url, token, data) as server:
        _print_changed(server.request("POST", f"/jobs/{job_id}/priority", json={"priority": number}), as_json=as_json)


@click.command()
@click.argument("job_id", metavar="ID", type=click.UUID)
@server_options
def dismiss(*, job_id: UUID, url: str | None, token: str | None, data: Path | None) -> None:
    """Take a job that has ended out of the list; its sample stays."""
    with connected(url, token, data) as server:
        server.request("DELETE", f"/jobs/{job_id}")


def _print_changed(changed: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(changed)
    elif changed["cancel_requested"]:
        click.echo(f"{safe_excerpt(changed['sample_name'], 60)}: cancel requested; it stops within seconds.")
    elif changed["finished_at"]:
        click.echo(outcome(changed))
    else:
        click.echo(f"{safe_excerpt(changed['sample_name'], 60)}: {state_of(changed)}")
