"""What the doctor says of one thing: well, doubtful or wrong; where; and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varloom.errors import VarloomError


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        id: stable; scripts may rely on it. See docs/how-to/doctor.md.
        verdict: how it stands.
        message: one sentence, or a few.
        place: a folder, a file, an address, a setting, a job; None where there is none.
        resolution: what to do, a step an entry.
    """

    id: str
    verdict: Verdict
    message: str
    place: str | None = None
    resolution: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.id,
            "verdict": self.verdict.value,
            "message": self.message,
            "place": self.place,
            "resolution": list(self.resolution),
        }


def ok(name: str, message: str, place: object = None) -> Finding:
    """All is well with it."""
    return Finding(name, Verdict.OK, message, _text(place))


def warning(name: str, message: str, *steps: str, place: object = None) -> Finding:
    """It works, but may not for long, or not as it was meant."""
    return Finding(name, Verdict.WARNING, message, _text(place), steps)


def problem(name: str, message: str, *steps: str, place: object = None) -> Finding:
    """Something does not work."""
    return Finding(name, Verdict.PROBLEM, message, _text(place), steps)


def failed(name: str, error: VarloomError, place: object = None) -> Finding:
    """What an error tells."""
    told = error.as_dict()
    return Finding(name, Verdict.PROBLEM, f"{error.message} ({error.code})", _text(place), tuple(told["resolution"]))


def _text(place: object) -> str | None:
    return None if place is None else str(place)
