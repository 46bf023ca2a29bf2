"""How fast one large object comes from an S3 server on this machine, beside bare obstore and boto3; with what memory.

    .venv/bin/python benchmarks/bench_download.py [--gib 2] [--rounds 5]

The server is a SeaweedFS of the tests; it shares the processors with whoever fetches. Each contestant is a process of
its own and has its turn in each round, and each round begins with another: where a virtual machine gives its free
memory back to the host, the first who fills the disk cache pays for it, as much as a second of a processor for a GB.
obstore fetches four ranges of 16 MiB at a time: once into nothing, once into a file, once into a file with SHA-256 of
the whole; boto3 downloads to a file as it comes, and once reads it again for its SHA-256. Varloom writes the file, its
journal with a checksum of each block, and computes SHA-256. Whoever writes a file forces it to the disk. Ratios are the
medians of those within each round.
Then 64 MiB come from a source that breaks off five times: how much of them is fetched again. Writes
build/bench/download.json, and ends with 1 if a goal is missed. TMPDIR says where server and files are: a folder in
memory leaves the disk out of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from peer_environment import BUILD, ROOT, peers_python, plain_environment

sys.path.insert(0, str(ROOT))

from tests.object_stores import BUCKET, KEY, SECRET, s3_server
from tests.sources import web_source

from varloom.transfer.access import Access
from varloom.transfer.download import Download
from varloom.transfer.model import TransferOptions
from varloom.transfer.source_url import parse_source_url

NAME = "large"
PIECE = 1 << 20
VOLUME = 64 * PIECE
"""What the tests' SeaweedFS keeps in one volume; beside those that are full, it holds some ready."""
CUT_FILE = 64 * PIECE
CUTS = [5_111_222, 13_000_001, 777_777, 9_876_543, 16_000_000]
"""After so many bytes the answers break off, one after the other."""
MOST_FETCHED_AGAIN = 0.05
MOST_MEMORY = 150.0
"""Megabytes."""
BARE, WRITTEN, HASHED = "obstore, into nothing", "obstore, into a file", "obstore, file and SHA-256"
BOTO3, BOTO3_HASHED, VARLOOM = "boto3, into a file", "boto3, file and SHA-256", "Varloom"

CONTESTANTS = {
    BARE: """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from obstore.store import S3Store
endpoint, bucket, key, secret, name, size, target = sys.argv[1:]
config = {"endpoint": endpoint, "access_key_id": key, "secret_access_key": secret, "region": "us-east-1"}
store = S3Store(bucket, config=config, client_options={"allow_http": True, "timeout": timedelta(hours=1)})
step = 16 << 20
with ThreadPoolExecutor(4) as threads:
    for _ in threads.map(lambda at: len(store.get_range(name, start=at, end=min(int(size), at + step))),
                         range(0, int(size), step)):
        pass
""",
    WRITTEN: """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from obstore.store import S3Store
endpoint, bucket, key, secret, name, size, target = sys.argv[1:]
config = {"endpoint": endpoint, "access_key_id": key, "secret_access_key": secret, "region": "us-east-1"}
store = S3Store(bucket, config=config, client_options={"allow_http": True, "timeout": timedelta(hours=1)})
step, file = 16 << 20, os.open(target, os.O_RDWR | os.O_CREAT)
def fetch(at):
    os.pwrite(file, memoryview(store.get_range(name, start=at, end=min(int(size), at + step))), at)
with ThreadPoolExecutor(4) as threads:
    for _ in threads.map(fetch, range(0, int(size), step)):
        pass
os.fsync(file)
""",
    HASHED: """
import hashlib, os, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from obstore.store import S3Store
endpoint, bucket, key, secret, name, size, target = sys.argv[1:]
config = {"endpoint": endpoint, "access_key_id": key, "secret_access_key": secret, "region": "us-east-1"}
store = S3Store(bucket, config=config, client_options={"allow_http": True, "timeout": timedelta(hours=1)})
step, file = 16 << 20, os.open(target, os.O_RDWR | os.O_CREAT)
def fetch(at):
    part = memoryview(store.get_range(name, start=at, end=min(int(size), at + step)))
    os.pwrite(file, part, at)
    return part
digest = hashlib.sha256()
with ThreadPoolExecutor(4) as threads:
    for part in threads.map(fetch, range(0, int(size), step)):
        digest.update(part)
os.fsync(file)
""",
    BOTO3: """
import os, sys
import boto3
endpoint, bucket, key, secret, name, size, target = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                      region_name="us-east-1")
client.download_file(bucket, name, target)
os.fsync(os.open(target, os.O_RDWR))
""",
    BOTO3_HASHED: """
import hashlib, os, sys
import boto3
endpoint, bucket, key, secret, name, size, target = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                      region_name="us-east-1")
client.download_file(bucket, name, target)
with open(target, "r+b") as file:
    hashlib.file_digest(file, "sha256")
    os.fsync(file)
""",
    VARLOOM: """
import sys
from pathlib import Path
from urllib.parse import urlsplit
from varloom.transfer.access import Access, Credential
from varloom.transfer.download import Download
from varloom.transfer.model import TransferOptions
from varloom.transfer.source_url import parse_source_url
endpoint, bucket, key, secret, name, size, target = sys.argv[1:]
source = parse_source_url(f"s3://{bucket}/{name}", {"s3": endpoint})
options = TransferOptions(allowed_endpoints=(urlsplit(endpoint).netloc,))
credential = Credential("s3", {"access_key": key, "secret_key": secret})
with Download(Access(source, credential), Path(target), options, lambda done, total: None) as download:
    arrived = download.run()
assert arrived.bytes == int(size)
""",
}
LEAST_RATIOS = {WRITTEN: 0.9, BOTO3: 2.0}
"""So many times as fast as these Varloom must be."""

