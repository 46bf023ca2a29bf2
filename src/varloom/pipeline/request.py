"""What a worker tells the child that runs a stage. JSON on the way, frozen here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class StageRequest:
    """One stage to run.

    Attributes:
        stage: which one.
        source: the file that the stage reads.
        source_name: what the user's machine called it; never used as a path.
        output: the attempt's own folder, which the stage creates and fills.
        output_key: the storage key of that folder, by which the result names what lies in it.
        options: the job's options.
    """

    stage: str
    source: Path
    source_name: str
    output: Path
    output_key: str
    options: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The request as plain JSON values."""
        return {**asdict(self), "source": str(self.source), "output": str(self.output)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The request from plain JSON values."""
        return cls(**{**values, "source": Path(values["source"]), "output": Path(values["output"])})


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage leaves: its artefact, and warnings as PROBLEMs of the contract."""

    result: dict[str, Any]
    warnings: tuple[dict[str, Any], ...] = ()
