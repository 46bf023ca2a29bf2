"""The annotate stage: what is known of each variant of the file, from the reference data that is installed.

It leaves a folder with the annotation's columns, chunk by chunk in the order of the file's rows, which the parse stage
puts behind the file's own. What is finished of it stays for the next attempt, in a folder that belongs to the job.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from typing import TYPE_CHECKING, Any

import varloom
from varloom.annotation.checkpoints import Checkpoints, chunk_path
from varloom.annotation.choice import choose, fingerprint
from varloom.annotation.merging import DESCRIPTION, ORIGIN, AnnotationFolder
from varloom.annotation.model import VariantKind
from varloom.annotation.problems import (
    ANNOTATION_NEEDS_VARIANTS,
    ASSEMBLY_NEEDED,
    REFERENCE_DATA_MISSING,
    VARIANTS_SET_ASIDE,
)
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.run import CHUNK_ROWS, Annotation
from varloom.annotation.variant_batches import variant_batches
from varloom.dataset.durable import disk_full_told, sync_directory
from varloom.errors import Problem, Severity, VarloomError, counted
from varloom.failpoints import failpoint
from varloom.genomics.recognition import VARIANT_FORMATS
from varloom.pipeline.request import StageResult
from varloom.pipeline.workspace import open_workspace
from varloom.reader import Column, open_reader
from varloom.reader.preflight import preflight
from varloom.storage import LocalCopies, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from varloom.annotation.choice import Choice, Chosen
    from varloom.annotation.run import Finished
    from varloom.genomics.assemblies import Assembly
    from varloom.pipeline.request import StageRequest
    from varloom.pipeline.workspace import Report, Workspace
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

ANNOTATION = "annotation"
"""The name of the folder in the attempt's own."""


def run(request: StageRequest, report: Report) -> StageResult:
    """Annotate the source file's variants; `report` is told how many are done.

    The result tells the storage key of the annotation, the assembly, and the releases that were used.

    Raises:
        VarloomError: what is wrong with the file, with the reference data, or with the disk.
    """
    storage = connect(request.storage)
    with open_workspace(request, report, last=DESCRIPTION) as workspace:
        workspace.output.mkdir(parents=True, mode=0o700)
        failpoint("stage.after_folder")
        assembly = _assembly(request, workspace)
        library = ReferenceLibrary(storage, _copies(request))
        choice = _choice(VariantKind(request.options["annotate"]), assembly, library)
        with contextlib.ExitStack() as held:
            folders = {key: held.enter_context(library.borrow(key, _bytes_to(report))) for key in choice.keys}
            chosen = [item.with_folders(folders) for item in choice.planned]
            warnings = _annotate(request, workspace, chosen, storage, report)
    result: dict[str, Any] = {
        "key": f"{request.output_key}/{ANNOTATION}",
        "assembly": assembly,
        "releases": [list(key) for key in choice.keys],
        "unmet": [item.source.name for item in choice.unmet],
    }
    return StageResult(result, warnings)


def _bytes_to(report: Report) -> Any:
    return lambda done, total: report(done, total, "bytes")


def _copies(request: StageRequest) -> LocalCopies | None:
    if request.scratch is None:
        return None
    return LocalCopies(request.scratch.sources.with_name("references"), request.scratch.sources_limit)


def _assembly(request: StageRequest, workspace: Workspace) -> Assembly:
    """As it was chosen, else as the file's header tells.

    Raises:
        VarloomError: `assembly_needed`.
    """
    chosen: Assembly | None = request.options.get("assembly")
    if chosen is not None:
        return chosen
    found = preflight(workspace.source, _name(request), whole=True)
    guess = found[0].assembly if found is not None else None
    if guess is None:
        raise VarloomError(ASSEMBLY_NEEDED, "No assembly was chosen, and the file's header tells none.")
    if guess.assembly is None:
        raise VarloomError(ASSEMBLY_NEEDED, f"No assembly was chosen, and the header tells {guess.evidence}.")
    logger.info("the assembly is %s, by %s", guess.assembly, guess.evidence)
    return guess.assembly


