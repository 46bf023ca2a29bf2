"""Measures a server's live events with many open panels, and its first page with many finished jobs."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
from engine_runs import LIMIT_SECONDS, EngineFailedError
from engine_varloom import ACCOUNT, account_of, create
from peer_environment import VARLOOM, plain_environment

from varloom.db.pool import open_pool
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage
from varloom.services.accounts import Accounts
from varloom.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from engine_runs import RunningWorker
    from psycopg_pool import AsyncConnectionPool

HERE = Path(__file__).resolve().parent
READY = re.compile(r"^Varloom is ready at (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """A running `varloom serve --no-worker`."""

    url: str
    token: str
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time of the server process so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Bytes of memory (resident) of the server process."""
        return int(psutil.Process(self.pid).memory_info().rss)


@dataclass(frozen=True, slots=True)
class Liveness:
    """What many open panels saw and cost.

    Attributes:
        delays: milliseconds from the commit of a change to its arrival, for each panel and change.
        lost: how many arrivals are missing.
        cpu: share of a core that the server process took.
        messages: state changes that were sent, a second, over all panels.
        kib: memory that each panel took in the server, in KiB.
    """

    delays: list[float]
    lost: int
    cpu: float
    messages: float
    kib: float


@contextlib.contextmanager
def server(conninfo: str, data: Path) -> Iterator[Server]:
    """A server on this database for as long as the block lasts; all of one database have one storage, beside `data`."""
    log = data.with_suffix(".log")
    storage = data.parent / "files"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*VARLOOM, "serve", "--data", str(data), "--storage", str(storage), "--port", "0", "--no-worker"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**plain_environment(), "VARLOOM_DATABASE_URL": conninfo},
        )
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while (ready := READY.search(log.read_text(errors="replace"))) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise EngineFailedError(f"the server did not start: {log.read_text(errors='replace')[-800:]}")
            time.sleep(0.05)
        yield Server(ready[1], json.loads((data / "server.json").read_text())["token"], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@dataclass(frozen=True, slots=True)
class Load:
    """How many panels watch which stream, and what happens meanwhile.

    Attributes:
        path: of the stream.
        panels: dealt out to the accounts in turn.
        accounts: how many.
        rate: state changes a second, of all accounts together.
        seconds: for how long.
    """

    path: str
    panels: int
    accounts: int
    rate: float
    seconds: float


def measure_liveness(conninfo: str, at: Server, load: Load) -> Liveness:
    """Open the panels, commit state changes, and see when they arrive."""
    return asyncio.run(_measure_liveness(conninfo, at, load))


async def _measure_liveness(conninfo: str, at: Server, load: Load) -> Liveness:
    async with open_pool(conninfo, max_size=4) as pool:
        service = Accounts(pool, Settings())
        async with pool.connection() as conn:
            ids = [await account_of(conn, f"{at.pid}-{number}") for number in range(load.accounts)]
        tokens = [await service.create_token(account_id, "bench") for account_id in ids]
        await asyncio.sleep(1)
        memory = at.memory()
        viewers = await asyncio.create_subprocess_exec(
            *(sys.executable, str(HERE / "event_panels.py"), at.url, load.path, str(load.panels), *tokens),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 28,
        )
        if viewers.stdin is None or viewers.stdout is None:
            raise AssertionError("it was started with pipes")
        if await viewers.stdout.readline() != b"open\n":
            raise EngineFailedError("the panels could not be opened")
        await asyncio.sleep(1)
        kib = (at.memory() - memory) / load.panels / 1024
        cpu, began = at.cpu_seconds(), time.monotonic()
        committed = await _change(pool, ids, load)
        passed = time.monotonic() - began
        cpu = at.cpu_seconds() - cpu
        await asyncio.sleep(1)
        viewers.stdin.close()
        told = json.loads(await viewers.stdout.readline())
        await viewers.wait()
    delays = [(when - committed[name]) * 1000 for name, when in told]
    expected = len(committed) * load.panels // load.accounts
    return Liveness(delays, expected - len(delays), cpu / passed, 2 * len(delays) / passed, kib)


async def _change(pool: AsyncConnectionPool, ids: list[UUID], load: Load) -> dict[str, float]:
    """Create a job, and cancel it with the next change; when each creation was committed, by its sample name."""
    committed: dict[str, float] = {}
    began = time.monotonic()
    for number in range(int(load.rate * load.seconds / 2)):
        account_id = ids[number % len(ids)]
        async with pool.connection() as conn:
            job = await create(conn, account_id, f"bench-{os.getpid()}{time.monotonic_ns()}-", (Stage.PARSE,))
        committed[job.sample_name] = time.time()
        await asyncio.sleep(max(0.0, began + (2 * number + 1) / load.rate - time.monotonic()))
        async with pool.connection() as conn:
            await repository.request_cancel(conn, account_id, job.id)
        await asyncio.sleep(max(0.0, began + (2 * number + 2) / load.rate - time.monotonic()))
    return committed


def measure_page(conninfo: str, at: Server, times: int) -> list[float]:
    """Milliseconds that the first page takes over one kept connection, each time."""
    token = asyncio.run(_token_of(conninfo))
    place = urlsplit(at.url)
    connection = http.client.HTTPConnection(place.netloc)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", "/api/v1/jobs?limit=100", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise EngineFailedError(f"the first page was answered with {answer.status}")
    connection.close()
    return taken


async def _token_of(conninfo: str) -> str:
    """A token of the account whose jobs they are."""
    async with open_pool(conninfo) as pool:
        async with pool.connection() as conn:
            account_id = await account_of(conn)
        return await Accounts(pool, Settings()).create_token(account_id, "bench")


def measure_uploads(at: Server, worker: RunningWorker, count: int, pause: float) -> list[float]:
    """Milliseconds from the answer to an upload to the start of its stage; negative when it started first."""
    time.sleep(worker.engine.settle)
    connection = http.client.HTTPConnection(urlsplit(at.url).netloc)
    accepted = {}
    for number in range(count):
        name = f"http-{number}"
        content = (
            f'--cut\r\nContent-Disposition: form-data; name="sample_name"\r\n\r\n{name}\r\n'
            '--cut\r\nContent-Disposition: form-data; name="file"; filename="a.vcf"\r\n\r\n'
            "##fileformat=VCFv4.2\r\n--cut--\r\n"
        )
        connection.request(
            "POST",
            "/api/v1/jobs",
            body=content.encode(),
            headers={"Authorization": f"Bearer {at.token}", "Content-Type": "multipart/form-data; boundary=cut"},
        )
        answer = connection.getresponse()
        answer.read()
        accepted[name] = time.time()
        if answer.status != 202:
            raise EngineFailedError(f"an upload was answered with {answer.status}")
        time.sleep(pause)
    connection.close()
    begun = dict(worker.await_beginnings(count))
    return [(begun[name] - at_) * 1000 for name, at_ in accepted.items()]


def measure_claim(conninfo: str, times: int = 60) -> float:
    """The median milliseconds of a claim and its settlement's undoing, with 200 jobs that wait."""
    return asyncio.run(_measure_claim(conninfo, times))


async def _measure_claim(conninfo: str, times: int) -> float:
    taken = []
    async with open_pool(conninfo) as pool, pool.connection() as conn:
        account_id = await account_of(conn)
        for number in range(200):
            await create(conn, account_id, f"claim-{number}", (Stage.PARSE,))
        worker_id = uuid4()
        await repository.register_worker(conn, worker_id, host="bench", pid=1, version="0", slots={Stage.PARSE: 1})
        for _ in range(times):
            began = time.perf_counter()
            claim = await repository.claim(conn, Stage.PARSE, worker_id)
            taken.append((time.perf_counter() - began) * 1000)
            if claim is None:
                raise AssertionError("jobs wait")
        await conn.rollback()
    return statistics.median(taken)


def add_finished_jobs(conninfo: str, count: int) -> None:
    """Completed jobs of the account with their three events each, as if they had been made one after the other."""
    with psycopg.connect(conninfo) as conn:
        conn.execute("SET session_replication_role = replica")  # their events are written below
        conn.execute(_FINISHED, {"count": count, "account": ACCOUNT})
        conn.commit()
        conn.autocommit = True
        conn.execute("VACUUM ANALYZE jobs, job_events, uploads, samples")


_FINISHED = """
WITH account AS (
    SELECT id FROM accounts WHERE name = %(account)s
), numbers AS (
    SELECT n, gen_random_uuid() AS upload_id, gen_random_uuid() AS job_id, gen_random_uuid() AS sample_id,
           now() - make_interval(secs => %(count)s - n) AS at
    FROM generate_series(1, %(count)s) AS n
), new_uploads AS (
    INSERT INTO uploads (id, account_id, kind, name, bytes, created_at)
    SELECT upload_id, account.id, 'file', 'sample.vcf.gz', 1000, at FROM numbers, account
), new_samples AS (
    INSERT INTO samples (id, account_id, name, created_at)
    SELECT sample_id, account.id, 'Sample ' || n, at FROM numbers, account
), new_jobs AS (
    INSERT INTO jobs (id, account_id, upload_id, sample_name, plan, state, stage, message, records, variants, sample_id,
                      created_at, started_at, finished_at)
    SELECT job_id, account.id, upload_id, 'Sample ' || n, '{parse}', 'completed', NULL, 'Completed with 10 records.',
           10, 10, sample_id, at, at, at
    FROM numbers, account
    RETURNING *
), counted AS (
    UPDATE accounts SET last_event_id = last_event_id + 3 * %(count)s FROM account WHERE accounts.id = account.id
    RETURNING last_event_id - 3 * %(count)s AS before
)
INSERT INTO job_events (account_id, id, job_id, state, stage, attempt, message, job)
SELECT account_id, before + row_number() OVER (ORDER BY created_at, step), new_jobs.id, step_state, 'parse', 1, message,
       to_jsonb(new_jobs)
FROM new_jobs, counted, (VALUES (1, 'queued'), (2, 'parsing'), (3, 'completed')) AS steps (step, step_state)
"""
