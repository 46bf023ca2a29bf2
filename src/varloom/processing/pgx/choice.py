"""Which releases a job calls with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from varloom.annotation.model import ReleaseKey

DEFINITIONS = ("pharmcat", "cpic")
"""The names of releases that define alleles, the preferred first; what the first lacks the second adds: phenotypes and
recommendations."""
GUIDANCE = "guidance"
"""The name of releases that tell how strong recommendations are; they define no alleles, and call nothing alone."""


def choose_pgx(installed: Iterable[ReleaseKey]) -> tuple[ReleaseKey, ...]:
    """The releases to call with: the newest of each name, and the newest genome; empty if no definitions are installed.

    Guidance stands behind the definitions.

    Args:
        installed: the newest first, as `ReferenceLibrary.newest_first` tells them.
    """
    newest: dict[str, ReleaseKey] = {}
    genome: ReleaseKey | None = None
    for key in installed:
        if key.assembly != "GRCh38":
            continue
        if key.kind == "pgx" and key.name in {*DEFINITIONS, GUIDANCE}:
            newest.setdefault(key.name, key)
        elif key.kind == "fasta" and genome is None and not key.is_demo:
            genome = key
    chosen = [newest[name] for name in DEFINITIONS if name in newest]
    if not chosen:
        return ()
    chosen += [newest[GUIDANCE]] if GUIDANCE in newest else []
    return (*chosen, genome) if genome is not None else tuple(chosen)
