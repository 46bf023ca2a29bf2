"""The parse stage: read the file and write it as one or more datasets into the attempt's own folder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from varloom.dataset import load_file, written_directories
from varloom.errors import counted
from varloom.failpoints import failpoint
from varloom.pipeline.request import StageResult
from varloom.pipeline.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.annotation.merging import AnnotationFolder
    from varloom.pipeline.request import StageRequest
    from varloom.pipeline.workspace import Report, Workspace
    from varloom.reader import ReadProgress, TableReader

logger = logging.getLogger(__name__)


def run(request: StageRequest, report: Report) -> StageResult:
    """Load the source file; `report` is told the bytes read.

    The result names the storage key of each dataset, in the order of the file's samples.

    Raises:
        VarloomError: what is wrong with the file, or with the disk.
    """
    with open_workspace(request, report) as workspace:
        return _load(request, workspace, report)


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
    return StageResult({"folders": keys}, tuple(manifests[0].warnings))
