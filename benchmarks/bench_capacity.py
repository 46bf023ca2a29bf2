"""What an upload costs each part of an installation, and what a day of many uploads needs by it.

    .venv/bin/python benchmarks/bench_capacity.py [--quick] [--small-jobs 200] [--workers 40] [--json FILE]

A real server without workers of its own, an embedded PostgreSQL, and one worker. Processor time is that of all
processes of a part, what has ended included. Measured are: many uploads of one variant each, which shows what a job
costs whatever is in it; one upload of a million variants, less that; a million variants annotated by seven look-ups and
a gene model, if bench_annotation.py has made its data; what workers without work ask of the database, in statements and
connections; and what the small uploads cost where there are so many workers, all of which are told of each. Then the
model of `capacity_model.py` is shown for 10,000 uploads a day. Writes build/bench/capacity.json.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import gzip
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import annotation_data
import capacity_model
import psycopg
import reader_data
from capacity_server import CapacityServer, Snapshot
from peer_environment import ROOT
from process_measurement import measure

from varloom.db.embedded import EmbeddedPostgres

SMALL = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n"
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA1\nchr1\t{position}\t.\tA\tC\t50\tPASS\tDP=30\tGT\t0/1\n"
)
AT_ONCE = 4
"""Uploads that are sent at the same time."""
IDLE_SECONDS = 30.0
ANNOTATION = ROOT / "build" / "bench" / "consequence"


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small files, which show that all works")
    parser.add_argument("--small-jobs", type=int, default=200, help="uploads of one variant each; default: 200")
    parser.add_argument("--workers", type=int, default=40, help="more workers; default: 40, which take 4 GB")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench" / "capacity.json")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # so that nothing is left running
    home = Path(tempfile.mkdtemp(prefix="varloom-capacity-"))
    home.chmod(0o711)
    try:
        with CapacityServer(home / "data", most_workers=options.workers + 1) as server:
            figures = measured(server, options)
    finally:
        EmbeddedPostgres(home / "data").destroy()
        shutil.rmtree(home, ignore_errors=True)
    figures["annotating"] = annotating(quick=options.quick)
    result = {"cpus": os.cpu_count(), "figures": figures}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    if figures["annotating"] is not None:
        day = capacity_model.Day(uploads=10_000, variants=5_000_000, bytes=capacity_model.BYTES_OF_A_GENOME)
        print(capacity_model.told(capacity_model.Costs.of(figures), day))
    return 0


def measured(server: CapacityServer, options: argparse.Namespace) -> dict[str, Any]:
    """The figures that need a server."""
    warm(server)
    found: dict[str, Any] = {"job": small_jobs(server, options.small_jobs)}
    found["idle"], found["job with many workers"] = many_workers(server, options.workers, options.small_jobs)
    million = next(data for data in reader_data.ALL if data.name == "gatk 1M")
    found["parsing"] = parsing(server, reader_data.made(million, quick=options.quick), found["job"])
    return found


def warm(server: CapacityServer) -> None:
    """What is loaded once is not counted."""
    for position in range(1, 6):
        server.at_rest(server.submit("warm.vcf", SMALL.format(position=position).encode()))


def small_jobs(server: CapacityServer, count: int) -> dict[str, Any]:
    """Per job, whatever is in it: seconds of the processor by part, statements, bytes of the log and of the tables."""
    before, begun = server.snapshot(), time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        files = ((f"s{number}.vcf", SMALL.format(position=number + 1).encode()) for number in range(count))
        jobs = list(pool.map(lambda file: server.submit(*file), files))
    for job in jobs:
        server.at_rest(job)
    seconds = time.perf_counter() - begun
    after = server.snapshot()
    return {"jobs": count, "seconds": round(seconds, 2), "per_second": round(count / seconds, 2)} | per(
        before, after, count
    )


def parsing(server: CapacityServer, file: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Per million variants, less what any job costs."""
    before, begun = server.snapshot(), time.perf_counter()
    with file.open("rb") as content:
        done = server.at_rest(server.submit(file.name, content))
    seconds = time.perf_counter() - begun
    if done["state"] != "completed":
        raise SystemExit(f"the job ended {done['state']}")
    millions = done["variants"] / 1e6
    found = per(before, server.snapshot(), millions)
    for part, cost in job["cpu_seconds"].items():
        found["cpu_seconds"][part] = round(max(0.0, found["cpu_seconds"][part] - cost / millions), 4)
    with gzip.open(file, "rb") as content:
        plain = sum(len(block) for block in iter(lambda: content.read(1 << 20), b""))
    sample = server.get(f"samples/{done['sample_id']}")
    return found | {
        "variants": done["variants"],
        "seconds": round(seconds, 2),
        "file_bytes_per_million": round(file.stat().st_size / millions),
        "plain_bytes_per_million": round(plain / millions),
        "table_bytes_per_million": round(sum(one["bytes"] for one in sample["datasets"]) / millions),
    }


