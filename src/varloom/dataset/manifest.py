"""The manifest: what a dataset holds, where it came from, and the proof that it is complete.

It is written last and atomically, so a folder without one is no dataset.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.dataset.column_types import type_name, type_of
from varloom.dataset.durable import write_atomically
from varloom.dataset.problems import DATASET_DAMAGED, DATASET_MISSING, DATASET_TOO_NEW
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.reader import Column

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
"""The version of the dataset format that this code writes; it reads this one and all before it."""

MANIFEST_NAME = "manifest.json"

_Bytes = bytes


class Part(NamedTuple):
    """One Parquet file of a dataset; `bytes` and `sha256` are those of the file."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Source(NamedTuple):
    """The file that was read: `name` as the user's machine called it, `bytes` and `sha256` as it was stored."""

    name: str
    bytes: int
    sha256: str
    format: str
    compression: str


class Split(NamedTuple):
    """Which sample of a file that was split by sample; `position` counts from 0."""

    sample: str
    position: int
    of: int


class Manifest(NamedTuple):
    """Everything that is known of a dataset without opening its parts. `warnings` are PROBLEMs of the contract."""

    records: int
    variants: int
    columns: tuple[Column, ...]
    content_hash: str
    source: Source
    parts: tuple[Part, ...]
    assembly: str | None
    samples: tuple[str, ...]
    contigs: tuple[str, ...]
    warnings: tuple[dict[str, Any], ...]
    versions: dict[str, str]
    header: str
    split: Split | None = None
    format_version: int = FORMAT_VERSION

    @property
    def bytes(self) -> int:
        """The size of all parts together."""
        return sum(part.bytes for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `manifest.json`, which is also what `varloom load --json` prints."""
        return {
            "format_version": self.format_version,
            "records": self.records,
            "variants": self.variants,
            "columns": [_column_dict(column) for column in self.columns],
            "content_hash": self.content_hash,
            "source": {"name": self.source.name, "bytes": self.source.bytes, "sha256": self.source.sha256},
            "format": self.source.format,
            "compression": self.source.compression,
            "assembly": self.assembly,
            "samples": list(self.samples),
            "contigs": list(self.contigs),
            "split": _split_dict(self.split),
            "parts": [
                {"name": part.name, "rows": part.rows, "bytes": part.bytes, "sha256": part.sha256}
                for part in self.parts
            ],
            "versions": dict(self.versions),
            "warnings": list(self.warnings),
            "header": self.header,
        }

    def save(self, directory: Path) -> None:
        """Write `manifest.json`: from here on the folder is a dataset."""
        text = json.dumps(self.as_dict(), ensure_ascii=False, indent=1)
        failpoint("manifest.before_write")
        # A header may carry bytes that are no text; they come as lone surrogates and leave as they came.
        write_atomically(directory / MANIFEST_NAME, text.encode("utf-8", "surrogateescape"))
        failpoint("manifest.after_write")

    @classmethod
    def load(cls, directory: Path) -> Manifest:
        """Read the manifest of a dataset's folder.

        Raises:
            VarloomError: `dataset_missing`, `dataset_damaged` or `dataset_too_new`.
        """
        try:
            content = (directory / MANIFEST_NAME).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise VarloomError(DATASET_MISSING, f"{directory} holds no dataset: there is no {MANIFEST_NAME}.") from None
        return cls.parse(content, str(directory))

    @classmethod
    def parse(cls, content: _Bytes, folder: str) -> Manifest:
        """Read the bytes of a manifest; `folder` is what messages call the dataset's folder.

        Raises:
            VarloomError: `dataset_damaged` or `dataset_too_new`.
        """
        try:
            found = json.loads(content.decode("utf-8", "surrogateescape"))
            version = int(found["format_version"])
            if version > FORMAT_VERSION:
                raise VarloomError(
                    DATASET_TOO_NEW,
                    f"{folder} has format version {version}; this Varloom reads versions up to {FORMAT_VERSION}.",
                )
            return cls._from_dict(found)
        except (KeyError, TypeError, ValueError) as error:
            raise VarloomError(DATASET_DAMAGED, f"{folder}/{MANIFEST_NAME} cannot be read: {error!r}.") from error

    @classmethod
    def _from_dict(cls, found: dict[str, Any]) -> Manifest:
        source = found["source"]
        return cls(
            format_version=int(found["format_version"]),
            records=int(found["records"]),
            variants=int(found["variants"]),
            columns=tuple(_column_of(column) for column in found["columns"]),
            content_hash=str(found["content_hash"]),
            source=Source(
                source["name"], int(source["bytes"]), source["sha256"], found["format"], found["compression"]
            ),
            parts=tuple(Part(**part) for part in found["parts"]),
            assembly=found["assembly"],
            samples=tuple(found["samples"]),
            contigs=tuple(found["contigs"]),
            warnings=tuple(found["warnings"]),
            versions=dict(found["versions"]),
            header=str(found["header"]),
            split=Split(**found["split"]) if found["split"] else None,
        )


class Dataset(NamedTuple):
    """A published, immutable table: its folder and its manifest."""

    directory: Path
    manifest: Manifest

    @classmethod
    def open(cls, directory: Path) -> Dataset:
        """Open a dataset's folder and see that every part is there at its full size.

        Raises:
            VarloomError: `dataset_missing`, `dataset_damaged` or `dataset_too_new`.
        """
        manifest = Manifest.load(directory)
        for part in manifest.parts:
            path = directory / part.name
            found = path.stat().st_size if path.is_file() else None
            if found != part.bytes:
                what = "is missing" if found is None else f"has {found} bytes instead of {part.bytes}"
                raise VarloomError(DATASET_DAMAGED, f"The part {part.name} of the dataset {what}.")
        return cls(directory, manifest)

    @property
    def part_paths(self) -> tuple[Path, ...]:
        """The Parquet files, in row order."""
        return tuple(self.directory / part.name for part in self.manifest.parts)


def _column_dict(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": type_name(column.type),
        "origin": column.origin,
        "description": column.description,
        "sample": column.sample,
        "field": column.field,
    }


def _column_of(found: dict[str, Any]) -> Column:
    return Column(
        found["name"],
        type_of(found["type"]),
        found["origin"],
        found["description"],
        found["sample"],
        found["field"],
    )


def _split_dict(split: Split | None) -> dict[str, Any] | None:
    return {"sample": split.sample, "position": split.position, "of": split.of} if split else None