MEASURED = """
import json, resource, sys, time
code = sys.argv.pop(1)
began = time.monotonic()
exec(code)
spent = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": time.monotonic() - began, "cpu": spent.ru_utime + spent.ru_stime, "kib": spent.ru_maxrss}))
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was to be reached, and whether it was."""

    told: str
    reached: bool


def main() -> int:
    """Measure, print and keep: 0 if all goals are reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    size = int(asked.gib * 1024**3)
    peers_python()
    folder = Path(tempfile.mkdtemp(prefix="varloom-bench-"))
    folder.chmod(0o711)
    try:
        with s3_server(folder, volumes=40 + size // VOLUME) as store:
            endpoint = store.environment["AWS_ENDPOINT_URL"]
            put(endpoint, size)
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
            names = list(CONTESTANTS)
            for turn in range(asked.rounds):
                at = turn % len(names)
                for name in names[at:] + names[:at]:
                    runs[name].append(run(name, endpoint, size, folder))
        fetched_again = cut_five_times(folder / "cut")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = summary(runs, size)
    verdicts = judged(report, fetched_again)
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    kept = {"contestants": report, "fetched_again": fetched_again, "runs": runs}
    (BUILD / "bench" / "download.json").write_text(json.dumps(kept, indent=2))
    print_report(report, verdicts)
    return 0 if all(verdict.reached for verdict in verdicts) else 1


def cut_five_times(folder: Path) -> float:
    """How much of a file is fetched a second time whose source breaks off five times."""
    content = os.urandom(CUT_FILE)
    with web_source() as source:
        source.serve("/x", content, cut_after=list(CUTS))
        options = TransferOptions(allowed_endpoints=(source.endpoint,))
        download = Download(Access(parse_source_url(source.url("/x"))), folder, options, lambda *_: None)
        download.run()
        if download.path.read_bytes() != content:
            raise SystemExit("what arrived is not what was sent")
        return source.sent() / len(content) - 1


def put(endpoint: str, size: int) -> None:
    """The object that is fetched."""
    from obstore.store import S3Store

    config = {"endpoint": endpoint, "access_key_id": KEY, "secret_access_key": SECRET, "region": "us-east-1"}
    store = S3Store(BUCKET, config=config, client_options={"allow_http": True})
    piece = os.urandom(PIECE)
    store.put(NAME, (piece for _ in range(size // PIECE)), use_multipart=True, chunk_size=16 * PIECE)


def run(name: str, endpoint: str, size: int, folder: Path) -> dict[str, float]:
    """One fetch by one contestant, in a process of its own."""
    target = folder / "target"
    python = sys.executable if name == VARLOOM else peers_python()
    arguments = [endpoint, BUCKET, KEY, SECRET, NAME, str(size), str(target)]
    command = [python, "-c", MEASURED, CONTESTANTS[name], *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=plain_environment())
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    measured: dict[str, float] = json.loads(told.stdout)
    return measured


def summary(runs: dict[str, list[dict[str, float]]], size: int) -> dict[str, Any]:
    """The medians."""
    return {
        name: {
            "megabytes_a_second": size / median(one["seconds"] for one in found) / 1e6,
            "cpu_seconds_a_gigabyte": median(one["cpu"] for one in found) / (size / 1e9),
            "megabytes_of_memory": max(one["kib"] for one in found) * 1024 / 1e6,
            "varloom_ratio": median(
                one["seconds"] / ours["seconds"] for one, ours in zip(found, runs[VARLOOM], strict=True)
            ),
        }
        for name, found in runs.items()
    }


def judged(report: dict[str, Any], fetched_again: float) -> list[Verdict]:
    """The goals."""
    verdicts = [
        Verdict(
            f"{ratio:.2f} times as fast as {name} (at least {LEAST_RATIOS[name]})"
            if name in LEAST_RATIOS
            else f"{ratio:.2f} times as fast as {name}",
            ratio >= LEAST_RATIOS.get(name, 0.0),
        )
        for name in (BARE, WRITTEN, HASHED, BOTO3, BOTO3_HASHED)
        for ratio in [report[name]["varloom_ratio"]]
    ]
    memory = report[VARLOOM]["megabytes_of_memory"]
    return [
        *verdicts,
        Verdict(f"{memory:.0f} MB of memory (at most {MOST_MEMORY:.0f})", memory <= MOST_MEMORY),
        Verdict(
            f"{fetched_again:.1%} of {CUT_FILE // PIECE} MiB fetched again after {len(CUTS)} cuts "
            f"(less than {MOST_FETCHED_AGAIN:.0%})",
            fetched_again < MOST_FETCHED_AGAIN,
        ),
    ]


def print_report(report: dict[str, Any], verdicts: list[Verdict]) -> None:
    """A line for each contestant, and for each goal."""
    for name, found in report.items():
        print(
            f"{name:26} {found['megabytes_a_second']:7.0f} MB/s  {found['cpu_seconds_a_gigabyte']:5.2f} CPU s/GB  "
            f"{found['megabytes_of_memory']:6.0f} MB of memory"
        )
    for verdict in verdicts:
        print(f"Varloom: {verdict.told}{'' if verdict.reached else ': MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
