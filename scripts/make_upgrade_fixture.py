"""Makes a fixture of the release that this is run with: a data folder with something of everything, kept as text.

    python scripts/make_upgrade_fixture.py tests/fixtures/upgrade/NAME

It needs the environment of that release (or `PYTHONPATH` with its built sources), and pg_dump of the embedded database.
docs/how-to/upgrade.md tells when one is made. The folder then holds:

- `database.dump`: the database, by pg_dump as INSERTs;
- `data.tar.gz`: the storage, the unfinished uploads and the key of credentials;
- `expected.json`: what the release's own server showed of it, and the tokens by which it did.

Nothing in it is of people, and its tokens and its key open nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VCF = (
    "##fileformat=VCFv4.2\n"
    "##reference=GRCh38\n"
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "##contig=<ID=chr1,length=248956422>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA1\tNA2\n"
    "chr1\t1000\trs1\tA\tC\t30.5\tPASS\tDP=20\tGT\t0/1\t1/1\n"
    "chr1\t2000\t.\tG\tGT,T\t.\tq10\tDP=.\tGT\t1|2\t./.\n"
    "chr1\t3000\trs3\tT\t<DEL>\t99\tPASS\tDP=7\tGT\t0/0\t0/1\n"
)
BROKEN = "##fileformat=VCFv4.2\nno header at all\n"
FINAL = {"completed", "failed", "cancelled"}
JOB_FACTS = ("id", "sample_name", "state", "records", "variants", "created_at", "finished_at", "sample_id", "priority")
SAMPLE_FACTS = ("id", "name", "tags", "created_at", "records", "variants", "bytes", "assembly")
KEPT = ("storage", "arriving", "secret.key")
"""What of the data folder is kept beside the database."""


def shown(client: httpx.Client) -> dict[str, Any]:
    """What a release shows an account; today's must show the same."""

    def get(path: str) -> Any:
        return client.get(path).raise_for_status().json()

    jobs, samples = get("jobs?limit=100")["jobs"], get("samples?limit=100")["samples"]
    return {
        "jobs": {job["id"]: _facts(job, JOB_FACTS) | {"code": (job["error"] or {}).get("code")} for job in jobs},
        "events": {job["id"]: [event["state"] for event in get(f"jobs/{job['id']}/events")["events"]] for job in jobs},
        "samples": {sample["id"]: _facts(sample, SAMPLE_FACTS) for sample in samples},
        "rows": {sample["id"]: get(f"samples/{sample['id']}/rows?limit=50")["rows"] for sample in samples},
        "exports": {sample["id"]: client.get(f"samples/{sample['id']}/export?format=tsv").text for sample in samples},
        "views": [_facts(view, ("id", "name", "query")) for view in get("views")["views"]],
        "credentials": [
            _facts(one, ("id", "name", "kind", "scope", "created_at")) for one in get("credentials")["credentials"]
        ],
        "uploads": {one["id"]: (one["offset"], one["bytes"]) for one in get("uploads")["uploads"]},
        "tokens": sorted(one["label"] for one in get("tokens")["tokens"] if "server.json" not in one["label"]),
    }


