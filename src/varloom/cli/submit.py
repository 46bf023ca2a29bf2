"""`varloom submit`: files and URLs become jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import Server, connected, server_options
from varloom.cli.exit_status import ERROR, OK, status_of
from varloom.cli.following import follow
from varloom.cli.live_view import JobChanges
from varloom.cli.output import outcome, print_error, print_json, state_of
from varloom.cli.problems import RESPONSE_UNEXPECTED, SERVER_UNREACHABLE
from varloom.cli.readable_file import STDIN, text_of
from varloom.cli.sending import check_readable, is_url, send_together
from varloom.errors import VarloomError, safe_excerpt
from varloom.services.read_files import sets_of
from varloom.transfer.source_url import shown_url

if TYPE_CHECKING:
    from varloom.cli.manifest_submission import ManifestSubmission

    Job = dict[str, Any]

_TRUE_FOR_ALL = frozenset({SERVER_UNREACHABLE.code, RESPONSE_UNEXPECTED.code, "not_authenticated", "storage_full"})
"""What keeps the other sources from becoming jobs, too."""


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1)
@click.option("--manifest", metavar="FILE", help="A CSV or TSV of URLs or files with options, one a line.")
@click.option("--name", help="Name of the sample; by default that of the file.")
@click.option("--assembly", type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False))
@click.option("--split-by-sample", is_flag=True, help="One table for each sample of the file.")
@click.option("--priority", type=click.IntRange(-1000, 1000), help="Higher goes first; 0 is ordinary.")
@click.option("--annotate", type=click.Choice(["none", "small", "structural"]), help="Which variants are annotated.")
@click.option("--pgx", is_flag=True, help="Call pharmacogenes; the sample gets a PGx report.")
@click.option(
    "--outside-calls",
    metavar="TSV",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PGx calls made elsewhere (CYP2D6, HLA): gene, diplotype, phenotype, activity score.",
)
@click.option(
    "--reference-sites-listed",
    is_flag=True,
    help="All PGx positions were genotyped: take a position without a record for the reference.",
)
@click.option("--reads", is_flag=True, help="The SOURCEs are the reads of one sample, whatever they are called.")
@click.option("--reference", metavar="NAME", help="For reads: an installed genome; see `varloom refs list`.")
@click.option("--caller", type=click.Choice(["bcftools", "haplotypecaller", "deepvariant"]), help="For reads.")
@click.option("--engine", type=click.Choice(["auto", "cpu", "parabricks"]), help="For reads: what analyses them.")
@click.option("--alignment-format", type=click.Choice(["bam", "cram"]), help="For reads: how the alignment is kept.")
@click.option(
    "--sex-chromosomes",
    type=click.Choice(["auto", "xx", "xy"], case_sensitive=False),
    help="For reads: the sample's, where they are known; default: by coverage.",
)
@click.option("--credential", metavar="NAME", help="A stored credential, for URLs that need one.")
@click.option("--skip-faulty", is_flag=True, help="Leave out faulty lines of the manifest instead of refusing it.")
@click.option("--idempotency-key", metavar="KEY", help="The same key never makes a second set of jobs of a manifest.")
@click.option("--wait", is_flag=True, help="Wait until the jobs end; the exit status says how.")
@click.option("--json", "as_json", is_flag=True, help="Print each job as a JSON object on a line.")
@server_options
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    *,
    sources: tuple[str, ...],
    manifest: str | None,
    skip_faulty: bool,
    idempotency_key: str | None,
    name: str | None,
    wait: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
    **options: Any,
) -> None:
    """Load files or URLs; each becomes a job.

    SOURCE is a file, - for the standard input, or a URL: https://, s3://, gs:// or az://. Files of reads (FASTQ, BAM,
    CRAM) whose names say that they are of one sample become one job. Instead of SOURCEs, a manifest names many of
    them, with a column `url` and, if wanted, `url2`, `name`, `assembly`, `annotate`, `split_by_sample`, `reads`,
    `reference`, `caller`, `engine`, `alignment_format`, `sex_chromosomes`, `pgx`, `credential` and `priority`.
    """
    if manifest is not None:
        if sources or name is not None or options["outside_calls"] is not None:
            raise click.UsageError("--manifest takes the place of SOURCE, --name and --outside-calls.")
        from varloom.cli.manifest_submission import ManifestSubmission

        defaults = _fields(None, options)
        submission = ManifestSubmission(manifest, defaults, idempotency_key, skip_faulty=skip_faulty)
        with connected(url, token, data) as server:
            _tell_of_engine(server, defaults)
            ctx.exit(_submit_manifest(server, submission, wait=wait, as_json=as_json))
    if skip_faulty or idempotency_key:
        raise click.UsageError("--skip-faulty and --idempotency-key are for --manifest.")
    sets = _checked_sets(sources, name, are_one=bool(options["reads"]))
    fields = _fields(name, options)
    created: list[Job] = []
    with connected(url, token, data) as server:
        _tell_of_engine(server, fields)
        try:
            complete = _submit_all(server, sets, fields, created)
        except (VarloomError, KeyboardInterrupt):
            print_created(created, as_json=as_json)
            raise
        status = wait_for(server, created, as_json=as_json) if wait else OK
    if not wait:
        print_created(created, as_json=as_json)
    ctx.exit(status if complete else ERROR)


def _tell_of_engine(server: Server, fields: dict[str, str]) -> None:
    """Say at once that no connected worker has the engine or the caller that was chosen; the jobs wait for one."""
    if not {"engine", "caller"} & fields.keys():
        return
    try:
        waits = server.get("/engines")["waits"]
    except VarloomError:  # a server that does not know it yet
        return
    told = waits.get(f"{fields.get('engine', 'auto')}:{fields.get('caller', '')}")
    if told is not None:
        click.echo(f"The job can be sent. {told}", err=True)


def _fields(name: str | None, options: dict[str, Any]) -> dict[str, str]:
    """The form's fields: what the user gave, nothing else."""
    outside: Path | None = options.get("outside_calls")
    if outside is not None:
        options = {**options, "pgx": True, "outside_calls": text_of(outside)}
    fields = {key: str(value).lower() if value is True else str(value) for key, value in options.items() if value}
    if name is not None:
        fields["sample_name"] = name
    return fields


