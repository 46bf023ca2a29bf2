"""The annotate stage: what is known of each variant of the file, from the reference data that is installed.

It leaves a folder with the annotation's columns, chunk by chunk in the order of the file's rows, which the parse stage
puts behind the file's own. What is finished of it stays for the next attempt, in a folder that belongs to the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.annotation.merging import DESCRIPTION
from varloom.annotation.model import VariantKind
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.whole_file import Place, Wanted, annotate_file
from varloom.failpoints import failpoint
from varloom.pipeline.request import StageResult
from varloom.pipeline.workspace import open_workspace
from varloom.storage import LocalCopies, connect

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.pipeline.request import StageRequest
    from varloom.pipeline.workspace import Report, Workspace
    from varloom.storage import Storage

ANNOTATION = "annotation"
"""The name of the folder in the attempt's own."""


def run(request: StageRequest, report: Report) -> StageResult:
    """Annotate the source file's variants; `report` is told how many are done.

    The result tells the storage key of the annotation, the assembly, the releases that were used, and the sources for
    which none was installed.

    Raises:
        VarloomError: what is wrong with the file, with the reference data, or with the disk.
    """
    storage = connect(request.storage)
    with open_workspace(request, report, last=DESCRIPTION) as workspace:
        workspace.output.mkdir(parents=True, mode=0o700)
        failpoint("stage.after_folder")
        made = annotate_file(
            _wanted(request, workspace),
            ReferenceLibrary(storage, _copies(request)),
            _place(request, workspace, storage),
            report,
        )
    result: dict[str, Any] = {
        "key": f"{request.output_key}/{ANNOTATION}",
        "assembly": made.assembly,
        "releases": [list(key) for key in made.choice.keys],
        "unmet": [item.source.name for item in made.choice.unmet],
    }
    return StageResult(result, made.warnings)


def _wanted(request: StageRequest, workspace: Workspace) -> Wanted:
    if request.source is None:
        raise AssertionError("annotation needs a file")
    kind, assembly = VariantKind(request.options["annotate"]), request.options.get("assembly")
    identity = request.source.sha256 or request.source.key
    return Wanted(
        workspace.source,
        request.source.name,
        kind,
        assembly,
        identity,
        job=request.job,
        keeps_choice=request.keeps_choice,
    )


def _copies(request: StageRequest) -> LocalCopies | None:
    """Where releases are copied to out of an object store; they stay for the next jobs."""
    if request.scratch is None:
        return None
    return LocalCopies(request.scratch.sources.with_name("references"), request.scratch.sources_limit)


def _place(request: StageRequest, workspace: Workspace, storage: Storage) -> Place:
    gathering = _gathering(request, storage)
    return Place(
        checkpoints=gathering,
        beside=gathering / f"beside-{request.output_key.rpartition('/')[2]}",
        work=workspace.output / "work",
        output=workspace.output / ANNOTATION,
    )


def _gathering(request: StageRequest, storage: Storage) -> Path:
    """The job's own folder, on the disk on which its annotation will be kept, where that is on this machine."""
    folder = storage.local_path(f"annotations/{request.job}")
    if folder is not None:
        return folder
    if request.scratch is None:
        raise AssertionError("a storage on another machine needs scratch space")
    return request.scratch.downloads / f"annotation-{request.job}"