def _facts(found: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


class Running:
    """A `varloom` process of the release."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "varloom", *arguments],
            env={**os.environ, "VARLOOM_RETRY_DELAY": "86400", **environment},
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self, pattern: str) -> str:
        """What the first line that matches says."""
        for line in self.popen.stdout or ():
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("it ended")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            self.popen.wait(60)


@contextlib.contextmanager
def working(data: Path, **environment: str) -> Iterator[Running]:
    """A worker of its own, which is killed in the end."""
    worker = Running("worker", "--data", str(data), "--slots", "parse=1", **environment)
    try:
        yield worker
    finally:
        worker.stop(signal.SIGKILL)


def until(look: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + 60
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError("it never came")
        time.sleep(0.05)


def fill(data: Path, client: httpx.Client) -> None:
    """Something of everything; in the end a job that runs, whose worker is killed, and one that waits."""

    def submit(name: str, content: str = VCF, **fields: str) -> str:
        answer = client.post("jobs", files={"file": (name, content.encode())}, data=fields).raise_for_status()
        return str(answer.json()["id"])

    def state(job: str) -> str:
        return str(client.get(f"jobs/{job}").json()["state"])

    with working(data):
        ended = [
            submit("plain.vcf", sample_name="Plain sample"),
            submit("split.vcf", sample_name="Split, and ünïcödé", split_by_sample="true"),
            submit("broken.vcf", BROKEN, sample_name="Broken"),
            submit("deleted.vcf", sample_name="Deleted"),
        ]
        until(lambda: all(state(job) in FINAL for job in ended))
    cancelled = submit("cancelled.vcf", sample_name="Cancelled")
    client.post(f"jobs/{cancelled}/cancel").raise_for_status()
    samples = client.get("samples").json()["samples"]
    by_name = {sample["name"]: sample["id"] for sample in samples}
    client.patch(f"samples/{by_name['Plain sample']}", json={"tags": ["blood", "Trio 7"]}).raise_for_status()
    client.delete(f"samples/{by_name['Deleted']}").raise_for_status()
    client.post("views", json={"name": "Deep", "query": "sort=-DP"}).raise_for_status()
    body = {"name": "lab", "kind": "bearer", "scope": "https://example.org/", "values": {"token": "made-up-token"}}
    client.post("credentials", json=body).raise_for_status()
    tus = {"Tus-Resumable": "1.0.0"}
    name = "cGFydC52Y2Y="  # part.vcf
    begun = client.post(
        "uploads", headers={**tus, "Upload-Length": str(len(VCF)), "Upload-Metadata": f"filename {name}"}
    ).raise_for_status()
    portion = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    client.patch(
        client.base_url.join(begun.headers["Location"]), headers=portion, content=VCF[:200].encode()
    ).raise_for_status()
    running = submit("running.vcf", sample_name="Was running")
    with working(data, VARLOOM_FAILPOINTS="part.before_write=stall:600@100%"):
        until(lambda: state(running) == "parsing")
    submit("queued.vcf", sample_name="Was queued", priority="5")


def make(target: Path) -> None:
    """See the module."""
    target.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory() as place,
        contextlib.ExitStack() as held,
    ):
        Path(place).chmod(0o711)
        data = Path(place) / "data"
        server = Running("serve", "--data", str(data), "--port", "0", "--no-worker")
        held.callback(server.stop)
        url = server.line(r"^Varloom is ready at (\S+)$")
        owner = json.loads((data / "server.json").read_text())["token"]
        with httpx.Client(base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {owner}"}) as client:
            token = client.post("tokens", json={"label": "kept"}).raise_for_status().json()["token"]
            client.headers["Authorization"] = f"Bearer {token}"
            fill(data, client)
            expected = {"token": token, "shown": shown(client)}
        _dump(data, target / "database.dump")
        server.stop()
        with tarfile.open(target / "data.tar.gz", "w:gz") as archive:
            for name in KEPT:
                if (data / name).exists():
                    archive.add(data / name, name)
        (target / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


def _dump(data: Path, target: Path) -> None:
    from varloom.db.binaries import installed_binaries
    from varloom.db.embedded import EmbeddedPostgres

    with EmbeddedPostgres(data) as server:
        with psycopg.connect(server.conninfo) as connection:
            row = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
        flags = ["--inserts", "--no-owner", "--no-privileges", "--no-comments"]
        text = subprocess.run(
            [installed_binaries().prefix / "bin" / "pg_dump", *flags, server.conninfo],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    # The commands of psql, such as \restrict, are no SQL.
    lines = [line for line in text.splitlines() if not line.startswith(("\\", "--")) and line]
    lines = [line.replace(f"'{socket.gethostname()}'", "'fixture'") for line in lines]
    target.write_text("\n".join([f"-- Migration {row[0] if row else 0}", *lines]) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", type=Path)
    make(parser.parse_args().target)
