"""The parse stage: read the file and write it as one or more datasets into the attempt's own folder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from varloom.dataset import Dataset, load_file, written_directories
from varloom.errors import VarloomError, counted
from varloom.failpoints import failpoint
from varloom.pipeline.request import StageResult
from varloom.pipeline.workspace import open_workspace, previous_dataset
from varloom.storage import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from varloom.annotation.merging import AnnotationFolder
    from varloom.pipeline.request import StageRequest
    from varloom.pipeline.workspace import Report, Workspace
    from varloom.reader import ReadProgress, TableReader

logger = logging.getLogger(__name__)


def run(request: StageRequest, report: Report) -> StageResult:
    """Load the source file; `report` is told the bytes read.

    The result names the storage key of each dataset, in the order of the file's samples; of a new version also what
    differs from the one before.

    Raises:
        VarloomError: what is wrong with the file, or with the disk.
    """
    if request.annotation is not None:
        _unpin(request)
    with open_workspace(request, report) as workspace:
        return _load(request, workspace, report)


def _unpin(request: StageRequest) -> None:
    """The releases that the file was annotated with are not needed any more."""
    from varloom.annotation.refs.pins import Pins

    Pins(connect(request.storage)).remove(request.job)


def _annotation(workspace: Workspace) -> AnnotationFolder | None:
    """What the annotate stage left, if the job has one."""
    if workspace.annotation is None:
        return None
    from varloom.annotation.merging import AnnotationFolder  # few files are annotated

    return AnnotationFolder.load(workspace.annotation)


def _annotated(annotation: AnnotationFolder) -> Callable[[TableReader], TableReader]:
    """What puts the annotation's columns behind those of the file."""
    from varloom.annotation.merging import AnnotatedReader

    return lambda reader: AnnotatedReader(reader, annotation)


def _load(request: StageRequest, workspace: Workspace, report: Report) -> StageResult:
    if request.source is None:
        raise AssertionError("parsing needs a file")

    def on_progress(progress: ReadProgress) -> None:
        report(progress.bytes_done, progress.bytes_total, "bytes")

    annotation = _annotation(workspace)
    workspace.output.mkdir(parents=True, mode=0o700)
    failpoint("stage.after_folder")
    manifests = load_file(
        workspace.source,
        workspace.output / "dataset",
        name=request.source.name,
        assembly=request.options.get("assembly") or (annotation.assembly if annotation else None),
        split_by_sample=bool(request.options.get("split_by_sample")),
        on_progress=on_progress,
        wrap=_annotated(annotation) if annotation else None,
    )
    folders = written_directories(workspace.output / "dataset", manifests)
    for folder, manifest in zip(folders, manifests, strict=True):
        source = manifest.source
        logger.info(
            "%s: %s, %s, read as %s (%s); %s in %s",
            folder.name,
            counted(manifest.records, "record"),
            counted(manifest.variants, "row"),
            source.format,
            source.compression,
            counted(len(manifest.columns), "column"),
            counted(len(manifest.parts), "part"),
        )
    keys = [f"{request.output_key}/{folder.name}" for folder in folders]
    result: dict[str, Any] = {"folders": keys}
    if request.previous:
        result["changes"] = _changes(request, folders, report)
    return StageResult(result, tuple(manifests[0].warnings))


def _changes(request: StageRequest, folders: Sequence[Path], report: Report) -> list[dict[str, Any] | None]:
    """What differs in each dataset from the version before; it is only told, so that no failure of it fails the job."""
    if len(request.previous) != len(folders):
        return [None] * len(folders)
    return [_compared(request, key, folder, report) for key, folder in zip(request.previous, folders, strict=True)]


def _compared(request: StageRequest, key: str, folder: Path, report: Report) -> dict[str, Any] | None:
    import duckdb  # few jobs make a new version

    from varloom.dataset.changes import changes_between

    def on_step(done: int, total: int) -> None:
        report(done, total, "rows compared")

    try:
        with previous_dataset(request, key, lambda done, total: report(done, total, "bytes")) as old:
            found = changes_between(old, Dataset.open(folder), on_step)
    except (VarloomError, OSError, duckdb.Error) as error:
        logger.warning("the version before cannot be compared with: %s", error)
        return None
    return None if found is None else found.as_dict()
