"""Which sex chromosomes a sample has, told by the depth of X and of Y beside that of the autosomes.

Depth is looked at in windows spread over the autosomes, X outside its pseudoautosomal regions, and stretches of Y that
are nowhere else; of each group the median window counts, so that repeats, gaps and the X-transposed region do not.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from varloom.genomics.contigs import bare_name
from varloom.processing.alignment_file import contigs_of
from varloom.processing.ploidy import Span, layout_of
from varloom.processing.programs import Pipe, Stage, pipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.processing.ploidy import Layout

WINDOW = 1000
"""Bases."""
MOST_WINDOWS = 3000
"""Of a group."""
LEAST_WINDOWS = 20
LEAST_QUALITY = 20
"""Of a read's mapping: what fits elsewhere as well tells nothing."""
LEAST_DEPTH = 2.0
"""Of the autosomes; DRAGEN's ploidy estimator wants as much."""
LEAST_EVEN = 0.8
"""The share of the autosomes' windows between half and twice their median; panels and exomes have less."""
TOLERANCE = 0.15
"""Of a ratio around what one or two copies have. DRAGEN takes 0.25, which leaves no room between its karyotypes."""
EXPECTED: Mapping[str, tuple[float, float]] = {"xx": (1.0, 0.0), "xy": (0.5, 0.5)}
"""By answer: the depth of X, and that of Y, in those of the autosomes."""
_AUTOSOMES = frozenset(map(str, range(1, 23)))


def estimate(alignment: Path, fasta: Path, work: Path, on_life: Callable[[], None]) -> dict[str, Any]:
    """The sex chromosomes of a sorted BAM with its index.

    Returns:
        `told` (`xx`, `xy` or null), `why` (a sentence where it is null), `autosome_depth`, `x_depth`, `y_depth` (reads
        at a position; null without windows), `x_ratio`, `y_ratio` (in the autosomes' depth), `even_share` (of the
        autosomes' windows), `is_even`, `is_known_genome`.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    contigs = contigs_of(fasta)
    layout = layout_of(contigs)
    if layout is None:
        return _told({}, is_known=False)
    groups = _windows(contigs, layout, fasta)
    listed, counted = work / "sex-chromosomes.bed", work / "sex-chromosomes.depths"
    spans = sorted({span for group in groups.values() for span in group})
    listed.write_text("".join(f"{one.contig}\t{one.first - 1}\t{one.last}\n" for one in spans), encoding="utf-8")
    pipes([Pipe((Stage.samtools("bedcov", "-Q", LEAST_QUALITY, listed, alignment),), counted)], on_life)
    depths: dict[Span, float] = {}
    for line in counted.read_text(encoding="utf-8").splitlines():
        contig, first, last, bases, *_ = line.split("\t")
        depths[Span(contig, int(first) + 1, int(last))] = int(bases) / (int(last) - int(first))
    return _told({name: [depths[span] for span in group] for name, group in groups.items()}, is_known=True)


def _windows(contigs: Mapping[str, int], layout: Layout, fasta: Path) -> dict[str, list[Span]]:
    """The windows of each group, without those in which the reference has unknown bases."""
    import pysam

    autosomes = [Span(name, 1, length) for name, length in contigs.items() if bare_name(name) in _AUTOSOMES]
    with pysam.FastaFile(str(fasta)) as genome:
        return {
            name: [
                one for one in _spread(spans) if "N" not in genome.fetch(one.contig, one.first - 1, one.last).upper()
            ]
            for name, spans in (("autosomes", autosomes), ("x", layout.own_x), ("y", layout.single_y))
        }


def _spread(spans: Sequence[Span]) -> Iterator[Span]:
    """Windows at equal distances, at most about `MOST_WINDOWS`."""
    total = sum(span.last - span.first + 1 for span in spans)
    step = max(WINDOW, -(-total // MOST_WINDOWS))
    for span in spans:
        for first in range(span.first, span.last - WINDOW + 2, step):
            yield Span(span.contig, first, first + WINDOW - 1)


def _told(depths: Mapping[str, Sequence[float]], *, is_known: bool) -> dict[str, Any]:
    medians = {
        name: statistics.median(depths[name]) if len(depths.get(name, ())) >= LEAST_WINDOWS else None
        for name in ("autosomes", "x", "y")
    }
    base = medians["autosomes"]
    even = _even_share(depths["autosomes"], base) if base else 0.0
    ratios = {name: round(depth / base, 3) if base and (depth := medians[name]) is not None else None for name in "xy"}
    figures = {
        "autosome_depth": _rounded(base),
        "x_depth": _rounded(medians["x"]),
        "y_depth": _rounded(medians["y"]),
        "x_ratio": ratios["x"],
        "y_ratio": ratios["y"],
        "even_share": round(even, 3),
        "is_even": base is not None and base >= LEAST_DEPTH and even >= LEAST_EVEN,
        "is_known_genome": is_known,
    }
    told, why = _answer(figures)
    return {"told": told, "why": why, **figures}


def _answer(figures: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What the figures say, or why they say nothing."""
    x, y = figures["x_ratio"], figures["y_ratio"]
    why = _hindrance(figures)
    if why is not None:
        return None, why
    for told, (of_x, of_y) in EXPECTED.items():
        if abs(x - of_x) <= TOLERANCE and abs(y - of_y) <= TOLERANCE:
            return told, None
    return None, f"X has {x:.2f} and Y {y:.2f} of the autosomes' depth, which fits neither XX nor XY."


def _hindrance(figures: Mapping[str, Any]) -> str | None:
    """Why the depths cannot be compared."""
    base = figures["autosome_depth"]
    if not figures["is_known_genome"]:
        return "The genome has not the X and Y of GRCh38 or GRCh37."
    if base is None:
        return "The genome has too little of the autosomes."
    if base < LEAST_DEPTH:
        return f"Half of the autosomes have a depth of {base:.1f} or less: a panel, an exome, or too few reads."
    if not figures["is_even"]:
        return "The reads do not lie evenly over the autosomes, as those of a panel or an exome do not."
    return "The genome lacks X or Y." if None in (figures["x_ratio"], figures["y_ratio"]) else None


def _even_share(depths: Sequence[float], median: float) -> float:
    return sum(median / 2 <= depth <= 2 * median for depth in depths) / len(depths)


def _rounded(depth: float | None) -> float | None:
    return None if depth is None else round(depth, 2)
