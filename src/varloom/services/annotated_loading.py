"""Annotating a file without a server, on its way into a dataset."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.merging import AnnotatedReader
from varloom.annotation.model import VariantKind
from varloom.annotation.whole_file import Place, Wanted, annotate_file
from varloom.services.references import open_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from varloom.annotation.whole_file import Made, Report
    from varloom.genomics.assemblies import Assembly
    from varloom.reader import TableReader
    from varloom.settings import Settings


class AnnotatedFile(NamedTuple):
    """A file with its annotation.

    Attributes:
        made: the annotation.
        wrap: puts its columns behind those of the file's reader.
    """

    made: Made
    wrap: Callable[[TableReader], TableReader]


@contextlib.contextmanager
def annotated(
    settings: Settings, path: Path, name: str, kind: str, assembly: Assembly | None, *, report: Report
) -> Iterator[AnnotatedFile]:
    """Annotate the variants of a file; the annotation is there until the block ends.

    Args:
        settings: which storage has the reference data.
        path: the file.
        name: what its owner calls it.
        kind: `small` or `structural`.
        assembly: of the coordinates; None leaves it to the file's header.
        report: told how many variants are done.

    Raises:
        VarloomError: see `annotate_file`.
    """
    identity = hashlib.sha256(f"{path.resolve()} {path.stat().st_mtime_ns}".encode()).hexdigest()
    wanted = Wanted(path, name, VariantKind(kind), assembly, identity)
    with tempfile.TemporaryDirectory(prefix="varloom-annotate-") as folder:
        base = Path(folder)
        place = Place(base / "checkpoints", base / "beside", base / "work", base / "annotation")
        made = annotate_file(wanted, open_library(settings), place, report)
        yield AnnotatedFile(made, lambda reader: AnnotatedReader(reader, made.folder))
