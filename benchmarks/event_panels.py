"""Opens panels on a running server and notes when each is told of each new job.

    python event_panels.py URL PATH CONNECTIONS TOKEN...

The panels are dealt out to the tokens in turn. Prints `open` when all have their snapshot; ends when its input does,
and then prints a JSON list of [sample name, seconds since the epoch], one for each panel that was told of it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from urllib.parse import urlsplit

import uvloop

TOLD = re.compile(rb"bench-\d+-")
AT_ONCE = 50
"""How many connections are being opened at the same moment."""


class Panel(asyncio.Protocol):
    """One open stream."""

    def __init__(self, path: str, host: str, token: str, told: list[tuple[str, float]]) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        ).encode()
        self._told = told
        self._seen: set[bytes] = set()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Note what is told for the first time."""
        at = time.time()
        text = self._rest + data
        if not self.ready.done():
            if b"event: snapshot" in text:
                self.ready.set_result(None)
            self._rest = text[-40:]
            return
        for name in TOLD.findall(text):
            if name not in self._seen:
                self._seen.add(name)
                self._told.append((name.decode(), at))
        self._rest = text[-40:]

    def connection_lost(self, error: Exception | None) -> None:
        """A stream that ends early is a failure."""
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionResetError("the stream ended before its snapshot"))


async def main(url: str, path: str, connections: int, tokens: list[str]) -> None:
    """Open the panels, wait for the end of the input, tell what was seen."""
    place = urlsplit(url)
    told: list[tuple[str, float]] = []
    gate = asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()

    async def open_one(number: int) -> None:
        async with gate:
            _, panel = await loop.create_connection(
                lambda: Panel(path, place.netloc, tokens[number % len(tokens)], told), place.hostname, place.port
            )
            await panel.ready

    await asyncio.gather(*(open_one(number) for number in range(connections)))
    print("open", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
