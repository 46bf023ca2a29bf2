"""What the reader must reach, and whether it did."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reader_contestants import CYVCF2, CYVCF2_THREADS, LOAD, POLARS, POLARS_BIO, QUERY, UNPACK

if TYPE_CHECKING:
    from process_measurement import Measurement

Results = dict[tuple[str, str], list["Measurement"]]
"""The runs by workload and reader."""
MEMORY_LIMIT = 300_000_000
"""Bytes that a load may need, whatever the file's size."""
FLAT = 1.15
"""How much more memory five times the records may need."""


@dataclass(frozen=True, slots=True)
class Must:
    """A ratio of two times on one file.

    Attributes:
        workload: the file.
        rivals: of several, the fastest counts.
        least: how many times as long as ours theirs must take; None where `most` is given.
        goal: the same, as hoped for.
        most: how many times as long as theirs ours may take.
    """

    workload: str
    rivals: tuple[str, ...]
    least: float | None = None
    goal: float | None = None
    most: float | None = None


MUSTS = (
    Must("gatk 1M", (POLARS_BIO,), least=5, goal=8),
    Must("gatk 1M", (CYVCF2, CYVCF2_THREADS), least=10, goal=14),
    Must("gatk 1M", (QUERY,), least=2.5, goal=3.5),
    Must("gatk 1M", (UNPACK,), most=6, goal=4.5),
    Must("vep 300k", (POLARS_BIO,), least=3),
    Must("multi500 20k", (POLARS_BIO,), least=7),
    Must("csv 1M x 30", (POLARS,), most=1),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the outcome; `reached` is None for what was not measured."""

    what: str
    reached: bool | None
    told: str


def verdicts(results: Results) -> list[Verdict]:
    """What was reached. Medians decide; the ratio of the best runs is told beside it."""
    return [_of_time(must, results) for must in MUSTS] + _of_memory(results)


def _of_time(must: Must, results: Results) -> Verdict:
    ours = results.get((must.workload, LOAD))
    rivals = {name: runs for name in must.rivals if (runs := results.get((must.workload, name)))}
    if not ours or not rivals:
        return Verdict(f"{must.workload}: {' or '.join(must.rivals)}", None, "one of the two did not run")
    name = min(rivals, key=lambda rival: middle(rivals[rival]))
    median, best = middle(rivals[name]) / middle(ours), fastest(rivals[name]) / fastest(ours)
    if must.least is not None:
        aim = f"at least {must.least:g} times as fast as {name}" + (f", goal {must.goal:g}" if must.goal else "")
        return Verdict(f"{must.workload}: {aim}", median >= must.least, f"{median:.2f} (best runs {best:.2f})")
    if must.most is None:
        raise ValueError("a must needs a bound")
    aim = f"at most {must.most:g} times the time of {name}" + (f", goal {must.goal:g}" if must.goal else "")
    return Verdict(f"{must.workload}: {aim}", 1 / median <= must.most, f"{1 / median:.2f} (best runs {1 / best:.2f})")


def _of_memory(results: Results) -> list[Verdict]:
    found = []
    most: dict[str, int] = {}
    for (workload, reader), runs in results.items():
        if reader == LOAD:
            most[workload] = max(run.tree_bytes for run in runs)
            told = f"{most[workload] / 1e6:.0f} MB"
            found.append(Verdict(f"{workload}: at most 300 MB of memory", most[workload] <= MEMORY_LIMIT, told))
    if "gatk 1M" in most and "gatk 5M" in most:
        ratio = most["gatk 5M"] / most["gatk 1M"]
        found.append(Verdict(f"gatk 5M: memory flat, at most {FLAT:g} times that of 1M", ratio <= FLAT, f"{ratio:.2f}"))
    return found


def middle(runs: list[Measurement]) -> float:
    """The median time in seconds."""
    return statistics.median(run.seconds for run in runs)


def fastest(runs: list[Measurement]) -> float:
    """The time of the best run in seconds."""
    return min(run.seconds for run in runs)
