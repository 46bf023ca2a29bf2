"""What is doubtful about reads and what was made of them, though nothing failed: warnings of every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.errors import Problem, Severity, counted, safe_excerpt
from varloom.processing.problems import FEW_READS_MAPPED, READS_END_MISSING, READS_NO_DEPTH, READS_OLD_QUALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def doubts_of(facts: Mapping[str, Any], quality: Mapping[str, Any]) -> list[Problem]:
    """Warnings of an analysis.

    Args:
        facts: of the reads; see `varloom.processing.cpu.checking.check`.
        quality: the quality summary, with `sites`.
    """
    reads, known = quality["reads"], quality["sites"]
    found = []
    if old := facts.get("old_qualities"):
        found.append(_warning(READS_OLD_QUALITIES, f"The qualities of {_named(old)} look like Phred+64."))
    if cut := facts.get("without_end"):
        message = f"{_named(cut)}: the marker that ends a bgzip file is missing, although the last read is whole."
        found.append(_warning(READS_END_MISSING, message))
    if reads["total"] and reads["mapped_share"] < 0.5:
        message = f"{reads['mapped']:,} of {counted(reads['total'], 'read')} could be aligned."
        found.append(_warning(FEW_READS_MAPPED, message))
    if known is not None and known["known"] < known["total"]:
        message = f"{known['total'] - known['known']:,} of {counted(known['total'], 'site')} have no genotype."
        found.append(_warning(READS_NO_DEPTH, message))
    return found


def _warning(kind: Any, message: str) -> Problem:
    return Problem(kind, message, Severity.WARNING)


def _named(files: Iterable[str]) -> str:
    return ", ".join(safe_excerpt(name, 60) for name in files)