def _choice(kind: VariantKind, assembly: Assembly, library: ReferenceLibrary) -> Choice:
    choice = choose(kind, assembly, [release.key for release in library.releases()])
    if not choice.planned:
        raise VarloomError(
            REFERENCE_DATA_MISSING, f"No reference data of {assembly} for {kind} variants is installed here."
        )
    for item in choice.planned:
        logger.info(
            "%s annotates with %s",
            item.source.name,
            ", ".join(f"{key.name} {key.release}" for key in item.keys.values()),
        )
    for unmet in choice.unmet:
        logger.info("%s does not annotate: reference data is not installed", unmet.source.name)
    return choice


def _annotate(
    request: StageRequest, workspace: Workspace, chosen: Sequence[Chosen], storage: Storage, report: Report
) -> tuple[dict[str, Any], ...]:
    """Annotate, and put what was made into the attempt's own folder: warnings of what could not be annotated."""

    def on_progress(done: int, total: int) -> None:
        report(done, total, "variants")

    identity = f"{request.source and request.source.sha256} {fingerprint(chosen, varloom.__version__)}"
    work = workspace.output / "work"
    with disk_full_told("the variants to annotate"):
        work.mkdir(mode=0o700)
    with _checkpoints(request, storage, identity) as checkpoints:
        annotation = Annotation(chosen, checkpoints, work, on_progress)
        finished = annotation.run(variant_batches(_batches(request, workspace, report), _kind(request), CHUNK_ROWS))
        failpoint("annotate.before_store")
        _keep(workspace.output / ANNOTATION, checkpoints, chosen, finished)
        failpoint("annotate.after_store")
    shutil.rmtree(work)
    logger.info("%s annotated in %s", counted(finished.rows, "variant"), counted(finished.chunks, "chunk"))
    return tuple(_warning(source, count, finished) for source, count in finished.aside_counts.items())


def _kind(request: StageRequest) -> VariantKind:
    return VariantKind(request.options["annotate"])


def _batches(request: StageRequest, workspace: Workspace, report: Report) -> Iterator[Any]:
    """The rows of the file as they will be in its dataset."""
    reader = open_reader(
        workspace.source,
        name=_name(request),
        on_progress=lambda progress: report(0, None, "variants"),  # noqa: ARG005
    )
    if reader.recognition.format not in VARIANT_FORMATS:
        message = f"The file is {reader.recognition.format.upper()}, and holds no variants."
        raise VarloomError(ANNOTATION_NEEDS_VARIANTS, message)
    yield from reader.batches()


def _name(request: StageRequest) -> str:
    return request.source.name if request.source is not None else ""


def _checkpoints(request: StageRequest, storage: Storage, identity: str) -> Checkpoints:
    """In the folder of the job, or beside it where another process does not let go of that.

    That is the one of an attempt which was given up for dead and is not.
    """
    folder = storage.local_path(f"annotations/{request.job}")
    if folder is None:
        if request.scratch is None:
            raise AssertionError("a storage on another machine needs scratch space")
        folder = request.scratch.downloads / f"annotation-{request.job}"
    try:
        return Checkpoints(folder, identity)
    except BlockingIOError:
        return Checkpoints(folder / f"beside-{request.output_key.rpartition('/')[2]}", identity)


def _keep(folder: Path, checkpoints: Checkpoints, chosen: Sequence[Chosen], finished: Finished) -> None:
    """Put the finished chunks into the attempt's own folder, described."""
    columns = tuple(
        Column(column.name, column.type, ORIGIN, column.description, None, item.source.name)
        for item in chosen
        for column in item.columns
    )
    releases = tuple(sorted({release.key for item in chosen for release in item.releases.values()}))
    with disk_full_told("the annotation"):
        folder.mkdir(mode=0o700)
        for number in range(finished.chunks):
            os.link(checkpoints.path(number), chunk_path(folder, number))
        AnnotationFolder(folder, finished.rows, finished.chunks, columns, releases).save()
        sync_directory(folder.parent)


def _warning(source: str, count: int, finished: Finished) -> dict[str, Any]:
    """What one source could not annotate, as a PROBLEM of the contract: the first of them by their rows."""
    examples = [item for item in finished.aside if item.source == source][:5]
    named = "; ".join(f"row {item.rowno + 1}: {item.reason}" for item in examples)
    left = f" and {count - len(examples):,} more" if count > len(examples) else ""
    message = f"{source} has no values for {counted(count, 'variant')}: {named}{left}."
    return Problem(VARIANTS_SET_ASIDE, message, Severity.WARNING).as_dict()
