"""How an attempt at a stage can end: values, settled in one `match`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from varloom.errors import INTERNAL_ERROR


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The stage did its work; `result` is what it left for the next, in the stage's own words."""

    result: dict[str, Any]
    warnings: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage ended with an error, in the shape of the contract's JOB error."""

    error: dict[str, Any] = field(repr=False)

    @property
    def retryable(self) -> bool:
        """Whether another attempt can help."""
        return bool(self.error["retryable"])


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The user stopped it."""


@dataclass(frozen=True, slots=True)
class Released:
    """The worker returns the stage to the queue; the attempt does not count. `why` is a sentence for the user."""

    why: str = "Its worker was stopped."


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """The worker died with it, and with so many other stages, any of which may be the cause."""

    failure: Failed
    beside: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The claim is no longer ours: what was done is thrown away."""


Outcome = Succeeded | Failed | Cancelled | Released | WorkerDied | Lost


def code_of(outcome: Outcome) -> str | None:
    """The code of the error with which an attempt failed; None if it did not fail."""
    match outcome:
        case Failed(error) | WorkerDied(Failed(error)):
            return str(error.get("code") or INTERNAL_ERROR.code)  # a child that breaks the protocol may give none
        case _:
            return None
