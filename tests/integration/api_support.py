"""What tests of the HTTP API share: a small VCF, people with accounts, and event streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from varloom.cli.following import StreamEvent

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
chr1\t200\t.\tC\tT,G\t12.5\tq10\tDP=20
chr1\t300\t.\tG\tA\t.\tPASS\t.
"""


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
