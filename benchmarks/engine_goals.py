"""What the engine must reach, and whether it did."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine_runs import Rate
    from panel_runs import Liveness

VARLOOM = "varloom"
BARE = "procrastinate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the outcome."""

    what: str
    reached: bool
    told: str


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def of_delays(delays: Mapping[str, list[list[float]]], through_http: list[float]) -> list[Verdict]:
    """From the acceptance to the start; `delays` are in milliseconds, by queue and round."""
    found = []
    ours = [delay for one in delays[VARLOOM] for delay in one]
    for name, values in (("job committed to stage started", ours), ("202 answered to stage started", through_http)):
        half, most = middle(values), percentile(values, 0.99)
        told = f"p50 {half:.1f} ms, p99 {most:.1f} ms"
        found.append(Verdict(f"{name}: p50 at most 30 ms, p99 at most 150 ms", half <= 30 and most <= 150, told))
    if BARE in delays:
        ratio = middle([middle(a) / middle(b) for a, b in zip(delays[VARLOOM], delays[BARE], strict=True)])
        found.append(Verdict("started at most 1.5 times as late as bare Procrastinate", ratio <= 1.5, f"{ratio:.2f}"))
    return found


def of_rates(rates: Mapping[tuple[str, int], list[Rate]]) -> list[Verdict]:
    """Stages a second against tasks a second, by queue and stages of a job, round by round."""
    bare = rates.get((BARE, 1))
    if bare is None:
        return []
    found = []
    for (name, stages), ours in rates.items():
        if name == VARLOOM:
            ratio = middle([one.per_second / other.per_second for one, other in zip(ours, bare, strict=True)])
            work = middle([one.cpu_ms / other.cpu_ms for one, other in zip(ours, bare, strict=True)])
            what = f"jobs of {stages} stage{'s' if stages > 1 else ''}: at least half as many stages as bare tasks"
            told = f"{ratio:.2f} (processor time of a stage: {work:.1f} times that of a task)"
            found.append(Verdict(what, ratio >= 0.5, told))
    return found


def of_idleness(shares: Mapping[str, float]) -> list[Verdict]:
    """The share of a core that an idle worker takes, with its children and its database backends."""
    return [Verdict("idle worker: under 1 % of a core", shares[VARLOOM] < 0.01, f"{shares[VARLOOM]:.2%}")]


def of_history(page: list[float], claims: tuple[float, float]) -> list[Verdict]:
    """With 100,000 finished jobs: the first page, and the milliseconds of a claim before and after."""
    before, after = claims
    return [
        Verdict("first page with 100,000 finished jobs: at most 20 ms", middle(page) <= 20, f"{middle(page):.1f} ms"),
        Verdict(
            "claim with 100,000 finished jobs: at most 1.25 times as long",
            after <= 1.25 * before,
            f"{before:.2f} ms before, {after:.2f} ms after",
        ),
    ]


def of_liveness(seen: Mapping[str, Liveness]) -> list[Verdict]:
    """What open panels saw of state changes, and what it cost the server."""
    found = []
    for name, one in seen.items():
        most = percentile(one.delays, 0.99)
        told = f"p50 {middle(one.delays):.0f} ms, p99 {most:.0f} ms, {one.lost} lost"
        found.append(Verdict(f"{name}: p99 at most 200 ms, nothing lost", most <= 200 and one.lost == 0, told))
        told = f"{one.cpu:.0%} at {one.messages:,.0f} messages a second, {one.kib:.0f} KiB a panel"
        found.append(Verdict(f"{name}: under 25 % of a core", one.cpu < 0.25, told))
    return found
