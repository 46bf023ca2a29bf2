"""Progress over several files, each of which only counts its own bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.storage import BytesDone


def among_all(tell: Callable[[int, int], None], begun: int, of_all: int) -> BytesDone:
    """What tells the bytes of one file as those of all: `begun` came before it, of `of_all`."""

    def report(done: int, total: int | None) -> None:  # noqa: ARG001 - that of one file
        tell(begun + done, of_all)

    return report
