"""From a file to its dataset, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.reader import ReadOptions, ReadProgress, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.dataset.manifest import Manifest
    from varloom.reader import TableReader


def load_file(
    path: Path,
    directory: Path,
    *,
    name: str | None = None,
    assembly: str | None = None,
    split_by_sample: bool = False,
    threads: int | None = None,
    on_progress: Callable[[ReadProgress], None] | None = None,
    wrap: Callable[[TableReader], TableReader] | None = None,
) -> tuple[Manifest, ...]:
    """Read a file and write its dataset or datasets; `written_directories` says where they are.

    Args:
        path: the file.
        directory: the dataset's folder; see `write_dataset`.
        name: what the file's owner calls it; by default the name of `path`.
        assembly: `GRCh37`, `GRCh38` or None.
        split_by_sample: one dataset for each sample.
        threads: how many threads the reader may use; None leaves it to the reader.
        on_progress: told how far the reading is, and told the same again while a split goes on.
        wrap: puts something between the reader and the dataset, such as further columns.

    Raises:
        VarloomError: FileRefused for a file that cannot be read right, else as `write_dataset`.
    """
    name = name or path.name
    progress = _LastProgress(on_progress)
    reader = open_reader(path, name=name, options=ReadOptions(threads=threads), on_progress=progress)
    if wrap is not None:
        reader = wrap(reader)
    from varloom.dataset.writer import write_dataset  # with Arrow it takes 80 ms, in which the reader reads ahead

    return write_dataset(
        reader,
        directory,
        source_name=name,
        assembly=assembly,
        split_by_sample=split_by_sample,
        on_split=progress.repeat,
    )


class _LastProgress:
    """Passes progress on, and can say the last again as a sign of life."""

    def __init__(self, on_progress: Callable[[ReadProgress], None] | None) -> None:
        self._tell = on_progress
        self._last: ReadProgress | None = None

    def __call__(self, progress: ReadProgress) -> None:
        self._last = progress
        if self._tell is not None:
            self._tell(progress)

    def repeat(self) -> None:
        if self._tell is not None and self._last is not None:
            self._tell(self._last)
