"""`varloom refs`: the releases of reference data that annotation works with; no server is needed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from varloom.cli.ending import end_in_order
from varloom.cli.live_view import TransferBar
from varloom.cli.output import local_time, print_error, print_json, print_table, size
from varloom.cli.problems import OUTPUT_UNWRITABLE, REFERENCE_AMBIGUOUS
from varloom.errors import VarloomError, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.annotation.refs.release import Release
    from varloom.services.reference_views import ReferencesView

KINDS = ("genes", "fasta", "variants", "scores", "structural", "dosage", "mane", "pgx")
ASSEMBLIES = {"grch38": "GRCh38", "hg38": "GRCh38", "grch37": "GRCh37", "hg19": "GRCh37"}


def _library_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say where the library is."""
    command = click.option("--storage", metavar="FOLDER|URL", help="Where files are kept; default: DATA/storage.")(
        command
    )
    return click.option(
        "--data", type=click.Path(file_okay=False, path_type=Path), help="The server's data folder [VARLOOM_DATA]."
    )(command)


def _assembly_option(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--assembly",
        required=required,
        type=click.Choice(["GRCh38", "GRCh37", "hg38", "hg19"], case_sensitive=False),
        help="Of its coordinates.",
    )


@click.group()
def refs() -> None:
    """Add, list, verify and remove reference data for annotation, without a server."""


@refs.command("add")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What it is.")
@_assembly_option(required=True)
@click.option(
    "--from",
    "source",
    metavar="PATH|URL",
    required=True,
    help="The published file, or a folder of several; package:NAME takes a package of the package index.",
)
@click.option("--release", help="Its name, such as 2026-11-15; default: the date in the file, else that of the file.")
@click.option("--sha256", help="The checksum that the file has to have.")
@click.option("--licence", help="Its licence in words; default: what the catalogue tells.")
@click.option("--excerpt", is_flag=True, help="Take a genome whose chromosomes have other lengths: data for tests.")
@click.option("--json", "as_json", is_flag=True, help="Print the release as a JSON object.")
@_library_options
def add(
    *,
    name: str,
    kind: str,
    assembly: str,
    source: str,
    release: str | None,
    sha256: str | None,
    licence: str | None,
    excerpt: bool,
    as_json: bool,
    data: Path | None,
    storage: str | None,
) -> None:
    """Install a release of reference data.

    NAME is what `varloom refs list` calls it, such as clinvar. A download that broke off is gone on with when the same
    command is given again.
    """
    from varloom.services.references import NewRelease, add_release, reference_view
    from varloom.settings import load_settings

    end_in_order()
    new = NewRelease(name, kind, ASSEMBLIES[assembly.lower()], source, release, sha256, licence, excerpt)
    with _Steps(name) as on_step:
        made = add_release(load_settings(data=data, storage=storage), new, on_step)
    if as_json:
        print_json(reference_view(made).model_dump(mode="json"))
        return
    click.echo(f"{_named(made)} is installed: {size(made.size)}, {_holds(made)}.")
    for note in made.notes:
        click.echo(f"  - {note}", err=True)


@refs.command("list")
@_assembly_option(required=False)
@click.option("--missing", "only_missing", is_flag=True, help="List only what full annotation still needs.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array: what is installed, or with --missing what is not."
)
@_library_options
def list_releases(
    *, assembly: str | None, only_missing: bool, as_json: bool, data: Path | None, storage: str | None
) -> None:
    """List what is installed, and what full annotation still needs and where it is published."""
    from varloom.services.references import overview

    found = overview(_library(data, storage), on_damaged=_tell_damage)
    wanted = set(ASSEMBLIES.values()) if assembly is None else {ASSEMBLIES[assembly.lower()]}
    installed = [view for view in found.installed if view.assembly in wanted]
    missing = [view for view in found.missing if view.assembly in wanted]
    if as_json:
        print_json([view.model_dump(mode="json") for view in (missing if only_missing else installed)])
        return
    if not only_missing:
        _print_installed(found.model_copy(update={"installed": installed}))
    _print_missing(found.model_copy(update={"missing": missing}))


