"""A reader whose rows have the columns of an annotation behind their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Self

import pyarrow as pa

from varloom.annotation.checkpoints import chunk_path
from varloom.annotation.model import ReleaseKey
from varloom.annotation.problems import ANNOTATION_INCONSISTENT
from varloom.dataset.column_types import type_name, type_of
from varloom.dataset.durable import write_atomically
from varloom.errors import VarloomError
from varloom.reader import Column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.genomics.assemblies import Assembly
    from varloom.genomics.recognition import Recognition
    from varloom.reader import ReadSummary, TableReader

ORIGIN = "annotation"
"""Of the columns that annotation adds; their `field` is the name of their source."""

DESCRIPTION = "annotation.json"


class AnnotationFolder(NamedTuple):
    """The annotation of a file, as the annotate stage leaves it: a chunk of rows a file, and what they are.

    Attributes:
        path: the folder.
        rows: how many variants were annotated.
        chunks: in how many chunks.
        columns: as they stand behind those of the file.
        releases: the reference data that was used.
        assembly: of the coordinates.
    """

    path: Path
    rows: int
    chunks: int
    columns: tuple[Column, ...]
    releases: tuple[ReleaseKey, ...]
    assembly: Assembly | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the description in the folder.

        Raises:
            VarloomError: `annotation_inconsistent`: there is none.
        """
        try:
            values = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise VarloomError(ANNOTATION_INCONSISTENT, "The annotation is no longer there.") from None
        columns = tuple(
            Column(item["name"], type_of(item["type"]), ORIGIN, item["description"], None, item["field"])
            for item in values["columns"]
        )
        releases = tuple(ReleaseKey(*item) for item in values["releases"])
        return cls(path, values["rows"], values["chunks"], columns, releases, values["assembly"])

    def save(self) -> None:
        """Write the description, which makes the annotation complete."""
        columns = [
            {
                "name": column.name,
                "type": type_name(column.type),
                "description": column.description,
                "field": column.field,
            }
            for column in self.columns
        ]
        values = {**self._asdict(), "columns": columns}
        del values["path"]
        write_atomically(self.path / DESCRIPTION, json.dumps(values).encode())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The chunks in their order."""
        for number in range(self.chunks):
            with pa.memory_map(str(chunk_path(self.path, number))) as file:
                yield pa.ipc.open_file(file).get_batch(0)


class AnnotatedReader:
    """Reads a file and puts the columns of its annotation behind its own; see `TableReader`."""

    def __init__(self, reader: TableReader, annotation: AnnotationFolder) -> None:
        self._reader = reader
        self._annotation = annotation
        self.recognition: Recognition = reader.recognition

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, annotated; see TableReader.

        Raises:
            VarloomError: `annotation_inconsistent`: the file has more or fewer rows than were annotated.
        """
        rows = _Rows(self._annotation)
        for batch in self._reader.batches():
            found = rows.take(batch.num_rows)
            names = [*batch.schema.names, *(column.name for column in self._columns(batch.schema.names))]
            yield pa.RecordBatch.from_arrays([*batch.columns, *found], names=names)
        rows.require_end()

    def summary(self) -> ReadSummary:
        """What was read; see TableReader."""
        summary = self._reader.summary()
        own = [column.name for column in summary.columns]
        versions = tuple((f"{key.kind} {key.name}", key.release) for key in self._annotation.releases)
        return summary._replace(columns=(*summary.columns, *self._columns(own)), versions=versions)

    def _columns(self, own: list[str]) -> list[Column]:
        """Our columns; one whose name the file uses as well has another, as the names differ whatever their case."""
        taken = {name.casefold() for name in own}
        return [
            column._replace(name=f"{column.name}_annotated") if column.name.casefold() in taken else column
            for column in self._annotation.columns
        ]


class _Rows:
    """The rows of an annotation, taken as many at once as the file's reader gives."""

    def __init__(self, annotation: AnnotationFolder) -> None:
        self._annotation = annotation
        self._coming = annotation.batches()
        self._batch: pa.RecordBatch | None = None
        self._at = 0

    def take(self, rows: int) -> list[pa.Array]:
        """The columns of the next rows."""
        pieces: list[pa.RecordBatch] = []
        while rows:
            if self._batch is None or self._at == self._batch.num_rows:
                self._batch, self._at = next(self._coming, None), 0
            if self._batch is None:
                raise self._inconsistent("has more rows")
            piece = self._batch.slice(self._at, rows)
            self._at += piece.num_rows
            rows -= piece.num_rows
            pieces.append(piece)
        if not pieces:
            return [pa.nulls(0, column.type) for column in self._annotation.columns]
        return [_joined([piece.column(index) for piece in pieces]) for index in range(len(self._annotation.columns))]

    def require_end(self) -> None:
        """All rows have been taken."""
        left = self._batch.num_rows - self._at if self._batch is not None else 0
        if left or any(batch.num_rows for batch in self._coming):
            raise self._inconsistent("has fewer rows")

    def _inconsistent(self, what: str) -> VarloomError:
        return VarloomError(
            ANNOTATION_INCONSISTENT, f"The file {what} than the {self._annotation.rows:,} that were annotated."
        )


def _joined(arrays: list[pa.Array]) -> pa.Array:
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
