"""The names of the demonstration genome: no assembly, gene or database has any of them, so that nobody mixes them up.

Its coordinates are called GRCh38, since a table is of one of two assemblies; by its contigs it is told from the real
one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEMO_CONTIGS: Mapping[str, int] = {"demo1": 300_000, "demo2": 150_000}
"""The contigs, and their bases."""
FIRST_RS_NUMBER = 999_000_000_001
"""dbSNP has numbers of ten digits."""
_NAME = re.compile(r"demo(_|[GTP]?\d)|rs999\d{9}\b", re.IGNORECASE)


def is_demo_genome(contigs: Mapping[str, int | None]) -> bool:
    """Whether contigs, with their bases, are those of the demonstration, and no others; None is no number of bases."""
    return bool(contigs) and contigs.items() <= DEMO_CONTIGS.items()


def is_demo_name(text: str) -> bool:
    """Whether a text begins with a contig, gene, transcript or rs number of the demonstration."""
    return _NAME.match(text.strip()) is not None
