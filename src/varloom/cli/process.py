"""`varloom process`: from reads to variants, without a server."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from varloom.cli.ending import end_in_order
from varloom.cli.live_view import TransferBar
from varloom.cli.output import describe, print_json
from varloom.cli.problems import OUTPUT_UNWRITABLE, SOURCE_UNREADABLE
from varloom.errors import VarloomError, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.processing.model import Analysed
    from varloom.services.local_processing import Wanted

_ASSEMBLIES = {"grch38": "GRCh38", "hg38": "GRCh38", "grch37": "GRCh37", "hg19": "GRCh37"}

_RESULTS = (
    *("alignment.bam", "alignment.bam.bai", "alignment.cram", "alignment.cram.crai", "quality.json"),
    *("variants.vcf.gz", "variants.vcf.gz.tbi", "sites.vcf.gz", "sites.vcf.gz.tbi"),
)
"""What an analysis writes into its folder."""


@click.command()
@click.argument("reads", metavar="READS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "directory", metavar="DIR", required=True, type=click.Path(path_type=Path))
@click.option(
    "--reference", metavar="FASTA", type=click.Path(path_type=Path), help="The genome; else the installed one."
)
@click.option(
    "--assembly",
    type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False),
    default="GRCh38",
    show_default=True,
    help="Of the reference.",
)
@click.option("--sample", help="The sample's name; default: from the name of the first file.")
@click.option("--engine", default="cpu", show_default=True, help="What does the work: cpu or parabricks.")
@click.option(
    "--caller",
    default="bcftools",
    show_default=True,
    help="What calls the variants: bcftools; with Parabricks haplotypecaller or deepvariant.",
)
@click.option(
    "--alignment-format",
    type=click.Choice(["bam", "cram"]),
    default="bam",
    show_default=True,
    help="How the alignment is kept; CRAM is about half as large, and is read with the same genome.",
)
@click.option(
    "--sex-chromosomes",
    type=click.Choice(["auto", "xx", "xy"], case_sensitive=False),
    default="auto",
    show_default=True,
    help="Of the sample: by coverage, or as they are known.",
)
@click.option("--sites", metavar="VCF", type=click.Path(path_type=Path), help="Sites that get a genotype in any case.")
@click.option("--threads", type=click.IntRange(min=1), help="How many processors; default: all.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder with reference data.")
@click.option("--storage", metavar="FOLDER|URL", help="Storage with the reference data; default: DATA/storage.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as a JSON object.")
def process(
    *,
    reads: tuple[Path, ...],
    directory: Path,
    reference: Path | None,
    assembly: str,
    sample: str | None,
    engine: str,
    caller: str,
    alignment_format: str,
    sex_chromosomes: str,
    sites: Path | None,
    threads: int | None,
    data: Path | None,
    storage: str | None,
    as_json: bool,
) -> None:
    """Align reads and call variants, without a server.

    READS are FASTQ files of one or more lanes, plain or gzip, whose names tell what belongs together (R1 and R2, or 1
    and 2), an interleaved one, or one BAM or CRAM. DIR gets alignment.bam (or .cram), variants.vcf.gz and
    quality.json. What is finished stays in DIR when the command is ended, and is not done again by the same command.
    """
    from varloom.services.local_processing import Wanted, processed

    end_in_order()
    for path in (*reads, *([reference] if reference else []), *([sites] if sites else [])):
        if not path.is_file() or not os.access(path, os.R_OK):
            raise VarloomError(SOURCE_UNREADABLE, f"{path}: there is no such file, or it may not be read.")
        if any((directory / name).exists() and (directory / name).samefile(path) for name in _RESULTS):
            message = f"{path}: a result would replace this file; choose another folder for the results."
            raise VarloomError(OUTPUT_UNWRITABLE, message)
    wanted = Wanted(
        reads=reads,
        directory=directory,
        fasta=reference,
        assembly=_ASSEMBLIES[assembly.lower()],  # type: ignore[arg-type]
        sample=sample,
        engine=engine,
        caller=caller,
        alignment_format=alignment_format,
        sites=sites,
        threads=threads or os.cpu_count() or 1,
        sex_chromosomes=sex_chromosomes.lower(),
    )
    with _into(directory), StepBars() as bars:
        made = processed(wanted, bars.report, data=data, storage=storage)
    if as_json:
        print_json(_as_json(made))
    else:
        _print(wanted, made)


class StepBars:
    """A bar for each step, on a terminal."""

    def __init__(self) -> None:
        self._what: str | None = None
        self._held = contextlib.ExitStack()
        self._bar: TransferBar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def report(self, done: int, total: int | None, what: str) -> None:
        """So much is done of a step."""
        if what != self._what or self._bar is None:
            self._held.close()
            title = what[0].upper() + what[1:]
            self._what, self._bar = (
                what,
                self._held.enter_context(TransferBar(title, total, counts="bytes" not in what)),
            )
        self._bar.reach(done, total)


@contextlib.contextmanager
def _into(directory: Path) -> Iterator[None]:
    """Tell it in words when the folder cannot be made or written."""
    try:
        yield
    except BlockingIOError:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{directory}: another process works there.") from None
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{directory}: {error.strerror}.") from None


def _as_json(made: Analysed) -> dict[str, Any]:
    return {
        "engine": made.engine,
        "alignment": str(made.alignment),
        "variants": str(made.variants),
        "genotyped": str(made.genotyped) if made.genotyped else None,
        "quality": made.quality,
        "tools": dict(made.tools),
        "warnings": list(made.warnings),
    }


def _print(wanted: Wanted, made: Analysed) -> None:
    reads, depth, variants = (made.quality[part] for part in ("reads", "depth", "variants"))
    ratio = f", Ti/Tv {variants['ti_tv']:.2f}" if variants["ti_tv"] is not None else ""
    click.echo(
        f"{wanted.directory}: {counted(reads['total'], 'read')}, {reads['mapped_share']:.1%} mapped, "
        f"{reads['duplicate_share']:.1%} duplicates, mean depth {depth['mean']:.1f}"
    )
    click.echo(f"  {counted(variants['snps'], 'SNP')}, {counted(variants['indels'], 'indel')}{ratio}")
    click.echo(f"  sex chromosomes: {_of_sex_chromosomes(made.quality['sex_chromosomes'])}")
    sites = made.quality["sites"]
    if sites is not None:
        click.echo(f"  {sites['known']:,} of {counted(sites['total'], 'site')} have a genotype")
    for path in (made.alignment, made.variants, made.genotyped):
        if path is not None:
            click.echo(f"  {path}")
    for warning in made.warnings:
        click.echo(f"  warning: {describe(warning)}")


def _of_sex_chromosomes(figures: dict[str, Any]) -> str:
    """What coverage says, with its figures, and what was given."""
    told = figures["told"].upper() if figures["told"] else f"not told. {figures['why']}"
    if figures["told"]:
        told += f" by coverage (X {figures['x_ratio']:.2f}, Y {figures['y_ratio']:.2f} of the autosomes' depth)"
    return told if figures["given"] == "auto" else f"{figures['given'].upper()} given; {told}"
