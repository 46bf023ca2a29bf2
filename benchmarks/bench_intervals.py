"""How fast libraries find overlapping intervals, which decided what the source of structural variants uses.

    .venv/bin/python benchmarks/bench_intervals.py [--repeats 3] [--quick]

1.2 million known variants and 30,000 genes on 24 contigs, made up, are asked for what 50,000 variants overlap: by
superintervals, ncls, and sorted arrays of NumPy in classes of length. All pairs come as two arrays, and have to be the
same ones. Runs in the environment of the peers, which is installed into build/peers the first time. Prints seconds to
build and to ask, the least of all rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_APART = 1 << 33
_CONTIG = 120_000_000
_NEEDED = ("superintervals", "ncls")


def main() -> None:
    """Run each library on each set of intervals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how many rounds; default: 3")
    parser.add_argument("--quick", action="store_true", help="little data, which show that all works")
    options = parser.parse_args()
    if not all(map(importlib.util.find_spec, _NEEDED)):
        from peer_environment import peers_python

        sys.exit(subprocess.run([peers_python(), __file__, *sys.argv[1:]], check=False).returncode)
    dice = np.random.default_rng(5)
    sites, genes, calls = (5_000, 300, 500) if options.quick else (1_200_000, 30_000, 50_000)
    asked = made_up(dice, calls, 7.0)
    for name, intervals in (("known variants", made_up(dice, sites, 7.0)), ("genes", made_up(dice, genes, 10.0))):
        compare(name, intervals, asked, options.repeats)


def made_up(dice: Any, count: int, size: float) -> tuple[Any, Any, Any]:
    """Contigs, starts and ends; `size` is the logarithm of the usual length."""
    lengths = np.minimum(np.exp(dice.normal(size, 2.0, count)) + 50, 10_000_000).astype(np.int64)
    starts = dice.integers(1, _CONTIG, count)
    return dice.integers(0, 24, count), starts, starts + lengths - 1


def compare(name: str, intervals: tuple[Any, Any, Any], asked: tuple[Any, Any, Any], repeats: int) -> None:
    """Print the times of all libraries for one set of intervals."""
    best: dict[str, list[float]] = {}
    pairs: dict[str, Any] = {}
    for _ in range(repeats):
        for library, build in LIBRARIES.items():
            begin = time.perf_counter()
            ask = build(*intervals)
            built = time.perf_counter()
            queries, found = ask(*asked)
            done = time.perf_counter()
            spent = [built - begin, done - built]
            best[library] = [min(pair) for pair in zip(spent, best.get(library, spent), strict=True)]
            pairs[library] = np.sort(queries * len(intervals[0]) + found)
    same = all(np.array_equal(pairs["superintervals"], other) for other in pairs.values())
    print(f"{name}: {len(pairs['superintervals']):,} pairs, {'the same' if same else 'DIFFERENT'} for all")
    for library, (build_seconds, ask_seconds) in best.items():
        print(f"  {library:<16} build {build_seconds:.3f} s, ask {ask_seconds:.3f} s")
    if not same:
        sys.exit(1)


def by_superintervals(contigs: Any, starts: Any, ends: Any) -> Callable[..., tuple[Any, Any]]:
    """A map for each contig; the map numbers intervals by start and, of the same start, from the longest on."""
    from superintervals import IntervalMap

    order = np.lexsort((-ends, starts, contigs))
    maps = {}
    for contig in np.unique(contigs).tolist():
        numbers = order[contigs[order] == contig]
        maps[contig] = (numbers, IntervalMap.from_arrays(starts[numbers].astype("i4"), ends[numbers].astype("i4")))

    def ask(wanted: Any, firsts: Any, lasts: Any) -> tuple[Any, Any]:
        queries, found = [], []
        for contig in np.unique(wanted).tolist():
            rows = np.flatnonzero(wanted == contig)
            numbers, intervals = maps[contig]
            hits = intervals.search_idxs_batch(firsts[rows].astype("i4"), lasts[rows].astype("i4"))
            counts = np.fromiter(map(len, hits), np.int64, len(hits))
            queries.append(np.repeat(rows, counts))
            found.append(numbers[np.fromiter((at for each in hits for at in each), np.int64, int(counts.sum()))])
        return np.concatenate(queries), np.concatenate(found)

    return ask


def by_ncls(contigs: Any, starts: Any, ends: Any) -> Callable[..., tuple[Any, Any]]:
    """All contigs on one axis."""
    from ncls import NCLS

    tree = NCLS(contigs * _APART + starts, contigs * _APART + ends + 1, np.arange(len(starts)))

    def ask(wanted: Any, firsts: Any, lasts: Any) -> tuple[Any, Any]:
        origin = wanted * _APART
        queries, found = tree.all_overlaps_both(origin + firsts, origin + lasts + 1, np.arange(len(firsts)))
        return queries, found

    return ask


def by_classes(contigs: Any, starts: Any, ends: Any) -> Callable[..., tuple[Any, Any]]:
    """Sorted by contig, power of two of the length, and start: what can overlap lies together."""
    classes = np.frexp((ends - starts + 1).astype(np.float64))[1] - 1
    keys = (contigs * 32 + classes) * _APART + starts
    order = np.argsort(keys, kind="stable")
    keys, last = keys[order], ends[order]

    def ask(wanted: Any, firsts: Any, lasts: Any) -> tuple[Any, Any]:
        queries, found = [], []
        for power in np.unique(classes).tolist():
            origin = (wanted * 32 + power) * _APART
            low = np.searchsorted(keys, origin + np.maximum(firsts - (2 << power) + 1, 0), "left")
            counts = np.searchsorted(keys, origin + lasts, "right") - low
            rows = np.repeat(np.arange(len(firsts)), counts)
            places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
            fine = last[places] >= firsts[rows]
            queries.append(rows[fine])
            found.append(order[places[fine]])
        return np.concatenate(queries), np.concatenate(found)

    return ask


LIBRARIES: dict[str, Callable[..., Callable[..., tuple[Any, Any]]]] = {
    "superintervals": by_superintervals,
    "ncls": by_ncls,
    "NumPy classes": by_classes,
}

if __name__ == "__main__":
    main()
