"""What a server takes that has nothing to do: memory of all of its processes, and the time from the command to ready.

    python benchmarks/bench_idle.py [--runs N] [--json FILE]

Memory is the proportional set size (PSS) of `varloom serve`, its worker, the child that the worker keeps warm and the
embedded PostgreSQL, a moment after a page, a table and a job were served, so that all that is loaded late is there. The
start is warm: the data folder and the files of the disk were used before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from varloom.db.embedded import EmbeddedPostgres

MOST_MEGABYTES = 400
MOST_SECONDS = 5.0
SETTLING = 5.0
"""Seconds between the last request and the measurement."""
VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    "chr1\t1000\t.\tA\tC\t30\tPASS\t.\n"
)


def started(data: Path) -> tuple[subprocess.Popen[str], str, float]:
    """A server that is ready: its process, its address and the seconds that it took."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "varloom", "serve", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout or ():
        if line.startswith("Varloom is ready at "):
            return process, line.split()[-1], time.perf_counter() - began
    raise SystemExit("the server did not start")


def stopped(process: subprocess.Popen[str]) -> None:
    """End it in order."""
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def used(data: Path, url: str) -> None:
    """Load what is loaded late: pages, a job, a table."""
    token = json.loads((data / "server.json").read_text())["token"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        client.get("/samples").raise_for_status()
        job = client.post("/api/v1/jobs", files={"file": ("a.vcf", VCF.encode())}).raise_for_status().json()
        while job["state"] not in {"completed", "failed"}:
            time.sleep(0.1)
            job = client.get(f"/api/v1/jobs/{job['id']}").json()
        client.get(f"/api/v1/samples/{job['sample_id']}/rows").raise_for_status()
        client.get("/metrics").raise_for_status()


def memory_of(process: subprocess.Popen[str], data: Path) -> dict[str, float]:
    """Megabytes (10^6 bytes) of PSS by what a process is."""
    server = psutil.Process(process.pid)
    found: dict[str, float] = {"web": _pss(server), "worker": 0.0, "stage": 0.0, "postgres": 0.0}
    for child in server.children(recursive=True):
        command = " ".join(child.cmdline())
        kind = "worker" if " worker " in command else "stage" if "pipeline.child" in command else "postgres"
        found[kind] += _pss(child)
    for other in psutil.process_iter():
        if "postgres" in other.name() and other.pid not in {one.pid for one in server.children(recursive=True)}:
            line = " ".join(_command_line_of_group(other))
            if str(data) in line:
                found["postgres"] += _pss(other)
    return found


def _command_line_of_group(process: psutil.Process) -> list[str]:
    """The command line of the postmaster, of which a process of PostgreSQL is a child."""
    while True:
        parent = process.parent()
        if parent is None or "postgres" not in parent.name():
            return process.cmdline()
        process = parent


def _pss(process: psutil.Process) -> float:
    return process.memory_full_info().pss / 1e6


def main() -> int:
    """Measure, print, and tell by the exit status whether the limits are held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="varloom-idle-"))
    folder.chmod(0o711)
    data = folder / "data"
    try:
        result = measured(data, options.runs)
    finally:
        EmbeddedPostgres(data).destroy()
        shutil.rmtree(folder)
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(not (result["total_megabytes"] <= MOST_MEGABYTES and result["start_seconds"] <= MOST_SECONDS))


def measured(data: Path, runs: int) -> dict[str, Any]:
    """Start several times; use and measure the last one."""
    process, url, _ = started(data)  # sets the database up
    used(data, url)
    stopped(process)
    seconds = []
    for run in range(runs):
        process, url, took = started(data)
        seconds.append(took)
        if run < runs - 1:
            stopped(process)
    fresh = memory_of(process, data)
    used(data, url)
    time.sleep(SETTLING)
    memory = memory_of(process, data)
    stopped(process)
    return {
        "cpus": os.cpu_count(),
        "start_seconds": round(statistics.median(seconds), 2),
        "start_seconds_all": [round(one, 2) for one in seconds],
        "megabytes_when_ready": {name: round(one, 1) for name, one in fresh.items()},
        "megabytes": {name: round(one, 1) for name, one in memory.items()},
        "total_megabytes": round(sum(memory.values()), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
