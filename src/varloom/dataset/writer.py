"""Writing datasets: a reader's rows go in, a folder with Parquet parts and a manifest comes out, or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

import varloom
from varloom.dataset.column_types import plain_type
from varloom.dataset.content_hash import content_hash
from varloom.dataset.durable import disk_full_told, sync_directory
from varloom.dataset.manifest import MANIFEST_NAME, Dataset, Manifest, Source
from varloom.dataset.problems import DATASET_EXISTS
from varloom.dataset.row_store import RowStore, StoredRows
from varloom.errors import VarloomError
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from varloom.reader import ReadSummary, TableReader

_CLAIM = f"{MANIFEST_NAME}.unfinished"
"""Made by one load alone, it keeps others out of the folder until the manifest takes its place."""

_STALE_SECONDS = 60
"""How old a folder of a split must be before it is taken for one that a killed process left."""


def write_dataset(
    reader: TableReader,
    directory: Path,
    *,
    source_name: str,
    assembly: str | None,
    split_by_sample: bool = False,
    on_split: Callable[[], None] = lambda: None,
) -> tuple[Manifest, ...]:
    """Write what a reader reads as one dataset, or as one for each sample.

    Everything is on the disk when this returns. The manifest is written last: whatever ends the writing early leaves
    no dataset, and no files where the process lives on to remove them.

    Args:
        reader: a fresh reader; its `batches()` are exhausted here.
        directory: the dataset's folder; made when missing. With a split of two samples or more the folders are
            `directory-0`, `directory-1`, ... in sample order, and `directory` itself is not made.
        source_name: what the file's owner calls it.
        assembly: `GRCh37`, `GRCh38` or None.
        split_by_sample: one dataset for each sample; a file with one sample or none gives one dataset as usual.
        on_split: called again and again while a split goes on, which is after all rows were read.

    Raises:
        VarloomError: what the reader raises, `dataset_exists`, `dataset_inconsistent` or `disk_full`.
    """
    with disk_full_told(f"the dataset of {source_name}"):
        if not split_by_sample:
            return (_write_whole(reader, directory, source_name, assembly),)
        with _scratch(directory) as whole:
            manifest = _write_whole(reader, whole, source_name, assembly)
            if len(manifest.samples) < 2:
                _take_over(whole, directory)
                return (manifest,)
            return _write_split(Dataset(whole, manifest), directory, on_split)


def split_directories(directory: Path, samples: int) -> tuple[Path, ...]:
    """Where `write_dataset` puts the datasets of a file that was split into `samples` samples."""
    return tuple(directory.with_name(f"{directory.name}-{position}") for position in range(samples))


def written_directories(directory: Path, manifests: Sequence[Manifest]) -> tuple[Path, ...]:
    """The folders of the datasets that `write_dataset(reader, directory)` returned."""
    if len(manifests) == 1 and manifests[0].split is None:
        return (directory,)
    return split_directories(directory, len(manifests))


def _write_whole(reader: TableReader, directory: Path, source_name: str, assembly: str | None) -> Manifest:
    made = _prepare(directory)
    try:
        with RowStore(directory) as store:
            for batch in reader.batches():
                store.add(batch)
            summary = reader.summary()
            stored = store.finish(summary)
        manifest = _describe(reader, summary, stored, source_name, assembly)
        manifest.save(directory)
        sync_directory(directory.parent)
    except BaseException:
        _remove(directory, whole=made)
        raise
    return manifest


def _write_split(whole: Dataset, directory: Path, on_split: Callable[[], None]) -> tuple[Manifest, ...]:
    from varloom.dataset.splitting import split_dataset  # few files are split, and it takes 20 ms

    targets = split_directories(directory, len(whole.manifest.samples))
    for target in targets:
        _refuse_used(target)
    prepared: list[tuple[Path, bool]] = []
    try:
        prepared.extend((target, _prepare(target)) for target in targets)
        manifests = split_dataset(whole, targets, on_split)
        sync_directory(directory.parent)
    except BaseException:
        for target, made in prepared:  # never those that another load has taken in the meantime
            _remove(target, whole=made)
        raise
    return manifests


def _describe(
    reader: TableReader, summary: ReadSummary, stored: StoredRows, source_name: str, assembly: str | None
) -> Manifest:
    recognition = reader.recognition
    hashed = [(field.name, field.type, stored.digests[field.name]) for field in stored.schema]
    return Manifest(
        records=summary.records,
        variants=summary.variants,
        columns=tuple(column._replace(type=plain_type(column.type)) for column in summary.columns),
        content_hash=content_hash(hashed, summary.variants),
        source=Source(
            source_name, summary.bytes, summary.sha256, recognition.format.value, recognition.compression.value
        ),
        parts=stored.parts,
        assembly=assembly,
        samples=summary.samples,
        contigs=summary.contigs,
        warnings=tuple(problem.as_dict() for problem in summary.warnings),
        versions={"varloom": varloom.__version__, "pyarrow": pa.__version__, **dict(summary.versions)},
        header=summary.header,
    )


def _prepare(directory: Path) -> bool:
    """Make the folder, or take an empty one, and keep others out of it; True when it is new."""
    _refuse_used(directory)
    made = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    claim = directory / _CLAIM
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        raise VarloomError(DATASET_EXISTS, f"{directory} is being written by another load.") from None
    except OSError:
        if made:
            with contextlib.suppress(OSError):  # only if it is empty: it may be another's by now
                directory.rmdir()
        raise
    if any(path != claim for path in directory.iterdir()):  # another load was faster than our look, and has ended
        claim.unlink()
        raise VarloomError(DATASET_EXISTS, f"{directory} is not empty.")
    return made


def _refuse_used(directory: Path) -> None:
    """Files of others are neither mixed with a dataset nor removed with a broken one."""
    if (directory / MANIFEST_NAME).exists():
        raise VarloomError(DATASET_EXISTS, f"{directory} holds a dataset already.")
    if (directory / _CLAIM).exists():
        message = f"{directory} is being written by another load, or was left by one that was killed."
        raise VarloomError(DATASET_EXISTS, message)
    if directory.is_dir() and any(directory.iterdir()):
        raise VarloomError(DATASET_EXISTS, f"{directory} is not empty.")


def _remove(directory: Path, *, whole: bool) -> None:
    """Remove a dataset's files, manifest first so that it is no dataset from then on; the folder too if `whole`."""
    if not directory.exists():
        return
    (directory / MANIFEST_NAME).unlink(missing_ok=True)
    for pattern in ("part-*.parquet", "*.unfinished"):
        for leftover in directory.glob(pattern):
            leftover.unlink(missing_ok=True)
    if whole:
        with contextlib.suppress(OSError):  # another load may have taken it
            directory.rmdir()


