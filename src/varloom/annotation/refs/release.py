"""What `release.json` says of a release: what it is, where it came from, what is in it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self, get_args

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.problems import REFERENCE_DAMAGED, REFERENCE_NAME_INVALID
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.assemblies import Assembly

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT_VERSION = 1
"""Of `release.json` and of how its files lie in the storage; a newer one is refused."""
KINDS = ("genes", "fasta", "variants", "scores", "structural", "dosage", "mane", "pgx")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file by its name, with its bytes and its SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Release:
    """An installed release.

    Attributes:
        kind: see `ReleaseKey`; so are `name`, `assembly` and `release`.
        folder: the name of the folder with its files, beside `release.json`.
        files: that the importer wrote.
        sources: the published files.
        source_url: where they were fetched, without what could be secret; None for files that were at hand.
        licence: in words; None where nobody told.
        added_at: in UTC, in ISO 8601.
        importer: its version.
        genome: the `fasta` release by which indels were left-aligned; None if there was none.
        counts: what the importer counted; `contigs`, `unused` and `notes` likewise (see `Imported`).
    """

    kind: str
    name: str
    assembly: Assembly
    release: str
    folder: str
    files: tuple[StoredFile, ...]
    sources: tuple[StoredFile, ...]
    source_url: str | None
    licence: str | None
    added_at: str
    importer: int
    genome: str | None
    counts: Mapping[str, int]
    contigs: Mapping[str, int]
    unused: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def key(self) -> ReleaseKey:
        """What names it for good."""
        return ReleaseKey(self.kind, self.name, self.assembly, self.release)

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(file.bytes for file in self.files)

    @property
    def sha256(self) -> str:
        """Of the published file; of a list of their checksums and names where there are several."""
        if len(self.sources) == 1:
            return self.sources[0].sha256
        import hashlib

        listed = "".join(f"{file.sha256}  {file.name}\n" for file in self.sources)
        return hashlib.sha256(listed.encode()).hexdigest()

    def to_json(self) -> bytes:
        """The content of `release.json`."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Self:
        """The release from the content of its `release.json`.

        Raises:
            VarloomError: `reference_damaged`, also for what a newer Varloom wrote.
        """
        try:
            values: dict[str, Any] = json.loads(content)
            version = values.pop("format_version")
            if version > FORMAT_VERSION:
                raise VarloomError(REFERENCE_DAMAGED, f"{where} was written by a newer Varloom (format {version}).")
            known = {field.name for field in fields(cls)}
            for name in ("files", "sources"):
                values[name] = tuple(StoredFile(**file) for file in values[name])
            values["notes"] = tuple(values["notes"])
            return cls(**{name: value for name, value in values.items() if name in known})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VarloomError(REFERENCE_DAMAGED, f"{where} cannot be read.") from error


def folder_of(key: ReleaseKey) -> str:
    """Where a release is in the storage."""
    return f"refs/{key.assembly}/{key.kind}/{key.name}/{key.release}"


def checked_release_key(kind: str, name: str, assembly: str, release: str) -> ReleaseKey:
    """The key of a release.

    Raises:
        VarloomError: `reference_name_invalid`: an unknown kind or assembly, or a name that is no plain word.
    """
    if kind not in KINDS:
        raise VarloomError(REFERENCE_NAME_INVALID, f"{safe_excerpt(kind, 40)!r} is none of {', '.join(KINDS)}.")
    for known in get_args(Assembly):
        if assembly == known:
            break
    else:
        raise VarloomError(REFERENCE_NAME_INVALID, f"{safe_excerpt(assembly, 40)!r} is no assembly.")
    for what, text in (("name", name), ("release", release)):
        if not _NAME.fullmatch(text):
            raise VarloomError(REFERENCE_NAME_INVALID, f"The {what} {safe_excerpt(text, 60)!r} is not plain.")
    return ReleaseKey(kind, name, known, release)
