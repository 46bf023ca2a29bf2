"""What tests of the HTTP API share: a small VCF, people with accounts, and event streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from varloom.client.events import StreamEvent
from varloom.dataset import load_file, written_directories
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage
from varloom.jobs.outcome import Failed, Succeeded
from varloom.pipeline.backend import PipelineBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import MakeAccount
    from varloom.services.accounts import Account
    from varloom.services.container import Services

VCF = b"""##fileformat=VCFv4.2
##contig=<ID=chr1>
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr1\t100\trs1\tA\tG\t50\tPASS\tDP=10
chr1\t200\t.\tC\tT,G\t12.5\tPASS\tDP=20
chr1\t300\t.\tG\tA\t.\tPASS\t.
"""


FAILURE = {
    "code": "vcf_header",
    "title": "Malformed VCF header",
    "message": "The #CHROM line is missing.",
    "stage": "parse",
    "line": 3,
    "column": None,
    "field": None,
    "excerpt": "chr1\u21e5100",
    "url": None,
    "resolution": ["Add the line."],
    "retryable": False,
    "problems": [],
}


class HandWorker:
    """Does by hand what a worker does, a step at a time."""

    def __init__(self, pool, storage):
        self.pool = pool
        self.storage = storage
        self.id = uuid.uuid4()

    async def start(self):
        async with self.pool.connection() as conn:
            await repository.register_worker(conn, self.id, host="test", pid=1, version="0", slots={Stage.PARSE: 1})
        return self

    async def claim(self):
        async with self.pool.connection() as conn:
            claim = await repository.claim(conn, Stage.PARSE, self.id)
        assert claim is not None
        return claim

    async def progress(self, claim, done):
        progress = {"done": done, "total": 100, "unit": "bytes", "rate": 5.0, "eta_seconds": 1.0}
        async with self.pool.connection() as conn:
            await repository.write_progress(conn, claim, progress)
            payload = json.dumps({"account": str(claim.job.account_id), "job": str(claim.job.id)})
            await conn.execute("SELECT pg_notify('varloom_progress', %s)", [payload])

    async def complete(self, claim):
        """Read the file and publish its tables, as the parse stage does."""
        options = claim.job.options
        key = f"attempts/{claim.job.id}/{claim.token}/dataset"
        made = self.storage.path(key)
        manifests = load_file(
            self.storage.path(claim.job.source_key),
            made,
            name=claim.job.source_name,
            assembly=options["assembly"],
            split_by_sample=options["split_by_sample"],
        )
        folders = [f"{key}{folder.name.removeprefix(made.name)}" for folder in written_directories(made, manifests)]
        result = {"folders": folders}
        async with self.pool.connection() as conn:
            published = await PipelineBackend(self.storage).publish(conn, claim.job, result)
            job = await repository.settle_complete(
                conn,
                claim,
                Succeeded(result),
                sample_id=published.sample_id,
                records=published.records,
                variants=published.variants,
            )
        assert job is not None
        return str(job.sample_id)

    async def fail(self, claim, log=""):
        async with self.pool.connection() as conn:
            assert await repository.hold(conn, claim, log)
            assert await repository.settle_fail(conn, claim, Failed(FAILURE))

    async def put_off(self, claim, delay):
        """The attempt fails, and the next one is due so many seconds from now."""
        async with self.pool.connection() as conn:
            assert await repository.settle_retry(conn, claim, Failed(FAILURE), delay=delay)


@dataclass
class Person:
    """Somebody with an account, a token, and a client that sends it."""

    account: Account
    token: str
    client: httpx.AsyncClient

    async def upload(self, content: bytes = VCF, name: str = "sample.vcf", **fields: str) -> dict[str, Any]:
        """Upload a file; the job."""
        answer = await self.client.post("/api/v1/jobs", files={"file": (name, content)}, data=fields)
        assert answer.status_code == 202, answer.text
        return answer.json()


@dataclass
class Api:
    """A running server."""

    url: str
    services: Services
    make_account: MakeAccount
    _stack: contextlib.AsyncExitStack

    async def person(self) -> Person:
        """A new account with a token."""
        account = await self.make_account()
        token = await self.services.accounts.create_token(account.id, "test")
        return Person(account, token, await self.client(headers={"Authorization": f"Bearer {token}"}))

    async def client(self, **options: Any) -> httpx.AsyncClient:
        """A client without credentials, unless the options give some."""
        client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20, **options)
        return await self._stack.enter_async_context(client)


class EventStream:
    """Server-Sent Events of a response, one at a time."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, timeout: float = 10) -> StreamEvent | None:
        """The next event; None at the end of the stream."""
        name, data, event_id = "message", [], None
        async with asyncio.timeout(timeout):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                match field:
                    case "event":
                        name = value
                    case "data":
                        data.append(value)
                    case "id":
                        event_id = value
                    case "" if data:
                        return StreamEvent(name, "\n".join(data), event_id)
        return None

    async def until(self, name: str) -> list[StreamEvent]:
        """All events up to the first of this name, itself included."""
        events = []
        while True:
            event = await self.next()
            assert event is not None, f"the stream ended before a {name} event"
            events.append(event)
            if event.name == name:
                return events

    async def job_with_id(self) -> tuple[int, dict[str, Any]]:
        """The next entry of the history: its number and the job."""
        while True:
            event = await self.next()
            assert event is not None, "the stream ended"
            if event.name == "job" and event.id is not None:
                return int(event.id), json.loads(event.data)


@contextlib.asynccontextmanager
async def event_stream(client: httpx.AsyncClient, last_event_id: int | None = None) -> AsyncIterator[EventStream]:
    """The live events of a client's account."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    async with client.stream("GET", "/api/v1/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventStream(response)
