"""Panels follow the jobs of an account while server and database are killed under them, and are told all, once.

Three kinds of panels: steady ones read as fast as they can and come back only when they are cut off; restless ones go
away at random; slow ones lag so far behind that the server cuts them off. Whoever comes back says what it has seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from tests.ports import free_port
from tests.running import FINAL, QUICK, Server

from varloom.db.embedded import EmbeddedPostgres

SHORT_QUEUES = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "short_queues")}
PANELS = 12
"""Of each kind."""
JOBS = 45
"""While server and database are killed."""
MORE_JOBS = 40
"""While slow panels read nothing: more than their queues and buffers hold."""
PATIENCE = 90.0
SEED = 20

GOOD = (
    b"##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    b"chr1\t100\t.\tA\tG\t50\tPASS\t.\n"
)
BAD = GOOD.replace(b"#CHROM\tPOS", b"#CHROM\tPLACE")


@dataclass
class Panel:
    """One panel over all its connections.

    Attributes:
        kind: steady, restless or slow.
        last_id: the number that it says when it comes back; None asks for a snapshot.
        first: the number of the snapshot's end, after which every event must come.
        seen: number, job and state of each event, in the order in which they came.
        states: the state of each job as it was told last, by the snapshot or by an event.
        breaks: how often it lost its connection, or left.
        cuts: how often the server ended its stream.
        listening: it has a stream.
        pausing: how likely a slow one stops reading for a while after an event.
        held: it reads nothing for as long as this is set.
    """

    kind: str
    chance: random.Random
    last_id: int | None = None
    first: int = 0
    seen: list[tuple[int, str, str]] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    snapshots: int = 0
    breaks: int = 0
    cuts: int = 0
    listening: bool = False
    pausing: float = 0.1
    held: bool = False

    async def follow(self, address: tuple[str, int], token: str) -> None:
        """Connect again and again, until cancelled."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._listen(address, token)
            self.breaks += 1
            await asyncio.sleep(self.chance.uniform(0.05, 0.4))

    async def _listen(self, address: tuple[str, int], token: str) -> None:
        reader, writer = await asyncio.open_connection(sock=await self._connect(address), limit=1 << 20)
        try:
            resume = "" if self.last_id is None else f"Last-Event-ID: {self.last_id}\r\n"
            ask = f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{resume}\r\n"
            writer.write(ask.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                return
            self.listening = True
            stay = self.chance.randint(1, 25) if self.kind == "restless" else None
            while stay is None or stay > 0:
                if self.kind == "slow" and self.chance.random() < self.pausing:
                    writer.transport.pause_reading()
                    await asyncio.sleep(self.chance.uniform(1, 2))
                    writer.transport.resume_reading()
                if self.held:
                    writer.transport.pause_reading()
                    while self.held:
                        await asyncio.sleep(0.05)
                    writer.transport.resume_reading()
                if await self._read_event(reader) and stay is not None:
                    stay -= 1
        finally:
            self.listening = False
            writer.close()

    async def _connect(self, address: tuple[str, int]) -> socket.socket:
        """A connection; that of a slow panel takes in little, yet enough for the system not to drop and resend."""
        connection = socket.socket()
        connection.setblocking(False)
        if self.kind == "slow":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        try:
            await asyncio.get_running_loop().sock_connect(connection, address)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _read_event(self, reader: asyncio.StreamReader) -> bool:
        """Read to the end of an event; whether it has a number. The chunks of the transfer are skipped."""
        event: dict[str, str] = {}
        while line := (await reader.readuntil(b"\n")).decode().rstrip("\r\n") or not event:
            if isinstance(line, str):
                self.cuts += line == "0"  # a last chunk: the server has ended it, which one that was killed could not
                name, sign, value = line.partition(": ")
                if sign and name in {"id", "event", "data"}:
                    event[name] = value
        self._take(event)
        return "id" in event

    def _take(self, event: dict[str, str]) -> None:
        number = int(event["id"]) if "id" in event else None
        if event["event"] == "snapshot":
            assert self.last_id is None, "a panel that says what it has seen gets no snapshot"
            self.snapshots += 1
            assert number is not None
            self.first = self.last_id = number
        elif event["event"] == "job":
            job = json.loads(event["data"])
            if number is not None:
                self.seen.append((number, job["id"], job["state"]))
                self.last_id = number
            if number is not None or self.last_id is None:
                self.states[job["id"]] = job["state"]


@pytest.fixture
def data(data_folder):
    return data_folder


async def _upload(url: str, token: str, number: int) -> str:
    """Upload a file, however often it takes; every third one is bad, and every fifth is cancelled."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"job {number}"}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1/", headers=headers, timeout=20) as client:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.HTTPError):
                content = BAD if number % 3 == 0 else GOOD
                answer = await client.post("jobs", files={"file": (f"{number}.vcf", content)})
                if answer.status_code == 202:
                    break
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        job_id = answer.json()["id"]
        if number % 5 == 0:
            with contextlib.suppress(httpx.HTTPError):
                await client.post(f"jobs/{job_id}/cancel")
    return job_id


async def _uploads(url: str, token: str, numbers: range) -> list[str]:
    job_ids = []
    for number in numbers:
        job_ids.append(await _upload(url, token, number))
        await asyncio.sleep(0.1)
    return job_ids


async def _until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


def _newest(postgres: EmbeddedPostgres) -> int:
    """The number of the account's newest event."""
    [row] = _rows(postgres, "SELECT last_event_id FROM accounts")
    return row["last_event_id"]


def _rows(postgres: EmbeddedPostgres, query: str) -> list[dict]:
    with psycopg.connect(postgres.conninfo, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


async def test_every_panel_is_told_all_of_it_once_and_in_order(data):
    chance = random.Random(SEED)
    port = free_port()
    with EmbeddedPostgres(data) as postgres:
        server = Server(data, "--port", str(port), **QUICK, **SHORT_QUEUES)
        token = server.client.post("tokens", json={"label": "panels"}).json()["token"]
        panels = [
            Panel(kind, random.Random(chance.random()), last_id=0 if number % 2 else None)
            for kind in ("steady", "restless", "slow")
            for number in range(PANELS)
        ]
        following = [asyncio.create_task(panel.follow(("127.0.0.1", port), token)) for panel in panels]
        uploading = asyncio.create_task(_uploads(server.url, token, range(JOBS)))
        try:
            for fault in ("server", "database", "database", "server"):
                await asyncio.sleep(chance.uniform(1.5, 3))
                if fault == "server":
                    await asyncio.to_thread(server.kill)
                    server.client.close()
                    server = await asyncio.to_thread(Server, data, "--port", str(port), **QUICK, **SHORT_QUEUES)
                else:
                    await _until(lambda: postgres.server_pid is not None, "the database was not started again")
                    os.kill(postgres.server_pid, signal.SIGQUIT)  # an immediate stop, as by `pg_ctl -m immediate`
            job_ids = await uploading
            slow = [panel for panel in panels if panel.kind == "slow"]
            for panel in slow:
                panel.pausing = 0
            await _until_at_rest(server, job_ids)
            newest = _newest(postgres)
            await _until(
                lambda: all(panel.listening and panel.last_id == newest for panel in slow), "not all came back"
            )
            cuts = [panel.cuts for panel in slow]
            for panel in slow:
                panel.held = True
            job_ids += await _uploads(server.url, token, range(JOBS, JOBS + MORE_JOBS))
            await _until_at_rest(server, job_ids)
            newest = _newest(postgres)
            steady = [panel for panel in panels if panel.kind == "steady"]
            await _until(
                lambda: all(panel.last_id == newest for panel in steady), "who reads was held up by who does not"
            )
            for panel in slow:
                panel.held = False
            try:
                await _until(lambda: all(panel.last_id == newest for panel in panels), "not all panels were told all")
            except AssertionError:
                behind = [(p.kind, p.last_id, p.breaks, p.cuts, len(p.states)) for p in panels if p.last_id != newest]
                raise AssertionError(f"of {newest} events: {behind}") from None
            events = _rows(postgres, "SELECT id, job_id::text AS job, state FROM job_events ORDER BY id")
            states = {row["id"]: row["state"] for row in _rows(postgres, "SELECT id::text AS id, state FROM jobs")}
        finally:
            for task in (*following, uploading):
                task.cancel()
            ended = await asyncio.gather(*following, uploading, return_exceptions=True)
            server.client.close()
            await asyncio.to_thread(server.stop)
    assert not [error for error in ended if isinstance(error, Exception)]
    assert set(states) == set(job_ids)
    assert {"completed", "failed"} <= set(states.values()) <= FINAL
    truth = [(row["id"], row["job"], row["state"]) for row in events]
    assert [number for number, *_ in truth] == list(range(1, newest + 1))
    for panel in panels:
        assert panel.seen == truth[panel.first :], panel.kind
        assert panel.states == states, panel.kind
        assert panel.snapshots <= 1
    assert min(panel.breaks for panel in panels if panel.kind == "restless") > 5
    assert all(panel.cuts > before for panel, before in zip(slow, cuts, strict=True)), "who reads nothing is cut off"


async def _until_at_rest(server: Server, job_ids: list[str]) -> None:
    """Wait until all jobs have ended."""
    for job_id in job_ids:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await asyncio.to_thread(server.job, job_id))["state"] in FINAL:
                    break
            assert time.monotonic() < deadline, f"job {job_id} does not end"
            await asyncio.sleep(0.05)