def _take_over(whole: Path, directory: Path) -> None:
    """Give a finished dataset its place; parts first, the manifest last."""
    _prepare(directory)
    for path in sorted(whole.iterdir(), key=lambda path: path.name == MANIFEST_NAME):
        if path.name == MANIFEST_NAME:
            sync_directory(directory)
        failpoint("dataset.before_rename")
        path.replace(directory / path.name)
        failpoint("dataset.after_rename")
    (directory / _CLAIM).unlink()
    sync_directory(directory)
    sync_directory(directory.parent)


@contextlib.contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """A folder beside `directory` in which a dataset waits for its split. It is ours alone, and gone in the end.

    Its lock tells the living from those that killed processes left, which are removed here.
    """
    import shutil  # not above: few files are split
    import tempfile

    prefix, suffix = f"{directory.name}.", ".whole"  # not hidden: the sweep of a storage must see what was left
    directory.parent.mkdir(parents=True, exist_ok=True)
    for path in directory.parent.iterdir():
        if path.name.startswith(prefix) and path.name.endswith(suffix):
            _remove_stale(path)
    made = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=directory.parent))
    descriptor = os.open(made, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # where the storage knows no locks, nobody can take it for stale
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield made
    finally:
        try:
            shutil.rmtree(made)
        finally:
            os.close(descriptor)


def _remove_stale(path: Path) -> None:
    import shutil

    with contextlib.suppress(OSError):  # it is in use, or was removed by its owner or another load
        if time.time() - path.stat().st_mtime < _STALE_SECONDS:
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
        finally:
            os.close(descriptor)
