"""How fast one large object comes from an S3 server on this machine, beside bare obstore and boto3; with what memory.

    .venv/bin/python benchmarks/bench_download.py [--gib 2] [--rounds 3]

The server is a SeaweedFS of the tests; it shares the processors with whoever fetches. Each contestant is a process of
its own and has its turn in each round. obstore fetches four ranges of 16 MiB at a time: once into nothing, once into a
file, once into a file with SHA-256 of the whole; boto3 downloads to a file as it comes. Varloom writes the file, its
journal with a checksum of each block, and computes SHA-256. Whoever writes a file forces it to the disk. Writes
build/bench/download.json. TMPDIR says where server and files are: a folder in memory leaves the disk out of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from peer_environment import BUILD, ROOT, peers_python, plain_environment

sys.path.insert(0, str(ROOT))

from tests.object_stores import BUCKET, KEY, SECRET, s3_server

NAME = "large"
PIECE = 1 << 20
BARE, WRITTEN, HASHED = "obstore, into nothing", "obstore, into a file", "obstore, file and SHA-256"
BOTO3, VARLOOM = "boto3, into a file", "Varloom"

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
MEASURED = """
import json, resource, sys, time
code = sys.argv.pop(1)
began = time.monotonic()
exec(code)
spent = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": time.monotonic() - began, "cpu": spent.ru_utime + spent.ru_stime, "kib": spent.ru_maxrss}))
"""


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    size = int(asked.gib * 1024**3)
    folder = Path(tempfile.mkdtemp(prefix="varloom-bench-"))
    folder.chmod(0o711)
    try:
        with s3_server(folder) as store:
            endpoint = store.environment["AWS_ENDPOINT_URL"]
            put(endpoint, size)
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
            for _ in range(asked.rounds):
                for name, found in runs.items():
                    found.append(run(name, endpoint, size, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = summary(runs, size)
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    (BUILD / "bench" / "download.json").write_text(json.dumps(report, indent=2))
    print_report(report)


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
            "megabytes_of_memory": max(one["kib"] for one in found) / 1000,
        }
        for name, found in runs.items()
    }


def print_report(report: dict[str, Any]) -> None:
    """A line for each contestant."""
    for name, found in report.items():
        print(
            f"{name:26} {found['megabytes_a_second']:7.0f} MB/s  {found['cpu_seconds_a_gigabyte']:5.2f} CPU s/GB  "
            f"{found['megabytes_of_memory']:6.0f} MB of memory"
        )
    ours = report[VARLOOM]["megabytes_a_second"]
    for name in (BARE, WRITTEN, HASHED, BOTO3):
        print(f"Varloom is {ours / report[name]['megabytes_a_second']:.2f} times as fast as {name}")


if __name__ == "__main__":
    main()
