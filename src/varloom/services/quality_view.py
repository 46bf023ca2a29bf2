"""The quality of reads as a page shows it: facts in words, shares as bars, distributions as the outlines of areas.

What it is made of is described in `docs/reference/reads-quality.md`. Nothing is drawn by scripts: outlines are those of
SVG, in a frame of `WIDTH` by `HEIGHT`, and every chart has its content in words as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varloom.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 600, 180
"""Of a chart's frame, in its own units."""
_BINS = 120
"""The most steps of an outline."""
_SHOWN = 0.995
"""So much of a distribution is shown; the rest is a long tail."""
_CONTIGS = 26
"""The most contigs that have a bar: the longest."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value, in words."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share, or a size beside others.

    Attributes:
        label: what it is of.
        width: from 0 to 100.
        told: its value in words.
    """

    label: str
    width: float
    told: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, in the chart's units, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A distribution.

    Attributes:
        title: of what.
        told: what is to be seen in it, for those who cannot see it.
        outline: of the area, as the `d` of an SVG path.
        ticks: on the horizontal axis.
        highest: the value at the top of the frame, in words.
        axis: what the horizontal axis counts.
    """

    title: str
    told: str
    outline: str
    ticks: tuple[Tick, ...]
    highest: str
    axis: str


@dataclass(frozen=True, slots=True)
class QualityView:
    """All that the tab of a sample's reads shows."""

    facts: tuple[Fact, ...]
    sex_chromosomes: tuple[Fact, ...]
    shares: tuple[Bar, ...]
    depths: tuple[Bar, ...]
    contigs: tuple[Bar, ...]
    contigs_left_out: int
    charts: tuple[Chart, ...]
    width: int = WIDTH
    height: int = HEIGHT


def quality_view(quality: Mapping[str, Any]) -> QualityView:
    """The view of a quality summary, as engines leave it; parts that an engine does not tell are left out."""
    reads, depth = quality.get("reads") or {}, quality.get("depth") or {}
    contigs = depth.get("contigs") or []
    shown = {contig["contig"] for contig in sorted(contigs, key=lambda one: -one["length"])[:_CONTIGS]}
    return QualityView(
        facts=tuple(_facts(quality, reads, depth)),
        sex_chromosomes=tuple(_sex_chromosomes(quality.get("sex_chromosomes") or {})),
        shares=tuple(_shares(reads)),
        depths=tuple(_depths(depth)),
        contigs=tuple(_contigs([contig for contig in contigs if contig["contig"] in shown])),
        contigs_left_out=len(contigs) - len(shown),
        charts=tuple(_charts(quality.get("insert_size"), depth)),
    )


def _facts(quality: Mapping[str, Any], reads: Mapping[str, Any], depth: Mapping[str, Any]) -> list[Fact]:
    variants, insert, sites = (quality.get(part) or {} for part in ("variants", "insert_size", "sites"))
    found = [
        ("Reads", reads.get("total"), "{:,}"),
        ("Mean length", reads.get("mean_length"), "{:,.0f} bases"),
        ("Mean base quality", reads.get("mean_quality"), "{:.1f}"),
        ("Mismatches", reads.get("mismatch_share"), "{:.2%} of the aligned bases"),
        ("Insert size, median", insert.get("median"), "{:,} bases"),
        ("Mean depth", depth.get("mean"), "{:.1f}"),
        ("Mean depth where covered", depth.get("mean_covered"), "{:.1f}"),
        ("SNPs", variants.get("snps"), "{:,}"),
        ("Indels", variants.get("indels"), "{:,}"),
        ("Ti/Tv", variants.get("ti_tv"), "{:.2f}"),
    ]
    facts = [Fact(label, told.format(value)) for label, value, told in found if value is not None]
    if sites:
        facts.append(Fact("Sites with a genotype", f"{sites['known']:,} of {sites['total']:,}"))
    return facts