def _checked_sets(sources: tuple[str, ...], name: str | None, *, are_one: bool) -> list[tuple[str, ...]]:
    """The sources of each job; every file is looked at before the first is sent."""
    if not sources:
        raise click.UsageError("Give a SOURCE or more, or --manifest FILE.")
    if sources.count(STDIN) > 1:
        raise click.UsageError("- can be given once.")
    sets = _sets(sources, are_one=are_one)
    if name is not None and len(sets) > 1:
        message = "--name is for one SOURCE, or the reads of one sample (--reads); several would get the same name."
        raise click.UsageError(message)
    for source in sources:
        check_readable(source)
    return sets


def _sets(sources: tuple[str, ...], *, are_one: bool) -> list[tuple[str, ...]]:
    """The sources of each job."""
    if are_one:
        return [sources]
    return [tuple(sources[at] for at in places) for places in sets_of([_file_name(source) for source in sources])]


def _file_name(source: str) -> str:
    """What a source is called, without the folders before it and the query behind it."""
    path = source.partition("?")[0] if is_url(source) else source
    return path.rpartition("/")[2]


def _submit_all(server: Server, sets: list[tuple[str, ...]], fields: dict[str, str], created: list[Job]) -> bool:
    """Send the sources one after the other. One that is refused is told and keeps no other back.

    Returns:
        Whether all became jobs.
    """
    complete = True
    for together in sets:
        try:
            created.append(send_together(server, together, fields))
        except VarloomError as error:
            if len(sets) == 1 or error.code in _TRUE_FOR_ALL:
                raise
            told = error.as_dict()
            name = ", ".join(shown_url(source) if is_url(source) else source for source in together)
            print_error({**told, "title": f"{safe_excerpt(name)}: {told['title']}"})
            complete = False
    return complete


def _submit_manifest(server: Server, submission: ManifestSubmission, *, wait: bool, as_json: bool) -> int:
    """Send a manifest; the exit status."""
    from varloom.cli.manifest_submission import Submission, is_refusal, print_left_out, print_refusal

    done = Submission()
    try:
        submission.send(server, done)
    except (VarloomError, KeyboardInterrupt) as error:
        _print_lines(done.created, as_json=as_json)
        if not is_refusal(error):
            raise
        print_refusal(error)
        return ERROR
    if done.problems:
        print_left_out(done.problems)
    if not wait:
        _print_lines(done.created, as_json=as_json)
    status = wait_for(server, done.created, as_json=as_json) if wait and done.created else OK
    return status if done.complete else ERROR


def _print_lines(created: list[Job], *, as_json: bool) -> None:
    """The jobs of a manifest, each with its line."""
    for job in sorted(created, key=lambda one: int(one["line"])):
        if as_json:
            print_json({name: job[name] for name in ("line", "id", "sample_name")})
        else:
            click.echo(f"{job['id']}  line {job['line']}, {safe_excerpt(job['sample_name'], 60)}")


def wait_for(server: Server, created: list[Job], *, as_json: bool) -> int:
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


def print_created(created: list[Job], *, as_json: bool) -> None:
    """Each of the jobs on a line."""
    for job in created:
        if as_json:
            print_json(job)
        else:
            click.echo(f"{job['id']}  {safe_excerpt(job['sample_name'], 60)}: {state_of(job)}")
