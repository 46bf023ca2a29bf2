"""The download stage: fetch the file of a URL, and leave it as the job's original."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from varloom.dataset.durable import disk_full_told, sync_directory
from varloom.failpoints import failpoint
from varloom.pipeline.request import StageResult
from varloom.storage import connect
from varloom.storage.held_folder import unused
from varloom.transfer.access import Access
from varloom.transfer.download import Download
from varloom.transfer.partial_file import disk_told
from varloom.transfer.source_url import parse_source_url

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.pipeline.request import SourceLocation, StageRequest
    from varloom.pipeline.workspace import Report
    from varloom.storage import BytesDone, Storage
    from varloom.transfer.model import TransferOptions

ORIGINAL = "source"
"""What the file is called in the attempt's own folder."""


def run(request: StageRequest, report: Report) -> StageResult:
    """Fetch the file, or the files one after the other; `report` is told the bytes that are here of each.

    What has come stays for the next attempt, in a folder that belongs to the job. The result tells the storage key of
    the file, its size and checksum, which version of the source it is, and what it was verified by; of further files
    likewise, under `further`.

    Raises:
        VarloomError: why it does not come, or that the disk is full.
    """
    if request.location is None:
        raise AssertionError("a download needs a URL")
    storage = connect(request.storage)
    first = _fetch(request, request.location, ORIGINAL, storage, report)
    further: list[dict[str, Any]] = []
    for place, location in enumerate(request.further_locations, 2):
        taken = sum(file["bytes"] for file in (first, *further))
        further.append(_fetch(request, _within(location, taken), f"{ORIGINAL}-{place}", storage, report))
    if further and storage.local_path(request.output_key) is None:
        _let_go(_arriving(request, request.location, storage))
    return StageResult({**first, "further": further} if further else first)


def _within(location: SourceLocation, taken: int) -> SourceLocation:
    """The same, with the room that the files before it have left."""
    room = location.transfer.room
    if room is None:
        return location
    return replace(location, transfer=replace(location.transfer, room=max(0, room - taken)))


def _fetch(
    request: StageRequest, location: SourceLocation, name: str, storage: Storage, report: Report
) -> dict[str, Any]:
    """Fetch a file into the attempt's own folder, where it has this name."""

    def count(done: int, total: int | None) -> None:
        report(done, total, "bytes")

    source = parse_source_url(location.url, location.transfer.cloud_endpoints)
    folder = _arriving(request, location, storage)
    failpoint("download.before_fetch")
    with _begun(request, Access(source, location.credential), folder, location.transfer, count) as download:
        arrived = download.run()
        failpoint("download.before_store")
        _keep(request, storage, download.path, name, count)
        failpoint("download.after_store")
        if storage.local_path(request.output_key) is None and not request.further_locations:
            download.discard()  # it is in the storage now
    return {"key": f"{request.output_key}/{name}", "url": source.shown, **arrived.as_json()}


def _let_go(folder: Path) -> None:
    """Remove what has come of all files, which are in the storage now, unless another process works there."""
    with unused(folder) as is_unused:
        if is_unused:
            shutil.rmtree(folder, ignore_errors=True)


def _begun(request: StageRequest, access: Access, folder: Path, options: TransferOptions, count: BytesDone) -> Download:
    """The download in the folder of the job, or beside it where another process does not let go of that.

    That is the one of an attempt which was given up for dead and is not.
    """
    try:
        return Download(access, folder, options, count)
    except BlockingIOError:
        own = request.output_key.rpartition("/")[2]
        return Download(access, folder / f"beside-{own}", options, count)


def _arriving(request: StageRequest, location: SourceLocation, storage: Storage) -> Path:
    """The folder in which the file gathers, on the disk on which it will be kept, where that is on this machine."""
    folder = storage.local_path(f"downloads/{location.folder}")
    if folder is not None:
        return folder
    if request.scratch is None:
        raise AssertionError("a storage on another machine needs scratch space")
    return request.scratch.downloads / location.folder


def _keep(request: StageRequest, storage: Storage, arrived: Path, name: str, count: BytesDone) -> None:
    """Put the file that has arrived into the attempt's own folder of the storage."""
    output = storage.local_path(request.output_key)
    if output is not None:
        with disk_told():
            output.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(arrived, output / name)
            for folder in (output, output.parent):
                sync_directory(folder)
        return
    if request.scratch is None:
        raise AssertionError("a storage on another machine needs scratch space")
    attempt = request.scratch.attempt
    try:
        with disk_told():
            attempt.mkdir(mode=0o700, parents=True)
            os.link(arrived, attempt / name)
        with disk_full_told("the downloaded file"):
            storage.store_folder(request.output_key, attempt, last=name, on_bytes=count)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
