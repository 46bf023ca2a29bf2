"""A real Varloom as its user runs it: `varloom serve` and `varloom worker` as processes, reached over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from varloom.failpoints import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

VARLOOM = [sys.executable, "-m", "varloom"]
READY = re.compile(r"^Varloom is ready at (\S+)$")
FINAL = {"completed", "failed", "cancelled"}

QUICK = {
    "VARLOOM_RETRY_DELAY": "0.2",
    "VARLOOM_HEARTBEAT_INTERVAL": "0.5",
    "VARLOOM_WORKER_TIMEOUT": "3",
    "VARLOOM_RESCUE_INTERVAL": "0.5",
}
"""Settings under which a dead worker is noticed within seconds."""

HELD_STAGES = {"PYTHONPATH": str(Path(__file__).parent / "support" / "held_stages")}
"""Under it the stages of a worker wait until they are released, so that no test depends on how fast they are."""


class Slowness:
    """While it lasts, a process with its environment waits before it writes each row group of a table.

    So a small file is parsed for seconds, in the midst of which something can happen.
    """

    def __init__(self, file: Path, seconds: float = 0.5) -> None:
        self._file = file
        file.touch()
        self.environment = {VARIABLE: f"part.before_write=stall:{seconds}@100%;while={file}"}

    def end(self) -> None:
        """From now on it waits no more."""
        self._file.unlink()


class Process:
    """A `varloom` process whose output is read as it comes."""

    def __init__(self, *arguments: str, before: Sequence[str] = (), **environment: str) -> None:
        self.popen = subprocess.Popen(
            [*before, *VARLOOM, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.popen.stdout:
            self.output.append(line.rstrip("\n"))
            self._lines.put(line.rstrip("\n"))
        self.popen.stdout.close()
        self._lines.put(None)

    def line(self, pattern: re.Pattern[str], seconds: float = 90.0) -> re.Match[str]:
        """The first line from here on that matches."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern.pattern} in:\n" + "\n".join(self.output)) from None
            if line is None:
                raise AssertionError("it ended:\n" + "\n".join(self.output))
            if match := pattern.search(line):
                return match

    def held_stages(self, seconds: float = 60.0) -> list[psutil.Process]:
        """The stages that `HELD_STAGES` holds, at least one: a job is claimed a moment before its process starts."""
        deadline = time.monotonic() + seconds
        while True:
            children = psutil.Process(self.popen.pid).children()
            with contextlib.suppress(psutil.NoSuchProcess):  # one that has ended meanwhile
                if children and all(child.status() == psutil.STATUS_STOPPED for child in children):
                    return children
            assert time.monotonic() < deadline, f"no stage is held: {children}"
            time.sleep(0.01)

    def release_stages(self) -> None:
        """Let the stages go on that `HELD_STAGES` holds."""
        for child in self.held_stages():
            child.resume()

    def kill(self) -> None:
        """What no process can prepare for."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds: float = 60.0) -> int:
        """Ask it to end, and see that it does."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise AssertionError("it did not end:\n" + "\n".join(self.output)) from None


class Server(Process):
    """A running `varloom serve`, with a client that holds its token."""

    def __init__(self, data: Path, *arguments: str, **environment: str) -> None:
        super().__init__("serve", "--data", str(data), "--port", "0", *arguments, **environment)
        self.data = data
        try:
            self.url = self.line(READY)[1]
        except AssertionError:
            self.kill()
            raise
        self.token = json.loads((data / "server.json").read_text())["token"]
        self.client = httpx.Client(
            base_url=f"{self.url}/api/v1/", headers={"Authorization": f"Bearer {self.token}"}, timeout=60
        )

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        found = []
        for child in psutil.Process(self.popen.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, and has no command line any more
                if "worker" in child.cmdline():
                    found.append(child)
        return found

    def submit(self, file: Path | bytes, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """Upload a file; the job."""
        content = file if isinstance(file, bytes) else file.read_bytes()
        files = {"file": (name or file.name, content)}
        response = self.client.post("jobs", files=files, data={key: str(value) for key, value in fields.items()})
        assert response.status_code == 202, response.text
        return response.json()

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is now."""
        return self.client.get(f"jobs/{job_id}").raise_for_status().json()

    def jobs_named(self, name: str) -> list[dict[str, Any]]:
        """The jobs with this sample name, newest first."""
        return [job for job in self.client.get("jobs").raise_for_status().json()["jobs"] if job["sample_name"] == name]

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """Its history."""
        return self.client.get(f"jobs/{job_id}/events").raise_for_status().json()["events"]

    def until(self, job_id: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 60.0) -> dict[str, Any]:
        """Wait until the job is as wanted; the longer it takes the less often it is asked for, for that costs too."""
        deadline, pause = time.monotonic() + seconds, 0.02
        while not condition(job := self.job(job_id)):
            assert time.monotonic() < deadline, f"{job}\n" + "\n".join(self.output[-40:])
            time.sleep(pause)
            pause = min(pause * 1.2, 0.1)
        return job

    def at_rest(self, job_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """Wait until the job has ended."""
        return self.until(job_id, lambda job: job["state"] in FINAL, seconds)


@contextlib.contextmanager
def serving(data: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """A server for the length of the block; its database is removed with it."""
    server = Server(data, *arguments, **environment)
    try:
        yield server
    finally:
        server.client.close()
        server.stop()


def write_vcf(path: Path, records: int) -> Path:
    """A plain VCF with so many records of one sample."""
    header = (
        "##fileformat=VCFv4.2\n"
        '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
        '##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">\n'
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Depths">\n'
        "##contig=<ID=chr1>\n"
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA1\n"
    )
    with path.open("w") as file:
        file.write(header)
        for number in range(records):
            depth = 20 + number % 30
            file.write(
                f"chr1\t{1000 + number * 7}\trs{number}\tA\tC\t{30 + number % 60}.5\tPASS\t"
                f"DP={depth};AF={(number % 100) / 100}\tGT:AD\t0/1:{depth - 9},9\n"
            )
    return path
