"""PGx calling as a step of the process stage: what the job chose becomes `pgx.json` in the stage's folder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.dataset.durable import disk_full_told
from varloom.errors import VarloomError
from varloom.processing.pgx.calling import call_pgx
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.pgx.model import PgxWanted
from varloom.processing.pgx.problems import PGX_DEFINITIONS_MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.genomics.assemblies import Assembly
    from varloom.processing.pgx.model import PgxMade, Report

ROLE = "pgx"
"""What the file is called among those of a sample."""


class PgxPlace(NamedTuple):
    """Where it happens.

    Attributes:
        path: of the VCF.
        name: what its owner calls it.
        assembly: of its coordinates, if that is known.
        work: for what is needed in between; it exists.
        output: where `pgx.json` is left; it exists.
        aligned_here: whether the VCF was made here of reads.
    """

    path: Path
    name: str
    assembly: Assembly | None
    work: Path
    output: Path
    aligned_here: bool = False


def releases_for_job(installed: Iterable[ReleaseKey]) -> tuple[ReleaseKey, ...]:
    """The releases that a job calls with; `installed` has the newest first. Raises `pgx_definitions_missing`."""
    keys = choose_pgx(installed)
    if not keys:
        raise VarloomError(PGX_DEFINITIONS_MISSING, "No release of the kind pgx is installed here.")
    return keys


def call_for_job(
    place: PgxPlace, options: dict[str, Any], library: ReferenceLibrary, keys: Sequence[ReleaseKey], report: Report
) -> PgxMade:
    """Call all samples of a file with these releases.

    Raises:
        VarloomError: see `call_pgx`; those of the storage.
    """

    def on_bytes(done: int, total: int | None) -> None:
        report(done, total, "bytes")

    outside = None
    if options.get("outside_calls"):
        outside = place.work / "outside.tsv"
        with disk_full_told("the outside calls"):
            outside.write_text(options["outside_calls"], encoding="utf-8")
    with contextlib.ExitStack() as held:
        releases = tuple(held.enter_context(library.borrow(key, on_bytes)) for key in keys)
        listed = bool(options.get("reference_sites_listed"))
        wanted = PgxWanted(
            place.path,
            place.name,
            place.assembly,
            releases,
            listed,
            outside,
            None,
            place.output,
            aligned_here=place.aligned_here,
        )
        return call_pgx(wanted, report)
