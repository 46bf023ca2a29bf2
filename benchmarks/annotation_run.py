"""Annotates a VCF as the annotate stage does, with all sources; prints what came of it.

    python benchmarks/annotation_run.py VCF RELEASES_FOLDER OUTPUT_FOLDER

RELEASES_FOLDER holds a folder KIND-NAME for each release. Two processes annotate, and write finished chunks.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from varloom.annotation.model import ReleaseKey, VariantKind
from varloom.annotation.source import InstalledRelease
from varloom.annotation.whole_file import Place, Wanted, annotate_file
from varloom.garbage import collect_seldom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.merging import AnnotationFolder
    from varloom.annotation.refs.library import ReferenceLibrary


class FolderOfReleases:
    """What `annotate_file` asks of a library."""

    def __init__(self, folder: Path) -> None:
        """Take a folder of releases."""
        self._folders = {ReleaseKey(*path.name.split("-", 1), "GRCh38", "1"): path for path in sorted(folder.iterdir())}

    def newest_first(self) -> list[ReleaseKey]:
        """All releases."""
        return list(self._folders)

    def has(self, key: ReleaseKey) -> bool:
        """Whether there is a release."""
        return key in self._folders

    @contextlib.contextmanager
    def borrow(self, key: ReleaseKey, on_bytes: object = None) -> Iterator[InstalledRelease]:  # noqa: ARG002
        """A release."""
        yield InstalledRelease(key, self._folders[key])


def main() -> None:
    """Annotate."""
    collect_seldom()  # as the process of a stage does
    vcf, releases, output = map(Path, sys.argv[1:])
    wanted = Wanted(vcf, vcf.name, VariantKind.SMALL, "GRCh38", "bench")
    place = Place(output / "checkpoints", output / "beside", output / "work", output / "made")
    library = cast("ReferenceLibrary", FolderOfReleases(releases))
    made = annotate_file(wanted, library, place, lambda *_: None)
    found = dict.fromkeys((column.name for column in made.folder.columns if column.name.endswith(".found")), 0)
    named = 0
    for batch in batches(made.folder):
        for name in found:
            found[name] += batch[name].true_count
        named += batch.num_rows - batch["csq.consequence"].null_count
    print(json.dumps({"variants": made.folder.rows, "with a consequence": named, "found": found}))


def batches(folder: AnnotationFolder) -> Iterator[pa.RecordBatch]:
    """The columns, chunk by chunk."""
    for path in sorted(folder.path.glob("chunk-*.arrow")):
        with pa.memory_map(str(path)) as file:
            yield from pa.ipc.open_file(file).read_all().to_batches()


if __name__ == "__main__":
    main()
