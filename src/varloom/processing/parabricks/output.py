"""What Parabricks writes while it works: which step it is in, and how far. It is read leniently: versions differ.

Lines carry `[PB Info 2025-Jul-12 00:32:23]`. A step begins with a box of lines between `||`. Alignment tells the reads
and bases so far, of which it does not know how many there are; sorting and marking tell a percentage; callers tell the
position in the genome.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.processing.parabricks.failures import bare

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEPS = (
    (re.compile(r"pbbwa|bwa mem|sorting phase-i\b", re.IGNORECASE), "aligning reads"),
    (re.compile(r"sorting phase-ii", re.IGNORECASE), "sorting reads"),
    (re.compile(r"marking duplicates|bqsr|markdup", re.IGNORECASE), "marking duplicates"),
    (re.compile(r"haplotypecaller|htvc|deepvariant", re.IGNORECASE), "calling variants"),
)
"""By what stands in the box of a step: what it is called for people."""
_NOT_A_STEP = re.compile(
    r"accelerated genomics pipeline|version|program|total time|\btime\b|seconds|minutes", re.IGNORECASE
)
_BOX = re.compile(r"\|\|(?P<text>.+)\|\|")
_PERCENT = re.compile(r"(?:^|\s)(?P<percent>\d{1,3}(?:\.\d+)?)\s*%?(?=\s|$)")
_LOCUS = re.compile(r"(?P<contig>[^\s:]+):(?P<position>\d+)")
_COUNTS = re.compile(r"\d+")
_CLOCK = re.compile(r"^\[?\d\d:\d\d:\d\d\]?\s*")


class Standing(NamedTuple):
    """How far a step is: what is done, of how much if that is known, and of what."""

    done: int
    total: int | None
    step: str


class Reading:
    """Reads the lines of one run, one after the other.

    Args of the constructor:
        step: what it is called until a line says more.
        contigs: the lengths of the reference's contigs, in their order.
    """

    def __init__(self, step: str, contigs: Mapping[str, int]) -> None:
        self._step = step
        self._total = sum(contigs.values())
        self._begins: dict[str, int] = {}
        begin = 0
        for name, length in contigs.items():
            self._begins[name] = begin
            begin += length
        self._measure = ""

    def read(self, line: str) -> Standing | None:
        """How far the run is by this line; None if that does not tell."""
        if box := _BOX.search(line):
            return self._box(box["text"])
        text = _CLOCK.sub("", bare(line))
        if "progressmeter" in text.lower():
            self._measure = _measure_of(text)
            return None
        match self._measure:
            case "percent":
                return self._percent(text)
            case "bases":
                return self._bases(text)
            case "locus":
                return self._locus(text)
        return None

    def _percent(self, text: str) -> Standing | None:
        found = _PERCENT.search(text)
        percent = float(found["percent"]) if found else 101.0
        return Standing(int(percent), 100, self._step) if percent <= 100 else None

    def _bases(self, text: str) -> Standing | None:
        counts = [int(count) for count in _COUNTS.findall(text)]
        if len(counts) < 2 or re.search(r"[A-Za-z]", text):
            return None
        return Standing(counts[-1], None, f"{self._step} (bases)")

    def _locus(self, text: str) -> Standing | None:
        found = _LOCUS.search(text)
        if found is None or found["contig"] not in self._begins:
            return None
        return Standing(self._begins[found["contig"]] + int(found["position"]), self._total, self._step)

    def _box(self, text: str) -> Standing | None:
        """A step begins, if the line of the box names one."""
        if _NOT_A_STEP.search(text):
            return None
        for pattern, step in _STEPS:
            if pattern.search(text):
                if step == self._step and self._measure:  # the box at its end
                    return None
                self._step, self._measure = step, ""
                return Standing(0, None, step)
        return None


def _measure_of(header: str) -> str:
    """What the lines below the head of a progress meter tell."""
    lowered = header.lower()
    if "percentage" in lowered:
        return "percent"
    if "locus" in lowered:
        return "locus"
    return "bases" if "base" in lowered else ""