@refs.command("verify")
@click.argument("name", required=False)
@_assembly_option(required=False)
@click.option("--kind", type=click.Choice(KINDS), help="Only releases of this kind.")
@click.option("--release", help="Only this release.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@_library_options
def verify(
    *,
    name: str | None,
    assembly: str | None,
    kind: str | None,
    release: str | None,
    as_json: bool,
    data: Path | None,
    storage: str | None,
) -> int:
    """Read all files of the releases again and compare their checksums; of all releases without a NAME.

    The exit status is 1 if any is damaged.
    """
    library = _library(data, storage)
    results = []
    for one in _chosen(library, name, kind, assembly, release):
        with _Steps(_named(one)) as on_step:
            faults = library.verify(one, partial(on_step, "verifying"))
        results.append((one, faults))
        if not as_json:
            click.echo(f"{_named(one)}: {' '.join(faults) or 'as it was installed'}")
    if as_json:
        print_json([{**one.key._asdict(), "ok": not faults, "faults": faults} for one, faults in results])
    return int(any(faults for _, faults in results))


@refs.command("remove")
@click.argument("name")
@_assembly_option(required=False)
@click.option("--kind", type=click.Choice(KINDS), help="What it is, where several kinds have the name.")
@click.option("--release", help="Which release, where several are installed.")
@click.option(
    "--force", is_flag=True, help="Also while jobs wait or work with it, which then fail, or a CRAM is read with it."
)
@_library_options
def remove(
    *,
    name: str,
    assembly: str | None,
    kind: str | None,
    release: str | None,
    force: bool,
    data: Path | None,
    storage: str | None,
) -> None:
    """Remove a release. Tables that were annotated with it keep what it gave.

    A genome that reads of a job wait for, or are aligned to, is kept; the jobs are named.
    """
    from varloom.annotation.refs.library import told
    from varloom.services.reference_users import remove_release
    from varloom.services.references import open_library
    from varloom.settings import load_settings

    settings = load_settings(data=data, storage=storage)
    key = _only_key(open_library(settings), name, kind, assembly, release)
    remove_release(settings, key, force=force)
    click.echo(f"{told(key)} is removed.")


@refs.command("demo", short_help="Install synthetic data that shows annotation at once.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the files to load are written; default: the current folder.",
)
@click.option("--remove", "is_removing", is_flag=True, help="Remove the demonstration data again.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@_library_options
def demo(*, into: Path, is_removing: bool, as_json: bool, data: Path | None, storage: str | None) -> None:
    """Install synthetic data that shows annotation at once, and write two files to load.

    Nothing in it is real: neither genome, genes and variants, nor what is told of them. It serves its own files alone.
    """
    from varloom.annotation.demo.installing import install_demo

    end_in_order()
    library = _library(data, storage)
    if is_removing:
        removed = _removed_demo(library, data)
        if as_json:
            print_json({"removed": [key._asdict() for key in removed]})
        else:
            click.echo(f"{counted(len(removed), 'release')} of the demonstration removed.")
        return
    files = _write_demo_files(into)
    with _Steps("demo") as on_step:
        made = install_demo(library, on_step)
    if as_json:
        print_json({"installed": [key._asdict() for key in made], "files": [str(path) for path in files]})
        return
    click.echo(
        "The demonstration data is installed. Nothing in it is real, and only its own files are annotated with it:"
    )
    for path, kind in zip(files, ("small", "structural"), strict=True):
        click.echo(f"  varloom submit {path} --annotate {kind} --wait")


def _removed_demo(library: ReferenceLibrary, data: Path | None) -> list[ReleaseKey]:
    """Remove the demonstration; by the server of the data folder where that still holds it ready, which it can end.

    Raises:
        VarloomError: `reference_in_use`.
    """
    from varloom.annotation.demo.installing import remove_demo
    from varloom.annotation.refs.problems import REFERENCE_IN_USE
    from varloom.cli.connection import Server, ServerChoice
    from varloom.client.addresses import noted_server
    from varloom.settings import load_settings

    installed = [key for key in library.newest_first() if key.is_demo]
    try:
        return remove_demo(library)
    except VarloomError as error:
        address = noted_server(load_settings(data=data).data)
        if error.kind is not REFERENCE_IN_USE or address is None:
            raise
        server = Server(ServerChoice(address.url, address.token, data))
        try:
            server.request("DELETE", "/refs/demo")
        except VarloomError:
            raise error from None
        finally:
            server.close()
        if any(key.is_demo for key in library.newest_first()):
            raise
    return installed


def _write_demo_files(folder: Path) -> list[Path]:
    """Write the files to load.

    Raises:
        VarloomError: `output_unwritable`.
    """
    from varloom.annotation.demo.files import SAMPLES, sample_text

    paths = [folder / name for name in SAMPLES]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.write_text(sample_text(path.name), encoding="ascii")
    except OSError as error:
        raise VarloomError(OUTPUT_UNWRITABLE, f"{folder}: {error.strerror}.") from None
    return paths


class _Steps:
    """A bar for each step of a long work, on a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._step: str | None = None
        self._bar: TransferBar | None = None

    def __enter__(self) -> Callable[[str, int, int | None], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._close()

    def _show(self, step: str, done: int, total: int | None) -> None:
        if step != self._step:
            self._close()
            self._step, self._bar = step, TransferBar(f"{self._name}: {step}", total)
            self._bar.__enter__()
        if self._bar is not None and total is not None:
            self._bar.reach(done, total)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _library(data: Path | None, storage: str | None) -> ReferenceLibrary:
    from varloom.services.references import open_library
    from varloom.settings import load_settings

    return open_library(load_settings(data=data, storage=storage))


def _chosen(
    library: ReferenceLibrary, name: str | None, kind: str | None, assembly: str | None, release: str | None
) -> list[Release]:
    """The releases that fit; with a name at least one.

    Raises:
        VarloomError: `reference_missing`.
    """
    from varloom.annotation.refs.problems import REFERENCE_MISSING

    wanted = {"name": name, "kind": kind, "assembly": assembly and ASSEMBLIES[assembly.lower()], "release": release}
    given = {what: value for what, value in wanted.items() if value is not None}
    found = [
        one
        for one in library.releases(_tell_damage)
        if all(getattr(one, what) == value for what, value in given.items())
    ]
    if given and not found:
        told = ", ".join(f"{what} {value}" for what, value in given.items())
        raise VarloomError(REFERENCE_MISSING, f"No release with {told} is installed.")
    return found


def _tell_damage(error: VarloomError) -> None:
    print_error(error.as_dict())


def _only_key(
    library: ReferenceLibrary, name: str, kind: str | None, assembly: str | None, release: str | None
) -> ReleaseKey:
    """The one release that fits; if all is given it need not be readable.

    Raises:
        VarloomError: `reference_missing`, `reference_ambiguous`.
    """
    from varloom.annotation.refs.release import checked_release_key

    if kind is not None and assembly is not None and release is not None:
        return checked_release_key(kind, name, ASSEMBLIES[assembly.lower()], release)
    chosen = _chosen(library, name, kind, assembly, release)
    if len(chosen) > 1:
        listed = ", ".join(_named(one) for one in chosen)
        raise VarloomError(REFERENCE_AMBIGUOUS, f"{len(chosen)} releases are called so: {listed}.")
    return chosen[0].key


def _print_installed(found: ReferencesView) -> None:
    if not found.installed:
        click.echo("No reference data is installed.")
        return
    rows = [
        (
            one.name,
            one.kind,
            one.assembly,
            one.release,
            size(one.bytes),
            one.licence,
            one.sha256[:12],
            local_time(one.added_at.isoformat()),
        )
        for one in found.installed
    ]
    print_table(("NAME", "KIND", "ASSEMBLY", "RELEASE", "SIZE", "LICENCE", "SHA-256", "ADDED"), rows)


def _print_missing(found: ReferencesView) -> None:
    if not found.missing:
        return
    click.echo("\nMissing for full annotation; nothing is fetched by itself, and licences and sizes are as last known:")
    for one in found.missing:
        click.echo(f"  {one.assembly}  {one.title}: {one.gives}")
        click.echo(f"      varloom refs add {one.name} --kind {one.kind} --assembly {one.assembly} --from ...")
        click.echo(f"      about {size(one.bytes)}, {one.licence}: {one.url}")


def _named(release: Release) -> str:
    from varloom.annotation.refs.library import told

    return told(release.key)


def _holds(release: Release) -> str:
    rows = release.counts.get("rows")
    return counted(rows, "variant") if rows is not None else counted(len(release.contigs), "contig")
