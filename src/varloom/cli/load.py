"""`varloom load`: a file becomes a dataset, without a server."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from varloom.cli.ending import end_in_order
from varloom.cli.live_view import TransferBar, on_read
from varloom.cli.output import counts, describe, print_json
from varloom.cli.problems import OUTPUT_UNWRITABLE
from varloom.cli.readable_file import STDIN, on_disk
from varloom.errors import VarloomError, counted
from varloom.garbage import free_nothing_at_exit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.dataset import Manifest
    from varloom.genomics.assemblies import Assembly
    from varloom.services.annotated_loading import AnnotatedFile

_ASSEMBLIES: dict[str, Assembly] = {"grch38": "GRCh38", "hg38": "GRCh38", "grch37": "GRCh37", "hg19": "GRCh37"}


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", "directory", metavar="DIR", required=True, type=click.Path(path_type=Path))
@click.option("--assembly", type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False))
@click.option("--split-by-sample", is_flag=True, help="One dataset for each sample: DIR-0, DIR-1, ...")
@click.option(
    "--threads", type=click.IntRange(min=1), help="How many threads read; default: as many as there are cores."
)
@click.option("--annotate", type=click.Choice(["none", "small", "structural"]), help="Which variants are annotated.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder with reference data [VARLOOM_DATA].",
)
@click.option("--storage", metavar="FOLDER|URL", help="Storage with the reference data; default: DATA/storage.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest of each dataset as a JSON object on a line.")
def load(
    *,
    file: Path,
    directory: Path,
    assembly: str | None,
    split_by_sample: bool,
    threads: int | None,
    annotate: str | None,
    data: Path | None,
    storage: str | None,
    as_json: bool,
) -> None:
    """Turn a file into a Parquet dataset, without a server.

    FILE is a VCF, CSV or TSV file, compressed or not, or - for the standard input. DIR is created. It holds
    manifest.json and the Parquet parts, or nothing at all when the file is refused.
    """
    from varloom.dataset import load_file
    from varloom.reader.short_process import begin_short_process

    end_in_order()
    annotates = annotate not in {None, "none"}
    if not annotates:  # sources need numpy
        begin_short_process()
    free_nothing_at_exit()
    of = _ASSEMBLIES[assembly.lower()] if assembly is not None else None
    name = "stdin" if str(file) == STDIN else file.name
    with on_disk(str(file)) as path, _into(directory), contextlib.ExitStack() as held:
        wrap = None
        if annotate is not None and annotates:
            found = held.enter_context(_annotated(path, name, annotate, of, data=data, storage=storage))
            wrap, of = found.wrap, found.made.assembly
        bar = held.enter_context(TransferBar(f"Loading {file.name}", None))
        manifests = load_file(
            path,
            directory,
            name=name,
            assembly=of,
            split_by_sample=split_by_sample,
            threads=threads,
            on_progress=on_read(bar),
            wrap=wrap,
        )
    from varloom.dataset import written_directories  # it waits for Arrow, and the file can be read before

    for folder, manifest in zip(written_directories(directory, manifests), manifests, strict=True):
        if as_json:
            print_json(manifest.as_dict())
        else:
            _print(folder, manifest)


@contextlib.contextmanager
def _annotated(
    path: Path, name: str, kind: str, assembly: Assembly | None, *, data: Path | None, storage: str | None
) -> Iterator[AnnotatedFile]:
    """The file with its annotation; what that lacks is told."""
    from varloom.services.annotated_loading import annotated  # with its libraries: few loads annotate
    from varloom.settings import load_settings

    settings = load_settings(data=data, storage=storage)
    with contextlib.ExitStack() as held:
        with TransferBar(f"Annotating {name}", None, counts=True) as bar:
            found = held.enter_context(
                annotated(settings, path, name, kind, assembly, report=lambda done, total, _: bar.reach(done, total))
            )
        for warning in found.made.warnings:
            click.echo(f"  warning: {describe(warning)}", err=True)
        yield found


@contextlib.contextmanager
def _into(directory: Path) -> Iterator[None]:
    """Tell it in words when the folder cannot be made or written."""
    try:
        yield
    except OSError as error:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{directory}: {error.strerror}.") from None


def _print(folder: Path, manifest: Manifest) -> None:
    from varloom.genomics.recognition import VARIANT_FORMATS

    variants = manifest.variants if manifest.source.format in VARIANT_FORMATS else None
    columns, size = len(manifest.columns), manifest.bytes
    click.echo(f"{folder}: {counts(manifest.records, variants)}, {counted(columns, 'column')}, {size:,} bytes")
    for warning in manifest.warnings:
        click.echo(f"  warning: {describe(warning)}")
