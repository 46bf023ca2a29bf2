"""An annotation of five million variants whose worker is killed three times: no finished chunk is made again.

    .venv/bin/python benchmarks/bench_killed_annotation.py [--variants 5000000] [--data FOLDER]

A real server and worker, with embedded PostgreSQL, in a folder of their own. The file is that of the reader's
benchmark; the release is made of every seventh of its variants. Its annotation is begun, and when a tenth, a third and
three fifths of it are done, the worker is killed with SIGKILL and another is started, which gets the work when the dead
one is missed. Then the same file is annotated again, undisturbed. It is checked that each chunk that was finished when
a worker died is the very file in the result (by inode and time), that each attempt found as many as there were, and
that both tables have the same content hash. Memory is that of the worker and all below it, several times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import psutil
import reader_data
from process_measurement import MemorySamples

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.db.embedded import EmbeddedPostgres
from varloom.storage import LocalStorage

READY = re.compile(r"^Varloom is ready at (\S+)$")
KILLED_AT = (0.1, 0.35, 0.6)
"""What share of the variants is done when the worker is killed."""
KNOWN = 7
FINAL = {"completed", "failed", "cancelled"}
PATIENCE = 3600.0
SETTINGS = {
    "VARLOOM_HEARTBEAT_INTERVAL": "1",
    "VARLOOM_WORKER_TIMEOUT": "5",
    "VARLOOM_RESCUE_INTERVAL": "1",
    "VARLOOM_RETRY_DELAY": "1",
}


class Chunk(NamedTuple):
    """What tells a file from one that was written anew."""

    inode: int
    written: int


def main() -> int:
    """Make, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=5_000_000, help="records of the file; default: 5,000,000")
    parser.add_argument("--data", type=Path, help="the server's folder, which must not exist; default: a temporary one")
    options = parser.parse_args()
    found = next((data for data in reader_data.ALL if data.name == "gatk 5M"), reader_data.ALL[0])
    file = reader_data.made(replace(found, records=options.variants), quick=False)
    home = Path(tempfile.mkdtemp(prefix="varloom-bench-", dir=options.data))
    home.chmod(0o711)
    try:
        with Machine(home / "data") as machine:
            _install(machine.storage, file, home)
            return _compare(machine, file)
    finally:
        EmbeddedPostgres(home / "data").destroy()
        shutil.rmtree(home, ignore_errors=True)


class Machine:
    """A server without workers of its own, and one worker at a time."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.storage = data / "storage"
        self.peak: MemorySamples | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "varloom", "serve", "--data", str(self._data), "--port", "0", "--no-worker"]
        self._server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | SETTINGS
        )
        match = next((match for line in self._server.stdout or () if (match := READY.match(line.strip()))), None)
        if match is None:
            raise SystemExit("the server did not start")
        told = json.loads((self._data / "server.json").read_text(encoding="utf-8"))
        headers = {"Authorization": f"Bearer {told['token']}"}
        self._client = httpx.Client(base_url=f"{match[1]}/api/v1/", headers=headers, timeout=600)
        self.start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        for process in (self._worker, self._server):
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def start_worker(self) -> None:
        """Start a worker, and sample its memory."""
        command = [sys.executable, "-m", "varloom", "worker", "--data", str(self._data)]
        quiet = subprocess.DEVNULL
        self._worker = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | SETTINGS)
        self.peak = MemorySamples(self._worker.pid, self.peak)
        self.peak.start()

    def kill_worker(self) -> None:
        """As the system does it when memory is short; what it has started ends with it."""
        below = psutil.Process(self._worker.pid).children(recursive=True)
        self._worker.kill()
        self._worker.wait()
        psutil.wait_procs(below, timeout=10)

    def get(self, route: str) -> Any:
        """What the API answers."""
        return self._client.get(route).raise_for_status().json()

    def submit(self, file: Path) -> dict[str, Any]:
        """Upload a file to be annotated: the job."""
        with file.open("rb") as content:
            fields = {"annotate": "small", "assembly": "GRCh38"}
            answer = self._client.post("jobs", files={"file": (file.name, content)}, data=fields)
        return dict(answer.raise_for_status().json())

    def until(self, job: dict[str, Any], share: float, attempt: int = 1) -> dict[str, Any]:
        """Wait until an attempt has annotated a share of the variants, or the job has ended."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            job = self.get(f"jobs/{job['id']}")
            progress = job["progress"] or {}
            done, total = progress.get("done") or 0, progress.get("total") or 0
            going_on = job["state"] == "annotating" and job["attempt"] == attempt and total > 0
            if job["state"] in FINAL or (going_on and done >= share * total):
                return job
            time.sleep(0.1)
        raise SystemExit(f"the job makes no progress: {job}")


