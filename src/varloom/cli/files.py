"""`varloom files`: what was made of a sample's reads, listed or downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.connection import connected, server_options
from varloom.cli.export import opened_target
from varloom.cli.live_view import TransferBar
from varloom.cli.output import print_json, print_table
from varloom.cli.problems import OUTPUT_UNWRITABLE
from varloom.cli.samples import find_sample
from varloom.dataset.problems import SAMPLE_FILE_NOT_FOUND
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("sample")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Download into this folder, which is made when missing: the named files, or all of them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of files.")
@server_options
def files(
    *,
    sample: str,
    names: tuple[str, ...],
    directory: Path | None,
    as_json: bool,
    url: str | None,
    token: str | None,
    data: Path | None,
) -> None:
    """List the files of a sample beside its table, or download them.

    SAMPLE is an id, or a name that only one sample has. NAME is what the list calls a file, or what it is there:
    `alignment` with its index, `variants`, `quality`, `pgx`.
    """
    with connected(url, token, data) as server:
        found = find_sample(server, sample)
        address = f"/samples/{found['id']}/files"
        chosen = _chosen(server.get(address)["files"], names)
        for one in chosen if directory is not None and _is_made(directory) else ():
            with (
                server.stream(f"{address}/{one['name']}") as response,
                opened_target(directory / one["download_name"]) as file,
                TransferBar(f"Downloading {one['download_name']}", one["bytes"]) as bar,
            ):
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    bar.advance(len(chunk))
    if as_json:
        print_json(chosen)
    else:
        rows = [(one["download_name"], one["role"], f"{one['bytes']:,}") for one in chosen]
        print_table(("FILE", "WHAT", "BYTES"), rows)


def _is_made(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{directory}: {error.strerror}.") from None
    return True


def _chosen(there: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The files of these names or roles; all of them where none is named."""
    known = {name for one in there for name in (one["name"], one["download_name"], one["role"])}
    for name in names:
        if name not in known:
            raise VarloomError(SAMPLE_FILE_NOT_FOUND, f"The sample has no file {safe_excerpt(name, 80)!r}.")
    wanted = {*names, *(f"{name}_index" for name in names)}
    return [one for one in there if not names or wanted & {one["name"], one["download_name"], one["role"]}]
