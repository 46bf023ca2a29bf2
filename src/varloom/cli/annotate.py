"""`varloom annotate`: what is known of chosen variants."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.exit_status import ERROR
from varloom.cli.output import print_json

if TYPE_CHECKING:
    from pathlib import Path

STDIN = "-"


@click.command()
@click.argument("variants", metavar="VARIANT...", nargs=-1, required=True)
@click.option(
    "--assembly",
    type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False),
    default="GRCh38",
    show_default=True,
    help="Of the coordinates.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each variant, on a line.")
@server_options
def annotate(
    *,
    variants: tuple[str, ...],
    assembly: str,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Tell what is known of chosen variants, by the reference data that is installed on the server.

    A VARIANT is chr7:117559590:A:G, chr7:g.117559590A>G, NM_000492.4:c.1521_1523del, CFTR:c.1521_1523del (on the MANE
    Select transcript) or an rs number; - reads them from the standard input, one a line. Exit status 1 when one of them
    is not understood.
    """
    wanted = [line.strip() for line in sys.stdin if line.strip()] if variants == (STDIN,) else list(variants)
    assembly = {"hg38": "GRCh38", "hg19": "GRCh37", "grch38": "GRCh38", "grch37": "GRCh37"}[assembly.lower()]
    with connected(url, token, data) as server:
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