def _install(storage: Path, file: Path, home: Path) -> None:
    """A release of every seventh variant of the file."""
    published = home / "clinvar.vcf"
    with gzip.open(file, "rt", encoding="utf-8") as lines, published.open("w", encoding="utf-8") as out:
        out.write("##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        records = (line for line in lines if not line.startswith("#"))
        for number, line in enumerate(records):
            if number % KNOWN == 0:
                contig, position, _, ref, alt, _ = line.split("\t", 5)
                out.write(f"{contig}\t{position}\t{number}\t{ref}\t{alt}\t.\t.\tCLNSIG=Benign\n")
    key = ReleaseKey("variants", "clinvar", "GRCh38", "2026-11-15")
    install(ReferenceLibrary(LocalStorage(storage)), key, Published(published), lambda *_: None)
    published.unlink()


def _compare(machine: Machine, file: Path) -> int:
    disturbed, killed_with = _disturbed(machine, file)
    peak = machine.peak
    begun = time.perf_counter()
    undisturbed = machine.until(machine.submit(file), 2.0)
    seconds = time.perf_counter() - begun
    faults = [] if disturbed["state"] == undisturbed["state"] == "completed" else ["a job did not complete"]
    faults += _redone(machine, disturbed, killed_with)
    tables = [machine.get(f"samples/{job['sample_id']}") for job in (disturbed, undisturbed)]
    hashes = {table["datasets"][0]["content_hash"] for table in tables}
    counts = {(job["records"], job["variants"]) for job in (disturbed, undisturbed)}
    if len(hashes) != 1 or len(counts) != 1:
        faults.append(f"the tables differ: {hashes}, {counts}")
    print(f"{undisturbed['records']:,} records, {undisturbed['variants']:,} variants; undisturbed {seconds:.1f} s")
    if peak is not None:
        print(f"memory of the worker and all below it: {peak.proportional / 1e6:,.0f} MB (PSS)")
    print("\n".join(f"FAULT: {fault}" for fault in faults) or "reached: completed, nothing done twice, the same table")
    return int(bool(faults))


def _disturbed(machine: Machine, file: Path) -> tuple[dict[str, Any], list[dict[str, Chunk]]]:
    """The job whose worker is killed three times, and the chunks that were finished each time."""
    begun = time.perf_counter()
    job = machine.submit(file)
    killed_with = []
    for attempt, share in enumerate(KILLED_AT, 1):
        job = machine.until(job, share, attempt)
        if job["state"] in FINAL:
            raise SystemExit(f"the job ended before it could be disturbed: {job['state']}")
        machine.kill_worker()
        killed_with.append(_finished(machine.storage / "annotations" / job["id"]))
        print(f"killed at {share:.0%}: {len(killed_with[-1])} chunks are finished", file=sys.stderr)
        machine.start_worker()
    job = machine.until(job, 2.0)
    print(f"killed {len(KILLED_AT)} times: {job['state']} after {time.perf_counter() - begun:.1f} s")
    return job, killed_with


def _finished(folder: Path) -> dict[str, Chunk]:
    """The finished chunks in a folder: those that are noted."""
    found = {}
    for note in folder.glob("chunk-*.json"):
        with contextlib.suppress(FileNotFoundError):
            status = note.with_suffix(".arrow").stat()
            found[note.with_suffix(".arrow").name] = Chunk(status.st_ino, status.st_mtime_ns)
    return found


def _redone(machine: Machine, job: dict[str, Any], killed_with: list[dict[str, Chunk]]) -> list[str]:
    """What was finished and is not the same file in the result; and attempts that did not find all of it."""
    results = list(machine.storage.glob(f"attempts/{job['id']}/*/annotation"))
    if len(results) != 1:
        return [f"{len(results)} annotations are kept"]
    last = {path.name: Chunk(path.stat().st_ino, path.stat().st_mtime_ns) for path in results[0].glob("chunk-*.arrow")}
    again = {name for chunks in killed_with for name, chunk in chunks.items() if last.get(name) != chunk}
    logs = "\n".join(log["text"] for log in machine.get(f"jobs/{job['id']}/log")["logs"])
    told = [int(number) for number in re.findall(r"(\d+) chunks? of \d+ had been annotated before", logs)]
    wanted = [len(chunks) for chunks in killed_with]
    print(f"{len(last)} chunks; found finished by the attempts: {told}")
    faults = [f"{len(again)} finished chunks were made again"] if again else []
    return faults if told[-1:] == wanted[-1:] else [*faults, f"{wanted} chunks were finished, {told} were found"]


if __name__ == "__main__":
    sys.exit(main())