def many_workers(server: CapacityServer, workers: int, jobs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What workers without work ask, and what connections they hold; and what a job costs where there are so many."""
    one = server.connections()
    with server.more_workers(workers):
        most = server.connections()
        before = server.snapshot()
        time.sleep(IDLE_SECONDS)
        after = server.snapshot()
        memory = server.worker_memory()
        among_many = small_jobs(server, jobs)
        peak = server.connections()
    per_worker = IDLE_SECONDS * (workers + 1)
    idle = {
        "workers": workers + 1,
        "connections_of_the_server": server.connections_of_the_server(),
        "connections_per_worker": round((most - one) / workers, 2),
        "connections_per_worker_at_work": round((peak - one) / workers, 2),
        "transactions_per_worker_and_second": round((after.transactions - before.transactions) / per_worker, 3),
        "postgres_cpu_per_worker": round((after.cpu["postgres"] - before.cpu["postgres"]) / per_worker, 5),
        "worker_cpu_per_worker": round((after.cpu["worker"] - before.cpu["worker"]) / per_worker, 5),
        "megabytes_per_worker": round(memory / (workers + 1) / 1e6, 1),
    }
    return idle, among_many


def per(before: Snapshot, after: Snapshot, count: float) -> dict[str, Any]:
    """What was spent between two moments, for one of so many."""
    return {
        "cpu_seconds": {part: round((after.cpu[part] - before.cpu[part]) / count, 4) for part in after.cpu},
        "transactions": round((after.transactions - before.transactions) / count, 1),
        "wal_bytes": round((after.wal_bytes - before.wal_bytes) / count),
        "database_bytes": round((after.database_bytes - before.database_bytes) / count),
    }


def annotating(*, quick: bool) -> dict[str, Any] | None:
    """Seconds of the processor for a million small variants with all sources; None where their data was not made."""
    folder = ANNOTATION.with_name("consequence-quick") if quick else ANNOTATION
    sizes = (6_000_000, 60_000, 0.02) if quick else (300_000_000, 1_000_000, 1.0)
    if not (quick or folder.is_dir()):
        print("Annotation is left out: run bench_annotation.py once, which makes its data.", file=sys.stderr)
        return None
    made = annotation_data.make(folder, *sizes)
    output = folder / "annotated"
    shutil.rmtree(output, ignore_errors=True)
    script = str(Path(__file__).with_name("annotation_run.py"))
    run = measure([sys.executable, script, str(made.variants), str(made.releases), str(output)], limit=900)
    shutil.rmtree(output, ignore_errors=True)
    millions = json.loads(run.output)["variants"] / 1e6
    return {
        "seconds": round(run.seconds / millions, 2),
        "cpu_seconds": round(run.cpu_seconds / millions, 2),
        "megabytes": round(run.proportional_bytes / 1e6),
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except psycopg.Error as error:
        sys.exit(f"the database: {error}")
