"""A server with one table, for the table's benchmark."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = re.compile(r"^Varloom is ready at (\S+)$")
REST_SECONDS = 3.0
COPY_SECONDS = 120.0


class TableServer:
    """`varloom serve` on a data folder of its own, with a file as its one sample.

    Attributes:
        bytes: of the dataset.
        seconds: from the beginning of the upload until the table could be opened.
    """

    def __init__(self, data: Path, file: Path, *, copies: bool = True) -> None:
        self._data = data
        self._file = file
        self._environment = os.environ | ({} if copies else {"VARLOOM_ROW_COPIES_BYTES": "0"})
        self.bytes = 0
        self.seconds = 0.0
        self._completed = 0.0

    def __enter__(self) -> Self:
        self._start()
        begun = time.perf_counter()
        with self._file.open("rb") as content:
            files = {"file": (self._file.name, content)}
            job = self._client.post("jobs", files=files, timeout=600).raise_for_status().json()
        while job["state"] not in {"completed", "failed"}:
            time.sleep(0.05)
            job = self._client.get(f"jobs/{job['id']}").json()
        if job["state"] == "failed":
            raise SystemExit(f"the file was not loaded: {job['error']}")
        self._completed = time.perf_counter()
        self.seconds = self._completed - begun
        self._table = f"samples/{job['sample_id']}"
        self.bytes = self.get("")["datasets"][0]["bytes"]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """Of the server's process, which answers; its worker is another."""
        return self._process.pid

    def restart(self) -> None:
        """Stop and start, so that nothing is open or in memory; then wait until its worker has started as well."""
        self._stop()
        self._start()
        self.rest()

    def get(self, route: str, **parameters: Any) -> Any:
        """What the API answers on the table."""
        return self._client.get(self._table + route, params=parameters).raise_for_status().json()

    def export(self, kind: str) -> Iterator[bytes]:
        """The whole table as a file, in pieces."""
        with self._client.stream("GET", f"{self._table}/export", params={"format": kind}, timeout=600) as answer:
            answer.raise_for_status()
            yield from answer.iter_raw()

    def wait_for_copy(self) -> float:
        """Wait until the server has made its copy of the table; how long that took since the job was completed."""
        while not list(self._data.glob("row-copies/*/rows.duckdb")):
            if time.perf_counter() - self._completed > COPY_SECONDS:
                raise SystemExit("the server makes no copy of this table: it is too small for one")
            time.sleep(0.1)
        return time.perf_counter() - self._completed

    def rest(self) -> None:
        """Leave the server alone as long as a reader looks at a page."""
        time.sleep(REST_SECONDS)

    def _start(self) -> None:
        command = [sys.executable, "-m", "varloom", "serve", "--data", str(self._data), "--port", "0"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self._environment
        )
        output = self._process.stdout
        found = next((match for line in output or () if (match := READY.match(line.strip()))), None)
        if found is None:
            raise SystemExit("the server did not start")
        told = json.loads((self._data / "server.json").read_text())
        headers = {"Authorization": f"Bearer {told['token']}"}
        self._client = httpx.Client(base_url=f"{found[1]}/api/v1/", headers=headers, timeout=120)

    def _stop(self) -> None:
        self._client.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
