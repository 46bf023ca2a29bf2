"""What a worker tells the child that runs a stage, and what the stage tells back. JSON on the way, frozen here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from varloom.processing.parabricks.options import ParabricksOptions
from varloom.storage import StorageAccess
from varloom.transfer.access import Credential
from varloom.transfer.model import TransferOptions


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file that a stage reads.

    Attributes:
        key: where it lies in the storage.
        name: what the user's machine called it; never used as a path.
        bytes: how many it has, if that is known.
        sha256: its checksum, if that is known.
    """

    key: str
    name: str
    bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where a child keeps files of its own when the storage is not on this machine.

    Attributes:
        attempt: this attempt's own folder, which the stage creates; it goes with the attempt.
        sources: copies of source files, shared by the workers of this machine.
        sources_limit: bytes that these copies may take.
        downloads: what is arriving, and what has been annotated or processed, a folder for each job; it outlives
            attempts and workers.
    """

    attempt: Path
    sources: Path
    sources_limit: int
    downloads: Path

    @classmethod
    def from_json(cls, values: dict[str, str]) -> Self:
        """The scratch from texts."""
        return cls(
            Path(values["attempt"]), Path(values["sources"]), int(values["sources_limit"]), Path(values["downloads"])
        )


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where the file of a job is to be fetched from.

    Attributes:
        folder: the name of the folder in which it gathers, the same for each attempt.
        url: whole, as the user gave it.
        transfer: what the operator allows.
        credential: what proves who asks.
    """

    folder: str
    url: str = field(repr=False)
    transfer: TransferOptions
    credential: Credential | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The location from plain JSON values."""
        credential = values["credential"]
        return cls(
            values["folder"],
            values["url"],
            TransferOptions.from_json(values["transfer"]),
            None if credential is None else Credential.from_json(credential),
        )


@dataclass(frozen=True, slots=True)
class Processing:
    """What a worker has for secondary analysis; see the settings of the same names.

    Attributes:
        engine: `auto`, `cpu` or `parabricks`: what is used where the job does not choose.
        threads: how many processors one analysis may use.
        parabricks: how Parabricks is run.
    """

    engine: str = "auto"
    threads: int = 1
    parabricks: ParabricksOptions = field(default_factory=ParabricksOptions)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The record from plain JSON values."""
        return cls(**{**values, "parabricks": ParabricksOptions(**values["parabricks"])})


@dataclass(frozen=True, slots=True)
class StageRequest:
    """One stage to run.

    Attributes:
        stage: which one.
        source: the file that the stage reads; None for one that fetches it.
        further: the other files of the upload, in their order.
        output_key: the attempt's own folder in the storage, in which the result names what lies there.
        options: the job's options.
        storage: how the storage is opened; it may hold credentials.
        scratch: None where the storage is on this machine.
        location: where the file comes from, for the stage that fetches it.
        further_locations: where the other files come from.
        job: the name of folders that belong to the job and outlive its attempts.
        annotation: the storage key of what the annotate stage left, for the stage after it.
        processing: what the worker has for it, for the process stage.
        sample: what the user named the sample.
        keeps_choice: whether what earlier attempts chose of what is installed holds: not when somebody asked anew.
        previous: the storage keys of the datasets of which the stage makes a new version, in their order.
    """

    stage: str
    source: SourceFile | None
    output_key: str
    options: dict[str, Any]
    storage: StorageAccess = field(repr=False)
    scratch: Scratch | None = None
    location: SourceLocation | None = None
    job: str = ""
    annotation: str | None = None
    further: tuple[SourceFile, ...] = ()
    further_locations: tuple[SourceLocation, ...] = ()
    processing: Processing | None = None
    sample: str = ""
    keeps_choice: bool = True
    previous: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The request as plain JSON values."""
        values = asdict(self)
        if self.scratch is not None:
            values["scratch"] = {name: str(value) for name, value in values["scratch"].items()}
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The request from plain JSON values."""
        given = {
            "source": None if values["source"] is None else SourceFile(**values["source"]),
            "storage": StorageAccess.from_json(values["storage"]),
            "scratch": None if values["scratch"] is None else Scratch.from_json(values["scratch"]),
            "location": None if values["location"] is None else SourceLocation.from_json(values["location"]),
            "further": tuple(SourceFile(**file) for file in values["further"]),
            "further_locations": tuple(SourceLocation.from_json(one) for one in values["further_locations"]),
            "processing": None if values["processing"] is None else Processing.from_json(values["processing"]),
            "previous": tuple(values.get("previous", ())),
        }
        return cls(**{**values, **given})


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage leaves: its artefact, and warnings as PROBLEMs of the contract."""

    result: dict[str, Any]
    warnings: tuple[dict[str, Any], ...] = ()
