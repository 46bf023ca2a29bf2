"""How one attempt to tell somebody went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went.

    Attributes:
        status: of the answer, HTTP or SMTP; None: there was none.
        problem: why it failed, in words that may be shown to whose notice it is.
        delivered: whether the other side has taken it.
        gone: whether the other side wants no more of them.
    """

    status: int | None = None
    problem: str | None = None
    delivered: bool = False
    gone: bool = False
