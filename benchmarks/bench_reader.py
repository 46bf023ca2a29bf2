"""How fast files become tables, side by side with the field's readers: whole processes, interleaved, with their memory.

    .venv/bin/python benchmarks/bench_reader.py [--repeats 3] [--only gatk] [--quick] [--without pysam]

Makes its own data in build/bench and installs the peers into build/peers, once. `varloom load` writes a complete typed
dataset; polars-bio, oxbow and polars write Parquet with the same compression; the others write nothing. In each round
every reader reads every file once, so that a change of the machine's mood meets all of them. Writes
build/bench/reader.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import reader_data
from peer_environment import ROOT, bcftools, peers_python, versions
from process_measurement import Measurement, RunFailedError, measure, size_of
from reader_contestants import LOAD, Contestant, contestants
from reader_goals import fastest, middle, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reader_goals import Results

LIMIT_SECONDS = 900
"""How long one reader may take for one file."""


def main() -> None:
    """Make the data, run everybody, print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how many rounds; default: 3")
    parser.add_argument("--only", default="", metavar="TEXT", help="only files whose name has this text")
    parser.add_argument("--without", action="append", default=[], metavar="TEXT", help="leave readers out, by name")
    parser.add_argument("--quick", action="store_true", help="small files, which show that all works; judges nothing")
    options = parser.parse_args()
    python = peers_python()
    tools = bcftools(python)
    told = {**versions(python), "bcftools": next(iter(tools))}
    with TemporaryDirectory(prefix="varloom-bench-", dir=_scratch()) as folder:
        field = [
            each
            for data in reader_data.ALL
            if options.only in data.name
            for each in _field(data, Path(folder), python, next(iter(tools.values())), quick=options.quick)
            if not any(text in each.reader for text in options.without)
        ]
        results, sizes, failures = run_rounds(field, options.repeats)
    print_table(results, sizes, failures)
    outcome = [] if options.quick else verdicts(results)
    for verdict in outcome:
        word = {True: "reached", False: "MISSED", None: "not run"}[verdict.reached]
        print(f"{word:<8} {verdict.what}: {verdict.told}")
    write_json(results, sizes, failures, told, [asdict(verdict) for verdict in outcome], quick=options.quick)


def _scratch() -> Path:
    reader_data.FOLDER.mkdir(parents=True, exist_ok=True)
    return reader_data.FOLDER


def _field(
    data: reader_data.Data, scratch: Path, python: str, tools: Sequence[str], *, quick: bool
) -> list[Contestant]:
    """The readers of one file, or nobody, with a word about it, when the file cannot be made here."""
    try:
        path = reader_data.made(data, quick=quick)
    except reader_data.NoGeneratorError as missing:
        print(f"{data.name} is left out: {missing}.", file=sys.stderr)
        return []
    with path.open("rb") as file:  # everybody finds the file in the system's cache
        while file.read(1 << 20):
            pass
    return contestants(data.name, path, scratch, python, tools)


def run_rounds(
    field: list[Contestant], repeats: int
) -> tuple[Results, dict[tuple[str, str], int], dict[tuple[str, str], str]]:
    """The runs, the sizes of what was written, and why a reader failed, by workload and reader.

    Exits with a message when two readers do not agree on the number of records.
    """
    results: Results = {}
    sizes: dict[tuple[str, str], int] = {}
    failures: dict[tuple[str, str], str] = {}
    counts: dict[str, int] = {}
    for number in range(1, repeats + 1):
        for one in field:
            key = (one.workload, one.reader)
            if key in failures:
                continue
            try:
                measured = measure(one.command, limit=LIMIT_SECONDS, keep_output=one.counts)
            except RunFailedError as failure:
                failures[key] = str(failure)
                continue
            finally:
                if one.output:
                    sizes[key] = max(sizes.get(key, 0), size_of(one.output))
                    _remove(one.output)
            results.setdefault(key, []).append(measured)
            _compare(one, measured, counts)
            print(f"round {number}: {one.workload}, {one.reader}: {measured.seconds:.2f} s", file=sys.stderr)
    return results, sizes, failures


def _compare(one: Contestant, measured: Measurement, counts: dict[str, int]) -> None:
    records = one.records(measured)
    if records is not None and counts.setdefault(one.workload, records) != records:
        sys.exit(f"{one.reader} read {records:,} records of {one.workload}, others {counts[one.workload]:,}.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# --- what is told -----------------------------------------------------------------------------------------------------


def print_table(results: Results, sizes: dict[tuple[str, str], int], failures: dict[tuple[str, str], str]) -> None:
    """A line for each reader of each file; the ratio says how many times as long as `varloom load` it takes."""
    print(
        f"{'file':<14}{'reader':<20}{'median s':>9}{'min s':>8}{'ratio':>7}{'of min':>7}"
        f"{'cpu s':>8}{'tree MB':>9}{'largest':>8}{'out MB':>8}"
    )
    for (workload, reader), runs in results.items():
        ours = results.get((workload, LOAD))
        ratios = f"{middle(runs) / middle(ours):7.2f}{fastest(runs) / fastest(ours):7.2f}" if ours else " " * 14
        written = sizes.get((workload, reader), 0)
        print(
            f"{workload:<14}{reader:<20}{middle(runs):9.2f}{fastest(runs):8.2f}{ratios}"
            f"{min(run.cpu_seconds for run in runs):8.2f}{max(run.tree_bytes for run in runs) / 1e6:9.0f}"
            f"{max(run.largest_bytes for run in runs) / 1e6:8.0f}" + (f"{written / 1e6:8.1f}" if written else "")
        )
    for (workload, reader), why in failures.items():
        print(f"{workload:<14}{reader:<20}failed: {why}")


def write_json(
    results: Results,
    sizes: dict[tuple[str, str], int],
    failures: dict[tuple[str, str], str],
    told: dict[str, str],
    outcome: list[dict[str, object]],
    *,
    quick: bool,
) -> None:
    """All figures, for programs."""
    runs = [
        {
            "workload": workload,
            "reader": reader,
            "output_bytes": sizes.get((workload, reader)),
            "runs": [{key: value for key, value in asdict(run).items() if key != "output"} for run in measured],
        }
        for (workload, reader), measured in results.items()
    ]
    content = {
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()},
        "versions": told,
        "quick": quick,
        "results": runs,
        "failures": [{"workload": one, "reader": reader, "why": why} for (one, reader), why in failures.items()],
        "verdicts": outcome,
    }
    target = reader_data.FOLDER / "reader.json"
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
