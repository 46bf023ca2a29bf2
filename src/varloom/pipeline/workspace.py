"""What a stage works on: a source and an output on this machine, whatever the storage is.

With a local folder they are the storage's own files. With an object store the source is fetched before and the output
stored after the stage, by the child that runs it: so that progress, cancelling, the stall limit and a killed process
are the same as for the stage itself, and nothing blocks the worker.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.dataset.durable import disk_full_told
from varloom.dataset.manifest import MANIFEST_NAME, Dataset
from varloom.dataset.stored import fetch_dataset
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.pipeline.problems import UPLOAD_DAMAGED, UPLOAD_GONE
from varloom.storage import LocalCopies, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from varloom.pipeline.request import Scratch, SourceFile, StageRequest
    from varloom.storage import BytesDone, Storage

    Report = Callable[[int, int | None, str], None]

_SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a stage reads and writes.

    Attributes:
        source: the file that the stage reads.
        output: the attempt's own folder, which the stage creates and fills.
        annotation: the folder that the annotate stage left; None without one.
        further: the other files of the upload, in their order.
    """

    source: Path
    output: Path
    annotation: Path | None = None
    further: tuple[Path, ...] = ()


@contextlib.contextmanager
def open_workspace(request: StageRequest, report: Report, last: str = MANIFEST_NAME) -> Iterator[Workspace]:
    """The workspace of a stage; when the block ends well, the output is in the storage.

    Args:
        request: of the stage.
        report: told how much has been fetched and stored.
        last: the name of the files that make an output complete.

    Raises:
        VarloomError: `upload_gone`, `upload_damaged`, `disk_full` or those of `Storage`.
    """
    storage, source_file = connect(request.storage), request.source
    if source_file is None:
        raise AssertionError("only a stage that reads a file has a workspace")

    def count(done: int, total: int | None) -> None:
        report(done, total, "bytes")

    if request.scratch is None:
        yield _workspace_in(storage, source_file, request)
        return
    with contextlib.ExitStack() as fetched:
        source, *further = (
            fetched.enter_context(_fetched_source(storage, file, request.scratch, count))
            for file in (source_file, *request.further)
        )
        output = request.scratch.attempt
        annotation = output.with_name(f"{output.name}-annotation")
        try:
            output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if request.annotation is not None:
                _fetch_annotation(storage, request.annotation, annotation, count)
            failpoint("remote.after_fetch")
            yield Workspace(source, output, annotation if request.annotation is not None else None, tuple(further))
            failpoint("remote.before_store")
            storage.store_folder(request.output_key, output, last=last, on_bytes=count)
            failpoint("remote.after_store")
        finally:
            shutil.rmtree(output, ignore_errors=True)
            shutil.rmtree(annotation, ignore_errors=True)


def _fetch_annotation(storage: Storage, key: str, folder: Path, count: BytesDone) -> None:
    """Copy what the annotate stage left."""
    with disk_full_told("a copy of the annotation"):
        folder.mkdir(mode=0o700)
        for stored in storage.list_prefix(key):
            storage.fetch(stored, folder / stored.rpartition("/")[2], count)


@contextlib.contextmanager
def previous_dataset(request: StageRequest, key: str, on_bytes: BytesDone) -> Iterator[Dataset]:
    """A dataset of the storage on this machine, for as long as the block lasts.

    Raises:
        VarloomError: as `fetch_dataset` does.
    """
    storage = connect(request.storage)
    here = storage.local_path(key)
    if here is not None:
        yield Dataset.open(here)
        return
    if request.scratch is None:
        raise AssertionError("a storage on another machine needs scratch space")
    folder = request.scratch.attempt.with_name(f"{request.scratch.attempt.name}-previous")
    try:
        with disk_full_told("a copy of the version before"):
            folder.mkdir(mode=0o700)
            fetch_dataset(storage, key, folder, on_bytes)
        yield Dataset.open(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _workspace_in(storage: Storage, source_file: SourceFile, request: StageRequest) -> Workspace:
    """The files of the storage itself."""
    output = storage.local_path(request.output_key)
    if output is None:
        raise AssertionError("a storage on another machine needs scratch space")
    source, *further = (_file_of(storage, file) for file in (source_file, *request.further))
    annotation = storage.local_path(request.annotation) if request.annotation is not None else None
    return Workspace(source, output, annotation, tuple(further))


def _file_of(storage: Storage, file: SourceFile) -> Path:
    path = storage.local_path(file.key)
    if path is None:
        raise AssertionError("a storage on another machine needs scratch space")
    if not path.exists():
        raise _gone()
    return path


@contextlib.contextmanager
def _fetched_source(storage: Storage, source: SourceFile, scratch: Scratch, count: BytesDone) -> Iterator[Path]:
    """A copy of the source file, as it was when it was uploaded; it stays for a next attempt on this machine."""

    def fetch(folder: Path) -> None:
        try:
            fetched = storage.fetch(source.key, folder / _SOURCE, count)
        except FileNotFoundError:
            raise _gone() from None
        if source.sha256 is not None and (fetched.bytes, fetched.sha256) != (source.bytes, source.sha256):
            message = f"The stored file has {fetched.bytes:,} bytes, and is not the one that was uploaded."
            raise VarloomError(UPLOAD_DAMAGED, message)

    copies = LocalCopies(scratch.sources, scratch.sources_limit)
    is_needed_again = False
    try:
        with contextlib.ExitStack() as held:
            with disk_full_told("a copy of the uploaded file"):
                folder = held.enter_context(copies.borrow(source.key, source.bytes or 0, fetch))
            yield folder / _SOURCE
    except BaseException as error:
        is_needed_again = not isinstance(error, VarloomError) or error.kind.retryable
        raise
    finally:
        if not is_needed_again:
            copies.drop(source.key)


def _gone() -> VarloomError:
    return VarloomError(UPLOAD_GONE, "The uploaded file is no longer in the storage.")
