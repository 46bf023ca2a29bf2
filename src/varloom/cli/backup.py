"""`varloom backup` and `varloom restore`: database and files, as they were at one moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.ending import end_in_order
from varloom.cli.exit_status import ERROR
from varloom.cli.live_view import TransferBar
from varloom.cli.output import print_error, print_json
from varloom.errors import VarloomError, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.services.backup_contents import Contents


def _place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say where database and files are."""
    command = click.option("--json", "as_json", is_flag=True, help="Print what the backup holds as a JSON object.")(
        command
    )
    command = click.option("--storage", metavar="FOLDER|URL", help="Where files are kept; default: DATA/storage.")(
        command
    )
    command = click.option(
        "--database-url", help="A PostgreSQL instead of the embedded one; better in VARLOOM_DATABASE_URL."
    )(command)
    return click.option(
        "--data", type=click.Path(file_okay=False, path_type=Path), help="The server's data folder [VARLOOM_DATA]."
    )(command)


@click.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--no-files", is_flag=True, help="Keep the database alone, and refer to the files where they are.")
@click.option("--with-secrets", is_flag=True, help="Keep the keys of credentials and varloom.toml, too.")
@click.option(
    "--previous",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="An earlier backup on the same disk: what it has is linked rather than copied.",
)
@_place_options
def backup(
    *, target: Path, no_files: bool, with_secrets: bool, previous: Path | None, as_json: bool, **places: Any
) -> int:
    """Write a backup into the new folder DIR, while the server runs or not.

    It holds the database as it is at one moment and all files that it speaks of; an object store keeps its files
    itself. DIR appears when the backup is whole.
    """
    from varloom.services.backups import BackupOptions, make_backup
    from varloom.settings import load_settings

    end_in_order()
    options = BackupOptions(with_files=not no_files, with_secrets=with_secrets, previous=previous)
    with TransferBar("Copying files", None) as bar:
        contents = make_backup(load_settings(**places), target.absolute(), options, bar.reach)
    if as_json:
        print_json(contents.as_json())
    else:
        click.echo(f"{target} holds the database and {_files(contents)}.")
        if not with_secrets:
            click.echo(
                "  - The keys that decrypt stored credentials are not in it: keep DATA/secret.key elsewhere, or give "
                "--with-secrets.",
                err=True,
            )
    return _told_missing(contents, made=True)


@click.command()
@click.argument("source", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Read all of the backup, compare checksums, restore nothing.")
@click.option(
    "--take-over",
    is_flag=True,
    help="For a backup that refers to its files: its server is stopped for good, use its storage.",
)
@_place_options
def restore(*, source: Path, only_check: bool, take_over: bool, as_json: bool, **places: Any) -> int:
    """Restore the backup DIR into an empty data folder, or an empty database and storage.

    All checksums are compared first. An interrupted restore is gone on with by the same command.
    """
    from varloom.services.backup_contents import check
    from varloom.services.restoring import restore_backup
    from varloom.settings import load_settings

    end_in_order()
    with TransferBar("Reading the backup" if only_check else "Restoring", None) as bar:
        if only_check:
            contents = check(source, bar.advance)
        else:
            contents = restore_backup(load_settings(**places), source, bar.advance, take_over=take_over)
    if as_json:
        print_json(contents.as_json())
    elif only_check:
        click.echo(f"{source} is whole: the database and {_files(contents)}, of {contents.made_at}.")
    else:
        click.echo(f"The database of {contents.made_at} and {_files(contents)} are restored.")
    return _told_missing(contents, made=False)


def _files(contents: Contents) -> str:
    if contents.has_files:
        return f"{counted(contents.files, 'file')} of {contents.file_bytes:,} bytes"
    return f"a list of the {counted(contents.files, 'file')} in {contents.storage_url}"


def _told_missing(contents: Contents, *, made: bool) -> int:
    """Say which files the database speaks of and nobody has: the exit status tells it, too."""
    from varloom.services.backup_problems import BACKUP_INCOMPLETE

    if not contents.missing:
        return 0
    verb = "lacks" if made else "has nothing of"
    error = VarloomError(
        BACKUP_INCOMPLETE,
        f"The storage {verb} {counted(len(contents.missing), 'object')} that the database "
        f"speaks of, the first {contents.missing[0]}.",
    )
    print_error(error.as_dict())
    return ERROR
