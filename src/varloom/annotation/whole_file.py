"""From a file to its annotation: what is needed is chosen, borrowed, asked about every variant, and described."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import varloom
from varloom.annotation.checkpoints import Checkpoints, chunk_path
from varloom.annotation.choice import choose, fingerprint, nothing_installed
from varloom.annotation.merging import ORIGIN, AnnotationFolder
from varloom.annotation.problems import (
    ANNOTATION_NEEDS_VARIANTS,
    ANNOTATION_SYNTHETIC,
    ASSEMBLY_CONTRADICTED,
    ASSEMBLY_NEEDED,
    REFERENCE_DATA_MISSING,
    SYNTHETIC_TOLD,
    VARIANTS_SET_ASIDE,
)
from varloom.annotation.refs.library import told
from varloom.annotation.refs.pins import Pin, Pins
from varloom.annotation.refs.problems import REFERENCE_REMOVED
from varloom.annotation.run import CHUNK_ROWS, Annotation
from varloom.annotation.stretches import Limits, Stretches, cut_between
from varloom.annotation.variant_batches import variant_batches
from varloom.dataset.durable import disk_full_told, sync_directory
from varloom.errors import Problem, Severity, VarloomError, counted
from varloom.failpoints import failpoint
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.reader import Column, open_reader
from varloom.reader.preflight import preflight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from varloom.annotation.choice import Choice, Chosen
    from varloom.annotation.model import VariantKind
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.annotation.run import Finished
    from varloom.genomics.assemblies import Assembly, AssemblyGuess

    Report = Callable[[int, int | None, str], None]

logger = logging.getLogger(__name__)

LARGEST_CHUNK = 3
"""A chunk within which all variants belong together grows to so many times the usual rows, and no further."""


class Wanted(NamedTuple):
    """What is to be annotated.

    Attributes:
        path: the file.
        name: what its owner calls it.
        kind: of the variants.
        assembly: of their coordinates; None leaves it to the file's header.
        identity: tells the file from all others, such as its checksum.
        job: that is pinned for; None where none is.
        keeps_choice: whether releases that were pinned before are used again.
    """

    path: Path
    name: str
    kind: VariantKind
    assembly: Assembly | None
    identity: str
    job: str | None = None
    keeps_choice: bool = True


class Place(NamedTuple):
    """Where it happens.

    Attributes:
        checkpoints: a folder that outlives this try; what is finished in it is not done again.
        beside: one to take while another process holds that.
        work: a folder for what is needed meanwhile; made and removed here.
        output: the folder that is made, on the same disk as the checkpoints.
    """

    checkpoints: Path
    beside: Path
    work: Path
    output: Path


class Made(NamedTuple):
    """An annotation that was made.

    Attributes:
        folder: it.
        assembly: of the coordinates.
        choice: which sources annotated with which releases, and which could not.
        warnings: what single variants lack, as PROBLEMs of the contract.
    """

    folder: AnnotationFolder
    assembly: Assembly
    choice: Choice
    warnings: tuple[dict[str, Any], ...]


def annotate_file(wanted: Wanted, library: ReferenceLibrary, place: Place, report: Report) -> Made:
    """Annotate all variants of a file; `report` is told how many are done.

    Raises:
        VarloomError: what is wrong with the file, with the reference data, or with the disk.
    """
    found = preflight(wanted.path, wanted.name, whole=True)
    guess = found[0].assembly if found is not None else None
    assembly = wanted.assembly or _assembly_by(guess)
    demo = guess is not None and guess.is_demo
    choice = _pinned(wanted, assembly, library, demo=demo) or _choice(wanted.kind, assembly, library, demo=demo)
    _pin(wanted, assembly, choice, library)

    def on_bytes(done: int, total: int | None) -> None:
        report(done, total, "bytes")

    with contextlib.ExitStack() as held:
        folders = {key: held.enter_context(library.borrow(key, on_bytes)) for key in choice.keys}
        chosen = [item.with_folders(folders) for item in choice.planned]
        try:
            folder, finished = _annotate(
                wanted._replace(assembly=assembly), chosen, place, report, partial(_require_installed, choice, library)
            )
        except VarloomError:
            _require_installed(choice, library)  # else it is the cause
            raise
    warnings = [_warning(source, count, finished) for source, count in finished.aside_counts.items()]
    if guess is not None and guess.assembly != assembly:
        message = f"{assembly} was chosen, and the header tells {guess.evidence}" + (
            f": the file is {guess.assembly}." if guess.assembly else "."
        )
        warnings.insert(0, Problem(ASSEMBLY_CONTRADICTED, message, Severity.WARNING).as_dict())
    if any(key.is_demo for key in choice.keys):
        warnings.insert(0, Problem(ANNOTATION_SYNTHETIC, SYNTHETIC_TOLD, Severity.WARNING).as_dict())
    return Made(folder, assembly, choice, tuple(warnings))


def _assembly_by(guess: AssemblyGuess | None) -> Assembly:
    """As the file's header tells.

    Raises:
        VarloomError: `assembly_needed`.
    """
    if guess is None:
        raise VarloomError(ASSEMBLY_NEEDED, "No assembly was chosen, and the file's header tells none.")
    if guess.assembly is None:
        raise VarloomError(ASSEMBLY_NEEDED, f"No assembly was chosen, and the header tells {guess.evidence}.")
    logger.info("the assembly is %s, by %s", guess.assembly, guess.evidence)
    return guess.assembly


def _choice(kind: VariantKind, assembly: Assembly, library: ReferenceLibrary, *, demo: bool) -> Choice:
    """The sources and releases.

    Raises:
        VarloomError: `reference_data_missing`.
    """
    installed = library.newest_first()
    choice = choose(kind, assembly, installed, demo=demo)
    if not choice.planned:
        message = nothing_installed(assembly, f"for {kind} variants ", installed, demo=demo)
        raise VarloomError(REFERENCE_DATA_MISSING, message)
    _log(choice)
    return choice


def _pinned(wanted: Wanted, assembly: Assembly, library: ReferenceLibrary, *, demo: bool) -> Choice | None:
    """What an earlier attempt of the job chose; None where it has chosen nothing that goes with what is wanted.

    Raises:
        VarloomError: `reference_removed`.
    """
    pin = None
    if wanted.job is not None and wanted.keeps_choice:
        pin = Pins(library.storage).of_job(wanted.job)
    if pin is None or (pin.kind, pin.assembly) != (wanted.kind.value, assembly):
        return None
    choice = choose(wanted.kind, assembly, pin.releases, demo=demo)
    if choice.keys != tuple(sorted(pin.releases)):
        return None  # another version of Varloom needs other data
    _require_installed(choice, library)
    _log(choice)
    return choice


def _pin(wanted: Wanted, assembly: Assembly, choice: Choice, library: ReferenceLibrary) -> None:
    if wanted.job is not None:
        Pins(library.storage).put(wanted.job, Pin(wanted.kind.value, assembly, choice.keys))
        _require_installed(choice, library)


def _require_installed(choice: Choice, library: ReferenceLibrary) -> None:
    """See that nobody has removed what the job works with.

    Raises:
        VarloomError: `reference_removed`.
    """
    for key in choice.keys:
        if not library.has(key):
            raise VarloomError(REFERENCE_REMOVED, f"{told(key)}, with which this job annotates, was removed.")


def _log(choice: Choice) -> None:
    for item in choice.planned:
        named = ", ".join(f"{key.name} {key.release}" for key in item.keys.values())
        logger.info("%s annotates with %s", item.source.name, named)
    for unmet in choice.unmet:
        logger.info("%s does not annotate: its reference data is not installed", unmet.source.name)


def _annotate(
    wanted: Wanted, chosen: Sequence[Chosen], place: Place, report: Report, on_failure: Callable[[], None]
) -> tuple[AnnotationFolder, Finished]:
    def on_progress(done: int, total: int) -> None:
        report(done, total, "variants")

    with disk_full_told("the variants to annotate"):
        place.work.mkdir(mode=0o700, parents=True)
    try:
        with _checkpoints(place, f"{wanted.identity} {fingerprint(chosen, varloom.__version__)}") as checkpoints:
            annotation = Annotation(chosen, checkpoints, place.work, on_progress, on_failure=on_failure)
            finished = annotation.run(_chunks(wanted, chosen, report))
            failpoint("annotate.before_store")
            folder = _keep(place.output, checkpoints, chosen, finished, wanted.assembly)
            failpoint("annotate.after_store")
    finally:
        shutil.rmtree(place.work, ignore_errors=True)
    logger.info("%s annotated in %s", counted(finished.rows, "variant"), counted(finished.chunks, "chunk"))
    return folder, finished


def _chunks(wanted: Wanted, chosen: Sequence[Chosen], report: Report) -> Iterator[Any]:
    """The variants of the file, cut where no source has to see the next one as well."""
    told = (item.source.stretches(item.releases) for item in chosen)
    stretches = Stretches([table for table in told if table is not None], wanted.assembly)
    batches = variant_batches(_rows(wanted, report), wanted.kind, CHUNK_ROWS)
    return cut_between(batches, stretches, Limits(slack=CHUNK_ROWS // 10, most=LARGEST_CHUNK * CHUNK_ROWS))


def _rows(wanted: Wanted, report: Report) -> Iterator[Any]:
    """The rows of the file as they will be in its dataset."""

    def on_progress(_: object) -> None:
        report(0, None, "variants")

    reader = open_reader(wanted.path, name=wanted.name, on_progress=on_progress)
    if reader.recognition.format not in VARIANT_FORMATS:
        message = f"The file is {reader.recognition.format.upper()}, and holds no variants."
        raise VarloomError(ANNOTATION_NEEDS_VARIANTS, message)
    yield from reader.batches()


def _checkpoints(place: Place, identity: str) -> Checkpoints:
    """In the folder that outlives us, or beside it where another process does not let go of that.

    That is the one of an attempt which was given up for dead and is not.
    """
    try:
        return Checkpoints(place.checkpoints, identity)
    except BlockingIOError:
        return Checkpoints(place.beside, identity)


def _keep(
    output: Path, checkpoints: Checkpoints, chosen: Sequence[Chosen], finished: Finished, assembly: Assembly | None
) -> AnnotationFolder:
    """Put the finished chunks into the output, described."""
    columns = tuple(
        Column(column.name, column.type, ORIGIN, column.description, None, item.source.name)
        for item in chosen
        for column in item.columns
    )
    releases = tuple(sorted({release.key for item in chosen for release in item.releases.values()}))
    with disk_full_told("the annotation"):
        output.mkdir(mode=0o700)
        for number in range(finished.chunks):
            os.link(checkpoints.path(number), chunk_path(output, number))
        folder = AnnotationFolder(output, finished.rows, finished.chunks, columns, releases, assembly)
        folder.save()
        sync_directory(output.parent)
    return folder


def _warning(source: str, count: int, finished: Finished) -> dict[str, Any]:
    """What one source could not annotate; the first of them are named by their rows."""
    examples = [item for item in finished.aside if item.source == source][:5]
    named = "; ".join(f"row {item.rowno + 1}: {item.reason.rstrip('.')}" for item in examples)
    left = f" and {count - len(examples):,} more" if count > len(examples) else ""
    end = "" if f"{named}{left}".endswith(("?", "!")) else "."
    message = f"{source} has no values for {counted(count, 'variant')}: {named}{left}{end}"
    return Problem(VARIANTS_SET_ASIDE, message, Severity.WARNING).as_dict()
