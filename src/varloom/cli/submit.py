"""`varloom submit`: files and URLs become jobs."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.exit_status import ERROR, OK, status_of
from varloom.cli.following import follow
from varloom.cli.live_view import JobChanges, TransferBar
from varloom.cli.output import outcome, print_error, print_json, state_of
from varloom.cli.problems import RESPONSE_UNEXPECTED, SERVER_UNREACHABLE, SOURCE_UNREADABLE
from varloom.cli.readable_file import STDIN, is_pipe, standard_input
from varloom.cli.resumable_upload import ResumableUpload
from varloom.cli.upload_body import UploadBody
from varloom.errors import VarloomError, safe_excerpt
from varloom.transfer.source_url import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    Job = dict[str, Any]

_TRUE_FOR_ALL = frozenset({SERVER_UNREACHABLE.code, RESPONSE_UNEXPECTED.code, "not_authenticated", "storage_full"})
"""What keeps the other sources from becoming jobs, too."""


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--name", help="Name of the sample; by default that of the file.")
@click.option("--assembly", type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False))
@click.option("--split-by-sample", is_flag=True, help="One table for each sample of the file.")
@click.option("--priority", type=click.IntRange(-1000, 1000), help="Higher goes first; 0 is ordinary.")
@click.option("--annotate", hidden=True)
@click.option("--pgx", is_flag=True, hidden=True)
@click.option("--credential", metavar="NAME", help="A stored credential, for URLs that need one.")
@click.option("--wait", is_flag=True, help="Wait until the jobs end; the exit status says how.")
@click.option("--json", "as_json", is_flag=True, help="Print each job as a JSON object on a line.")
@server_options
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    *,
    sources: tuple[str, ...],
    name: str | None,
    wait: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
    **options: Any,
) -> None:
    """Load files or URLs; each becomes a job.

    SOURCE is a file, - for the standard input, or a URL: https://, s3://, gs:// or az://.
    """
    if name is not None and len(sources) > 1:
        raise click.UsageError("--name is for one SOURCE; several would all get the same name.")
    if sources.count(STDIN) > 1:
        raise click.UsageError("- can be given once.")
    _check_readable(sources)
    fields = _fields(name, options)
    created: list[Job] = []
    with connected(url, token, data) as server:
        try:
            complete = _submit_all(server, sources, fields, created)
        except (VarloomError, KeyboardInterrupt):
            _print_created(created, as_json=as_json)
            raise
        status = _wait(server, created, as_json=as_json) if wait else OK
    if not wait:
        _print_created(created, as_json=as_json)
    ctx.exit(status if complete else ERROR)


def _fields(name: str | None, options: dict[str, Any]) -> dict[str, str]:
    """The form's fields: what the user gave, nothing else."""
    fields = {key: str(value).lower() if value is True else str(value) for key, value in options.items() if value}
    if name is not None:
        fields["sample_name"] = name
    return fields


def _check_readable(sources: tuple[str, ...]) -> None:
    """Every file is looked at before the first is sent."""
    for source in sources:
        if source == STDIN or _is_url(source) or is_pipe(source):
            continue
        with _opened(source):
            pass


def _submit_all(server: Server, sources: tuple[str, ...], fields: dict[str, str], created: list[Job]) -> bool:
    """Send the sources one after the other. One that is refused is told and keeps no other back.

    Returns:
        Whether all became jobs.
    """
    complete = True
    for source in sources:
        try:
            created.append(_submit(server, source, fields))
        except VarloomError as error:
            if len(sources) == 1 or error.code in _TRUE_FOR_ALL:
                raise
            told = error.as_dict()
            name = shown_url(source) if _is_url(source) else source
            print_error({**told, "title": f"{safe_excerpt(name)}: {told['title']}"})
            complete = False
    return complete


def _submit(server: Server, source: str, fields: dict[str, str]) -> Job:
    """Send one source; the key makes sure that it becomes one job."""
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    if _is_url(source):
        job: Job = server.request("POST", "/jobs", json={"source_url": source, **fields}, headers=headers)
        return job
    with _opened(source) as (file, name, size), TransferBar(f"Uploading {name}", size) as bar:
        if size and _is_regular(source):
            return ResumableUpload(server, file, name, size, bar).send(fields)
        body = UploadBody(file, name, fields, bar.advance)
        headers["Content-Type"] = body.content_type
        sent: Job = server.request("POST", "/jobs", content=iter(body), headers=headers)
        return sent


@contextlib.contextmanager
def _opened(source: str) -> Iterator[tuple[BinaryIO, str, int | None]]:
    """The source's bytes, its name, and its size where that is known."""
    if source == STDIN:
        with standard_input() as file:
            yield file, "stdin", None
        return
    path = Path(source)
    try:
        opened = path.open("rb")
    except OSError as error:
        raise VarloomError(SOURCE_UNREADABLE, f"{source}: {error.strerror}.") from None
    with opened:
        yield opened, path.name, None if is_pipe(source) else path.stat().st_size


def _wait(server: Server, created: list[Job], *, as_json: bool) -> int:
    """Follow the jobs to their ends, then say in order how each ended."""
    changes = JobChanges(as_json=as_json, on_stdout=False)
    ended = follow(server, [job["id"] for job in created], changes, has_answered=True)
    changes.clear()
    jobs = [ended[job["id"]] for job in created]
    for job in jobs:
        if as_json:
            print_json(job)
        else:
            click.echo(outcome(job))
        if job["error"] and job["state"] == "failed":
            print_error(job["error"])
    return status_of(jobs)


def _print_created(created: list[Job], *, as_json: bool) -> None:
    for job in created:
        if as_json:
            print_json(job)
        else:
            click.echo(f"{job['id']}  {safe_excerpt(job['sample_name'], 60)}: {state_of(job)}")


def _is_regular(source: str) -> bool:
    """Whether it can be read from any place, as often as needed."""
    return source != STDIN and Path(source).is_file()


def _is_url(source: str) -> bool:
    return "://" in source
