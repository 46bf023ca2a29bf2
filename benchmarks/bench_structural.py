"""How fast structural variants are annotated: 50,000 against genes, exons and 1.2 million known variants.

    .venv/bin/python benchmarks/bench_structural.py [--repeats 3] [--quick]

Makes its own data in build/bench/structural, once; genes are those of ../shared, or made up where that is not there.
Varloom does all of its work: it reads the releases, finds genes, exons and promoters, the best known variant by
reciprocal overlap, points and class, and makes the columns. bedtools (if it is on PATH) and DuckDB only find the pairs
that overlap, the known variants of the same type by half of both; they write nothing. Whole processes, interleaved.
Writes build/bench/structural.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from process_measurement import RunFailedError, measure
from structural_data import FOLDER, Amounts, made

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GOAL_SECONDS = 5.0
GOAL_BYTES = 1_500_000_000
LIMIT_SECONDS = 200
CHUNK = 20_000
_JOIN = """
SELECT count(*) FROM calls, {of} AS o
WHERE calls.contig = o.contig AND calls.position < o."end" AND o.start <= calls.last
"""
_RECIPROCAL = """
    AND calls.kind = o.type
    AND least(calls.last, o."end") - greatest(calls.position + 1, o.start) + 1
        >= 0.5 * greatest(calls.last - calls.position, o."end" - o.start + 1)
"""


def main() -> None:
    """Run everybody in turn, print and write what was measured; or, as a child, do the work of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how many rounds; default: 3")
    parser.add_argument("--quick", action="store_true", help="little data, which show that all works; judges nothing")
    parser.add_argument("--work", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        name, folder = options.work
        print(json.dumps({"varloom": work_varloom, "duckdb": work_duckdb}[name](Path(folder))))
        return
    folder = made(Amounts(500, 5_000, 500) if options.quick else Amounts())
    results = run_rounds(commands(folder), 1 if options.quick else options.repeats)
    for name, runs in results.items():
        print(f"{name:<10} {told(runs)}")
    reached = None if options.quick else judge(results["varloom"])
    target = FOLDER.parent / "structural.json"
    target.write_text(json.dumps({"results": results, "reached": reached}, indent=1), encoding="utf-8")
    sys.exit(0 if reached in {None, True} else 1)


def commands(folder: Path) -> Mapping[str, Sequence[str]]:
    """What is run, by name."""
    child = (sys.executable, str(Path(__file__)), "--work")
    found: dict[str, Sequence[str]] = {"varloom": (*child, "varloom", str(folder))}
    if bedtools := shutil.which("bedtools"):
        calls = folder / "calls.bed"
        pairs = f"{bedtools} intersect -sorted -wa -wb -a {calls} -b {folder}"
        script = (
            f"set -e; {pairs}/genes.bed | wc -l; {pairs}/exons.bed | wc -l; "
            f"{pairs}/sites.bed -f 0.5 -r | awk '$4 == $8' | wc -l"
        )
        found["bedtools"] = ("sh", "-c", script)
    else:
        print("bedtools is left out: it is not on PATH.", file=sys.stderr)
    found["duckdb"] = (*child, "duckdb", str(folder))
    return found


def run_rounds(field: Mapping[str, Sequence[str]], repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Everybody in each round, so that a change of the machine's mood meets all of them."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in field}
    for _ in range(repeats):
        for name, command in field.items():
            try:
                run = measure(command, limit=LIMIT_SECONDS)
            except RunFailedError as failure:
                results[name].append({"failure": str(failure)[:200]})
                continue
            told_by_child = json.loads(run.output) if name != "bedtools" else {"pairs": run.output.split()}
            results[name].append(
                {"seconds": run.seconds, "cpu_seconds": run.cpu_seconds, "bytes": run.tree_bytes, **told_by_child}
            )
    return results


def told(runs: Sequence[Mapping[str, Any]]) -> str:
    """The middle of some runs, in words."""
    fine = [run for run in runs if "seconds" in run]
    if not fine:
        return f"failed: {runs[0]['failure']}"
    seconds, size = (statistics.median(run[key] for run in fine) for key in ("seconds", "bytes"))
    inside = "".join(
        f", {name} {statistics.median(run[name] for run in fine):.2f} s"
        for name in ("opening", "annotating")
        if name in fine[0]
    )
    return f"{seconds:.2f} s as a process{inside}, {size / 1e6:.0f} MB"


def judge(runs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether opening and annotating together take no longer, and the process no more memory, than they may."""
    fine = [run for run in runs if "seconds" in run]
    seconds = statistics.median(run["opening"] + run["annotating"] for run in fine) if fine else float("inf")
    size = max((run["bytes"] for run in fine), default=0)
    reached = seconds <= GOAL_SECONDS and size <= GOAL_BYTES
    print(f"{'reached' if reached else 'MISSED'}: {seconds:.2f} s of {GOAL_SECONDS:.0f}, {size / 1e6:.0f} MB of 1,500")
    return reached


def work_varloom(folder: Path) -> dict[str, Any]:
    """Open the source and annotate all calls, in the chunks of a job."""
    import pyarrow.parquet as pq

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.source import InstalledRelease
    from varloom.annotation.sources.structural import SOURCE

    of = dict(zip(SOURCE.needs, ("genes", "sites", "dosage"), strict=True))
    releases = {
        need: InstalledRelease(ReleaseKey(need.kind, "made-up", "GRCh38", "1"), folder / name)
        for need, name in of.items()
    }
    begin = time.perf_counter()
    with SOURCE.open(releases, folder) as source:
        opened = time.perf_counter()
        rows = hits = found = 0
        for batch in pq.read_table(folder / "calls.parquet").to_batches(max_chunksize=CHUNK):
            columns = source.annotate(batch, lambda: None).columns
            rows += columns.num_rows
            hits += len(columns["sv.gene_entries"].flatten())
            found += columns["sv.population_id"].is_valid().sum().as_py()
    done = time.perf_counter()
    return {"opening": opened - begin, "annotating": done - opened, "rows": rows, "gene_hits": hits, "found": found}


def work_duckdb(folder: Path) -> dict[str, Any]:
    """The same overlaps as range joins."""
    import duckdb

    database = duckdb.connect()
    database.execute(f"""
        CREATE TABLE calls AS SELECT replace(contig, 'chr', '') AS contig, position, svtype AS kind,
            greatest("end", position + 1) AS last FROM '{folder}/calls.parquet'
    """)  # noqa: S608 - the folder is ours
    for name, path in (("genes", "genes/genes"), ("exons", "genes/exons"), ("sites", "sites/sites")):
        database.execute(f"CREATE TABLE {name} AS FROM '{folder}/{path}.parquet'")
    counts = {}
    for name in ("genes", "exons", "sites"):
        query = _JOIN.format(of=name) + (_RECIPROCAL if name == "sites" else "")
        (counts[name],) = database.execute(query).fetchall()[0]
    return {"pairs": counts}


if __name__ == "__main__":
    main()
