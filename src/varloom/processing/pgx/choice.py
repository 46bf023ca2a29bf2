"""Which releases a job calls with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from varloom.annotation.model import ReleaseKey

DEFINITIONS = ("pharmcat", "cpic")
"""The names of releases that define alleles, the preferred first; what the first lacks the second may add."""


def choose_pgx(installed: Iterable[ReleaseKey]) -> tuple[ReleaseKey, ...]:
    """The releases to call with: the newest of each name; empty if none is installed.

    Args:
        installed: the newest first, as `ReferenceLibrary.newest_first` tells them.
    """
    newest: dict[str, ReleaseKey] = {}
    for key in installed:
        if key.kind == "pgx" and key.name in DEFINITIONS and key.assembly == "GRCh38":
            newest.setdefault(key.name, key)
    return tuple(newest[name] for name in DEFINITIONS if name in newest)
