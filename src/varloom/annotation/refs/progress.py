"""Progress over several files, each of which only counts its own bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class BytesOfOne(Protocol):
    """Told the bytes done of one file; its total is not looked at."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many bytes are done."""
        ...


def among_all(tell: Callable[[int, int], None], begun: int, of_all: int) -> BytesOfOne:
    """What tells the bytes of one file as those of all: `begun` came before it, of `of_all`."""

    def report(done: int, _: int | None = None) -> None:
        tell(begun + done, of_all)

    return report
