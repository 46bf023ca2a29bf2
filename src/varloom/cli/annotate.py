"""`varloom annotate`: what is known of chosen variants; or a sample's table, annotated again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.exit_status import ERROR, OK
from varloom.cli.output import print_json

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.cli.connection import Server

STDIN = "-"
_ASSEMBLIES = {"hg38": "GRCh38", "hg19": "GRCh37", "grch38": "GRCh38", "grch37": "GRCh37"}


@click.command()
@click.argument("variants", metavar="[VARIANT]...", nargs=-1)
@click.option("--sample", metavar="NAME|ID", multiple=True, help="Annotate this sample instead of variants.")
@click.option("--kind", type=click.Choice(["small", "structural"]), help="Which variants of a sample; as before.")
@click.option(
    "--assembly",
    type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False),
    help="Of the coordinates; of variants GRCh38 by default, of a sample as before.",
)
@click.option("--wait", is_flag=True, help="Wait until the jobs of samples end; the exit status says how.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each variant or job, on a line.")
@server_options
@click.pass_context
def annotate(
    ctx: click.Context,
    /,
    *,
    variants: tuple[str, ...],
    sample: tuple[str, ...],
    kind: str | None,
    assembly: str | None,
    wait: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Tell what is known of chosen variants, by the reference data that is installed on the server.

    A VARIANT is chr7:117559590:A:G, chr7:g.117559590A>G, NM_000492.4:c.1521_1523del, CFTR:c.1521_1523del (on the MANE
    Select transcript) or an rs number; - reads them from the standard input, one a line. Exit status 1 when one of them
    is not understood.

    With --sample the table of a sample gets a new version, made of the stored file by a job; the versions before stay.
    """
    assembly = None if assembly is None else _ASSEMBLIES[assembly.lower()]
    if sample:
        if variants:
            raise click.UsageError("Give VARIANTs or --sample, not both.")
        how = {name: value for name, value in (("annotate", kind), ("assembly", assembly)) if value is not None}
        with connected(url, token, data) as server:
            ctx.exit(_annotate_samples(server, sample, how, wait=wait, as_json=as_json))
    if not variants:
        raise click.UsageError("Give a VARIANT or more, or --sample.")
    if kind is not None or wait:
        raise click.UsageError("--kind and --wait are for --sample.")
    _annotate_variants(variants, assembly or "GRCh38", (url, token, data), as_json=as_json)


def _annotate_samples(
    server: Server, samples: tuple[str, ...], how: dict[str, str], *, wait: bool, as_json: bool
) -> int:
    """Create a job for each sample; all are found before the first is asked for. The exit status."""
    from varloom.cli.samples import find_sample
    from varloom.cli.submit import print_created, wait_for

    found = [find_sample(server, name) for name in samples]
    created = [server.request("POST", f"/samples/{one['id']}/annotate", json=how) for one in found]
    if wait:
        return wait_for(server, created, as_json=as_json)
    print_created(created, as_json=as_json)
    return OK


def _annotate_variants(
    variants: tuple[str, ...], assembly: str, where: tuple[str | None, str | None, Path | None], *, as_json: bool
) -> None:
    """Ask the server at `where` (URL, token, data folder), and print what it knows."""
    wanted = [line.strip() for line in sys.stdin if line.strip()] if variants == (STDIN,) else list(variants)
    with connected(*where) as server:
        found = server.request("POST", "/annotate", json={"variants": wanted, "assembly": assembly})
    for variant in found["variants"]:
        if as_json:
            print_json({**variant, "assembly": found["assembly"], "releases": found["releases"]})
        else:
            _print(variant)
    if any(variant["error"] for variant in found["variants"]):
        sys.exit(ERROR)


def _print(variant: dict[str, Any]) -> None:
    click.echo(variant["input"])
    if variant["synthetic"]:
        click.echo("  synthetic demonstration data: nothing that is told of it is real")
    if variant["error"]:
        click.echo(f"  {variant['error']['message']}")
        for step in variant["error"]["resolution"]:
            click.echo(f"  - {step}")
        return
    values = {name: value for name, value in variant["annotation"].items() if value is not None}
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        click.echo(f"  {name:{width}}  {_text(value)}")
    for source, reason in variant["not_annotated"].items():
        click.echo(f"  {source}: {reason}")


def _text(value: Any) -> str:
    """A value on one line; of entries with fields, those that have a value."""
    match value:
        case list():
            return "; ".join(_text(item) for item in value)
        case dict():
            return ", ".join(f"{name} {item}" for name, item in value.items() if item)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