def _sex_chromosomes(figures: Mapping[str, Any]) -> list[Fact]:
    """What coverage says of X and Y, by which figures, and what was given."""
    if not figures:
        return []
    told = figures["told"].upper() if figures["told"] else f"Not told. {figures['why']}"
    facts = [Fact("By coverage", told)]
    if figures["given"] != "auto":
        doubt = ", which coverage contradicts" if figures["contradiction"] else ""
        facts.append(Fact("Given", f"{figures['given'].upper()}{doubt}"))
    for label, name in (("Depth of X", "x"), ("Depth of Y", "y")):
        depth, ratio = figures[f"{name}_depth"], figures[f"{name}_ratio"]
        if ratio is not None:
            facts.append(Fact(label, f"{depth:.1f}, {ratio:.2f} of the autosomes' {figures['autosome_depth']:.1f}"))
    used = {"xx": "Two copies of X, none of Y", "xy": "One copy of X and of Y"}
    if figures["is_known_genome"]:
        called = "Two copies of X and Y" if figures["variants_diploid"] else used[figures["used"]]
        facts.append(Fact("Called as", called))
    return facts


def _shares(reads: Mapping[str, Any]) -> list[Bar]:
    listed = (
        ("Mapped", "mapped_share", "mapped"),
        ("Properly paired", "properly_paired_share", "properly_paired"),
        ("Duplicates", "duplicate_share", "duplicates"),
    )
    return [
        Bar(label, round(100 * reads[share], 2), f"{reads[share]:.1%} ({reads[count]:,})")
        for label, share, count in listed
        if reads.get(share) is not None
    ]


def _depths(depth: Mapping[str, Any]) -> list[Bar]:
    return [
        Bar(f"{counted(int(least), 'read')} or more", round(100 * share, 2), f"{share:.1%} of the reference")
        for least, share in (depth.get("at_least") or {}).items()
    ]


def _contigs(contigs: Sequence[Mapping[str, Any]]) -> list[Bar]:
    deepest = max((contig["mean_depth"] for contig in contigs), default=0) or 1
    return [
        Bar(contig["contig"], round(100 * contig["mean_depth"] / deepest, 2), f"{contig['mean_depth']:.1f}")
        for contig in contigs
    ]


def _charts(insert: Mapping[str, Any] | None, depth: Mapping[str, Any]) -> list[Chart]:
    charts = []
    if insert and insert.get("histogram"):
        told = (
            f"{insert['pairs']:,} pairs; half of them have an insert of up to {insert['median']:,} bases; "
            f"the mean is {insert['mean']:,.0f} with a standard deviation of {insert['deviation']:,.0f}."
        )
        charts.append(_chart("Insert sizes", told, insert["histogram"], "bases between the ends of a pair", "pairs"))
    covered = [pair for pair in depth.get("histogram") or [] if pair[0] > 0]
    if covered:
        told = (
            f"The mean depth is {depth['mean']:.1f}, and {depth['mean_covered']:.1f} where there are reads at all; "
            f"{depth['at_least'].get('1', 0):.1%} of the reference has at least one read."
        )
        charts.append(_chart("Depth", told, covered, "reads at a position", "positions"))
    return charts


def _chart(title: str, told: str, histogram: Sequence[Sequence[int]], axis: str, unit: str) -> Chart:
    """A distribution (value, count) as an area over its lower part."""
    last = _last_shown(histogram)
    step = max(1, -(-(last + 1) // _BINS))
    heights = [0] * (last // step + 1)
    for value, count in histogram:
        if value <= last:
            heights[value // step] += count
    top = max(heights) or 1
    wide = WIDTH / len(heights)
    outline = [f"M0 {HEIGHT}"]
    for number, height in enumerate(heights):
        level = f"{HEIGHT - HEIGHT * height / top:.1f}"
        outline += [f"L{number * wide:.1f} {level}", f"L{(number + 1) * wide:.1f} {level}"]
    outline.append(f"L{WIDTH} {HEIGHT}Z")
    ticks = tuple(Tick(round(WIDTH * value / (len(heights) * step), 1), f"{value:,}") for value in _round_values(last))
    return Chart(title, told, "".join(outline), ticks, f"{top:,} {unit}", axis)


def _last_shown(histogram: Sequence[Sequence[int]]) -> int:
    total, passed = sum(count for _, count in histogram), 0
    for value, count in histogram:
        passed += count
        if passed >= _SHOWN * total:
            return int(value)
    return 0


def _round_values(last: int) -> list[int]:
    """Some five round values from 0 on."""
    size = 1
    for digit in range(12):
        for first in (1, 2, 5):
            size = first * 10**digit
            if size * 6 > last:
                return list(range(0, last + 1, size))
    return [0]
