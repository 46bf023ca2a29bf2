"""Regions of the genome as people write them: `chr7`, `chr7:117559590`, `chr7:117,559,590-117,560,000`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_REGION = re.compile(r"(?P<contig>.+):(?P<start>[\d,]*\d)(?P<dash>-(?P<end>[\d,]*\d)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Region:
    """Positions from `start` to `end`, 1-based, both included; None is open."""

    contig: str
    start: int | None = None
    end: int | None = None


def parse_region(text: str, contigs: Sequence[str]) -> Region | None:
    """Read a region; None when the text is none.

    A contig of the table goes before everything else, for some have colons in their names. `chr7` also finds `7` and
    the reverse, where the table has only the other.
    """
    text = text.strip()
    if text in contigs:
        return Region(text)
    match = _REGION.fullmatch(text)
    if match is None:
        return Region(_known(text, contigs)) if text and ":" not in text else None
    start = _number(match["start"])
    end = _number(match["end"]) if match["end"] else None if match["dash"] else start
    if end is not None and end < start:
        return None
    return Region(_known(match["contig"], contigs), start, end)


def both_names(contig: str) -> list[str]:
    """A contig's name as it is given, and with `chr` taken away or added."""
    return [contig, contig[3:] if contig.startswith("chr") else f"chr{contig}"]


def _known(contig: str, contigs: Sequence[str]) -> str:
    _, other = both_names(contig)
    return other if contig not in contigs and other in contigs else contig


def _number(digits: str) -> int:
    # Beyond any position; a longer number would not fit the column's type.
    return min(int(digits.replace(",", "")), 2**62)
