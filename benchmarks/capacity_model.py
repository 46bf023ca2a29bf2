"""What a day of many uploads needs, by the measured costs of one: a plain model.

    .venv/bin/python benchmarks/capacity_model.py build/bench/capacity.json --uploads 10000 --variants 5000000

A part needs as many cores as the work of its busiest hour has seconds of the processor, divided by the seconds of an
hour and by the share of a core that is to be used at most. All work is taken to be divisible, as jobs of different
uploads are. Costs are those of the machine on which they were measured.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES_OF_A_GENOME = 1_000_000_000
"""Of a packed VCF of one genome with five million variants, as variant callers write it."""
USED_AT_MOST = 0.7
"""Of a core: above it, waiting grows out of proportion."""
BUSIEST_HOUR = 0.2
"""Of a day's uploads: sequencers end their runs at the same time, and people come in the morning."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured: seconds of one core and bytes.

    Attributes:
        job: of any job, by part: web, worker, postgres; with one worker.
        waking: of any job for each further worker that is told of it, by part.
        million: of a million variants more, by part, without annotation, in a file of no size.
        gigabyte: of 10^9 bytes that are uploaded, on the web server.
        annotating: of a million small variants, on the worker; 0 without annotation.
        worker: of a worker for each second, by part, whether it has work or not.
        log_bytes: of the database's log, for a job.
        row_bytes: of the database's tables, for a job.
        table_bytes: in the storage, of a million variants.
        connections: of the database, for a worker; and of a server.
    """

    job: dict[str, float]
    waking: dict[str, float]
    million: dict[str, float]
    gigabyte: float
    annotating: float
    worker: dict[str, float]
    log_bytes: float
    row_bytes: float
    table_bytes: float
    connections: tuple[float, int]

    @classmethod
    def of(cls, figures: dict[str, Any]) -> Costs:
        """What `bench_capacity.py` has measured."""
        idle, parsing = figures["idle"], figures["parsing"]
        million = parsing["cpu_seconds"]
        job, among_many = figures["job"]["cpu_seconds"], figures["job with many workers"]["cpu_seconds"]
        others = idle["workers"] - 1
        return cls(
            job,
            {part: max(0.0, (among_many[part] - job[part]) / others) for part in job},
            million | {"web": 0.0},  # the server takes the bytes, and does not look at the variants
            million["web"] / parsing["file_bytes_per_million"] * 1e9,
            (figures["annotating"] or {"cpu_seconds": 0.0})["cpu_seconds"],
            {"postgres": idle["postgres_cpu_per_worker"], "worker": idle["worker_cpu_per_worker"], "web": 0.0},
            figures["job"]["wal_bytes"],
            figures["job"]["database_bytes"],
            parsing["table_bytes_per_million"],
            (idle["connections_per_worker_at_work"], idle["connections_of_the_server"]),
        )


@dataclass(frozen=True, slots=True)
class Day:
    """What comes in on a day: how many uploads, of how many variants and bytes each; and how many workers there are."""

    uploads: int
    variants: int
    bytes: int
    annotated: bool = True
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes: cores by part in the busiest hour, and bytes of a day."""

    cores: dict[str, float]
    workers: int
    connections: int
    received_per_second: float
    stored_per_day: float
    log_per_day: float
    rows_per_day: float


def need(costs: Costs, day: Day, *, slots: int = 4) -> Need:
    """What a day needs; without a number of workers, as many as have the cores, with so many slots each."""
    millions = day.variants / 1e6
    jobs = day.uploads * BUSIEST_HOUR / HOUR

    def cores(part: str, workers: int) -> float:
        each = costs.job[part] + max(0, workers - 1) * costs.waking[part] + millions * costs.million[part]
        if part == "web":
            each += day.bytes / 1e9 * costs.gigabyte
        if part == "worker" and day.annotated:
            each += millions * costs.annotating
        return (jobs * each + workers * costs.worker[part]) / USED_AT_MOST

    workers = day.workers or max(1, -int(-cores("worker", 0) // slots))
    per_worker, of_the_server = costs.connections
    return Need(
        {part: cores(part, workers) for part in costs.job},
        workers,
        round(of_the_server + workers * per_worker),
        jobs * day.bytes,
        day.uploads * (day.bytes + millions * costs.table_bytes),
        day.uploads * costs.log_bytes,
        day.uploads * costs.row_bytes,
    )


def told(costs: Costs, day: Day) -> str:
    """The need, for people."""
    found = need(costs, day)
    kind = "annotated" if day.annotated else "not annotated"
    size = f"{day.variants:,} variants and {day.bytes / 1e9:,.2f} GB"
    lines = [
        f"{day.uploads:,} uploads a day of {size}, {kind}; a fifth of them in the busiest hour:",
        *(f"  {part:<10} {cores:8.2f} cores" for part, cores in found.cores.items()),
        f"  workers    {found.workers:8,} of 4 slots, {found.connections:,} connections to the database",
        f"  received   {found.received_per_second / 1e6:8,.0f} MB/s in that hour",
        f"  stored     {found.stored_per_day / 1e12:8,.2f} TB a day, files and tables",
        f"  database   {found.rows_per_day / 1e6:8,.0f} MB a day, and {found.log_per_day / 1e9:,.2f} GB of its log",
    ]
    return "\n".join(lines)


def main() -> None:
    """Show it for other numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path, help="the file that bench_capacity.py has written")
    parser.add_argument("--uploads", type=int, default=10_000, help="a day; default: 10,000")
    parser.add_argument("--variants", type=int, default=5_000_000, help="of each; default: 5,000,000")
    parser.add_argument("--bytes", type=int, default=BYTES_OF_A_GENOME, help="of each; default: a gigabyte")
    parser.add_argument("--not-annotated", action="store_true", help="parsed only")
    parser.add_argument("--workers", type=int, default=0, help="default: as many as are needed")
    options = parser.parse_args()
    figures = json.loads(options.measured.read_text(encoding="utf-8"))["figures"]
    day = Day(options.uploads, options.variants, options.bytes, not options.not_annotated, options.workers)
    print(told(Costs.of(figures), day))


if __name__ == "__main__":
    main()
