"""What PGx calling is given and what it leaves. Frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.source import InstalledRelease
    from varloom.genomics.assemblies import Assembly

    Report = Callable[[int, int | None, str], None]
    """Told how much is done, of how much if that is known, and of what; it raises to cancel."""

PGX_FILE = "pgx.json"
"""The name of the result, in the output folder and beside a dataset's manifest."""


@dataclass(frozen=True, slots=True)
class PgxWanted:
    """What is to be called.

    Attributes:
        path: the VCF or BCF on this machine, compressed or not.
        name: what its owner calls it: for messages, never a path.
        assembly: of its coordinates as the user told it; None leaves it to the file's header.
        releases: of the kind `pgx`, borrowed: see `varloom.processing.pgx.choice.choose_pgx`.
        lists_reference_sites: whether the user says that the file lists sites where the sample has the reference; then
            a position that is not in the file is still missing, but a gene is not flagged for being variants-only: what
            is absent counts as reference.
        outside: a TSV of calls made elsewhere (CYP2D6, HLA); None if there are none.
        samples: the names of those to call; None for all.
        output: an existing folder, in which `pgx.json` is written.
        aligned_here: whether the file was made here of reads; then `assembly` is that of their genome.
    """

    path: Path
    name: str
    assembly: Assembly | None
    releases: tuple[InstalledRelease, ...]
    lists_reference_sites: bool
    outside: Path | None
    samples: tuple[str, ...] | None
    output: Path
    aligned_here: bool = False


@dataclass(frozen=True, slots=True)
class PgxMade:
    """What was called.

    Attributes:
        path: of `pgx.json`.
        assembly: of the coordinates.
        releases: that were used.
        warnings: PROBLEMs of the contract.
        counts: `samples`, `genes`, `called`, `withheld`, `not_called`.
    """

    path: Path
    assembly: Assembly
    releases: tuple[ReleaseKey, ...]
    warnings: tuple[dict[str, Any], ...]
    counts: Mapping[str, int]
