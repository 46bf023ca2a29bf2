"""`varloom export`: a sample's table as a file."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.live_view import TransferBar
from varloom.cli.problems import OUTPUT_UNWRITABLE
from varloom.cli.samples import find_sample
from varloom.client.unfinished_file import unfinished_file
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

FORMATS = ("csv", "tsv", "jsonl", "parquet")


@click.command()
@click.argument("sample")
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="By default what -o says, else csv.")
@click.option("--where", metavar="FILTER", help="Only the rows that this filter selects.")
@click.option("--columns", metavar="A,B", help="Only these columns.")
@click.option("--sort", metavar="-A,B", help="Sorted by these columns; a minus means descending.")
@click.option("--dataset", type=click.UUID, metavar="ID", help="Which table of a sample that was split.")
@click.option(
    "--view",
    type=click.Choice(["full", "split"]),
    help="split: a row for each gene that a structural variant overlaps; default: full.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write; default: standard output.")
@server_options
def export(
    *,
    sample: str,
    format_name: str | None,
    where: str | None,
    columns: str | None,
    sort: str | None,
    dataset: UUID | None,
    view: str | None,
    output: Path | None,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """Write the table of a sample to a file.

    SAMPLE is an id, or a name that only one sample has.
    """
    format_name = format_name or _format_of(output)
    if format_name == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: name a file with -o.")
    with connected(url, token, data) as server:
        found = find_sample(server, sample)
        asked = {
            "format": format_name,
            "filter": where,
            "columns": columns,
            "sort": sort,
            "dataset": dataset,
            "view": view,
        }
        with (
            server.stream(f"/samples/{found['id']}/export", asked) as response,
            opened_target(output) as file,
            TransferBar(f"Exporting {found['name']}", None) as bar,
        ):
            for chunk in response.iter_bytes():
                file.write(chunk)
                bar.advance(len(chunk))


def _format_of(output: Path | None) -> str:
    extension = output.suffix[1:].lower() if output is not None else ""
    return extension if extension in FORMATS else FORMATS[0]


@contextlib.contextmanager
def opened_target(output: Path | None) -> Iterator[BinaryIO]:
    """Where the bytes go. A file appears under its name only when it is complete."""
    if output is None:
        if sys.stdout is None:
            raise VarloomError(OUTPUT_UNWRITABLE, "The standard output is closed.")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with unfinished_file(output.resolve()) as file:
            yield file
    except OSError as error:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{output}: {error.strerror}.") from None
