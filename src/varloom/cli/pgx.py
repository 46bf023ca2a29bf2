"""`varloom pgx`: star alleles, phenotypes and CPIC recommendations of a file, without a server."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.ending import end_in_order
from varloom.cli.live_view import TransferBar
from varloom.cli.output import describe
from varloom.cli.problems import OUTPUT_UNWRITABLE, SOURCE_UNREADABLE
from varloom.cli.readable_file import STDIN, on_disk
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from varloom.genomics.assemblies import Assembly
    from varloom.services.pgx_files import CalledFile

_ASSEMBLIES: dict[str, Assembly] = {"grch38": "GRCh38", "hg38": "GRCh38", "grch37": "GRCh37", "hg19": "GRCh37"}
_STATUS = {"called": "", "withheld": "withheld", "not_called": "not called", "no_data": "no data"}


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write; default: standard output.")
@click.option("--json", "shape", flag_value="json", help="Everything, as a JSON object (pgx.json).")
@click.option("--tsv", "shape", flag_value="tsv", help="A line for each gene and sample, with PharmCAT's columns.")
@click.option(
    "--drugs-tsv", "shape", flag_value="drugs", help="A line for each recommendation of a drug, with its strength."
)
@click.option(
    "--pharmcat-json", "shape", flag_value="pharmcat", help="What PharmCAT's matcher writes, a sample on a line."
)
@click.option(
    "--outside",
    metavar="TSV",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Calls made elsewhere (CYP2D6, HLA): gene, diplotype, phenotype, activity score.",
)
@click.option(
    "--reference-sites-listed",
    is_flag=True,
    help="All PGx positions were genotyped: take a position without a record for the reference.",
)
@click.option("--sample", "samples", metavar="NAME", multiple=True, help="Only this sample; may be given again.")
@click.option("--assembly", type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder with reference data [VARLOOM_DATA].",
)
@click.option("--storage", metavar="FOLDER|URL", help="Storage with the reference data; default: DATA/storage.")
def pgx(
    *,
    file: Path,
    output: Path | None,
    shape: str | None,
    outside: Path | None,
    reference_sites_listed: bool,
    samples: tuple[str, ...],
    assembly: str | None,
    data: Path | None,
    storage: str | None,
) -> None:
    """Call pharmacogenes in a file, without a server.

    FILE is a VCF or BCF of GRCh38, compressed or not, or - for the standard input. The definitions of alleles come from
    releases that `varloom refs add` installed. A position that the file does not have is not taken for the reference.
    """
    from varloom.services.pgx_files import PgxQuestion, call_file
    from varloom.settings import load_settings

    end_in_order()
    settings = load_settings(data=data, storage=storage)
    name = "stdin" if str(file) == STDIN else file.name
    with on_disk(str(file)) as path, TransferBar(f"Calling {name}", None) as bar:
        if not path.exists():
            raise VarloomError(SOURCE_UNREADABLE, f"{safe_excerpt(str(file))}: there is no such file.")

        def report(done: int, total: int | None, what: str) -> None:
            if what == "bytes":
                bar.reach(done, total)

        of = _ASSEMBLIES[assembly.lower()] if assembly is not None else None
        question = PgxQuestion(path, name, of, reference_sites_listed, outside, samples or None)
        found = call_file(settings, question, report)
    for warning in found.warnings:
        click.echo(f"  warning: {describe(warning)}", err=True)
    shape = shape or _shape_of(output)
    if shape is None:
        _print(found.result)
        return
    with _into(output) as write:
        for text in _texts(found, shape):
            write(text)


def _shape_of(output: Path | None) -> str | None:
    if output is None:
        return None
    return "tsv" if output.suffix.lower() in {".tsv", ".txt"} else "json"


def _texts(found: CalledFile, shape: str) -> Iterable[str]:
    import json

    from varloom.services.pgx_files import as_pharmcat, as_tsv, drugs_as_tsv

    match shape:
        case "tsv":
            return as_tsv(found.result)
        case "drugs":
            return drugs_as_tsv(found.result)
        case "pharmcat":
            return (json.dumps(one, ensure_ascii=False) + "\n" for one in as_pharmcat(found.result))
        case _:
            return (found.content.decode("utf-8"),)


@contextlib.contextmanager
def _into(output: Path | None) -> Iterator[Any]:
    """What writes texts to the file, or to the standard output."""
    if output is None:
        yield lambda text: click.echo(text, nl=False)
        sys.stdout.flush()
        return
    try:
        with output.open("w", encoding="utf-8") as target:
            yield target.write
    except OSError as error:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{output}: {error.strerror}.") from None


def _print(result: dict[str, Any]) -> None:
    """For people: a line for each gene, why a phenotype is withheld, and what is recommended by marked ones."""
    for sample in result["samples"]:
        click.echo(f"{safe_excerpt(sample['sample'], 80)}")
        for gene in sample["genes"]:
            named = " or ".join(one["name"] for one in gene["diplotypes"]) or ", ".join(
                one["name"] for one in gene["variants_found"]
            )
            told = gene["phenotype"] or _STATUS[gene["status"]] or "no phenotype"
            if gene["activity_score"]:
                told += f" (activity score {gene['activity_score']})"
            click.echo(f"  {gene['gene']:9} {named or '-':32} {told}")
            if gene["reason"]:
                click.echo(f"            {gene['reason']}")
            if gene["phenotype_if_reference"]:
                click.echo(f"            Were all of them the reference: {gene['phenotype_if_reference']}.")
            for note in gene["notes"]:
                click.echo(f"            Note: {note}")
        _print_drugs(sample, has_strength=result.get("strength_source") is not None)
    click.echo(result["disclaimer"])


def _print_drugs(sample: dict[str, Any], *, has_strength: bool) -> None:
    """What is recommended by phenotypes that CPIC marks as abnormal; drugs by other phenotypes are counted."""
    from varloom.services.pgx_files import is_to_act_on

    given = [one for one in sample["drugs"] if one["state"] == "given"]
    marked = [one for one in given if is_to_act_on(one, sample["genes"])]
    if not given:
        return
    click.echo("  Recommendations by phenotypes that CPIC marks as abnormal:" if marked else "  Recommendations:")
    for drug in marked:
        for advice in drug["guidance"] or [drug]:
            told = [advice.get("population"), advice["strength"] or "strength not told"]
            click.echo(f"    {drug['drug']} ({', '.join(one for one in told if one)}): {advice['recommendation']}")
    click.echo(f"    By other phenotypes: {len(given) - len(marked)} drugs; see --json or --drugs-tsv.")
    if not has_strength:
        click.echo("    No guidance is installed that tells how strong they are: varloom refs add guidance --kind pgx")
