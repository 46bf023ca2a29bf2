"""Event streams end: with their chunks, when the reader goes away, and when it takes nothing in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from varloom.web import streams
from varloom.web.streams import EventStream, encoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SCOPE = {"type": "http", "method": "GET", "path": "/"}


class Reader:
    """The other end of a stream, which reads the given number of pieces and then no more."""

    def __init__(self, reads: int = 1_000_000) -> None:
        self.reads = reads
        self.got: list[bytes] = []
        self.is_complete = False
        self.gone = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            return
        if len(self.got) >= self.reads:
            await asyncio.Event().wait()
        self.got.append(message["body"])
        self.is_complete = not message["more_body"]

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Source:
    """Chunks without end, that say when they were closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
                await asyncio.sleep(0)
        finally:
            self.is_closed = True


async def serve(stream: EventStream, reader: Reader) -> None:
    async with asyncio.timeout(30):
        await stream(SCOPE, reader.receive, reader.send)
    assert len(asyncio.all_tasks()) == 1, "nothing is left to look after"


async def test_a_reader_that_takes_nothing_in_is_given_up(monkeypatch):
    monkeypatch.setattr(streams, "SEND_TIMEOUT", 0.05)
    source, reader = Source(), Reader(reads=3)
    await serve(EventStream(source.chunks(), lambda: None), reader)
    assert len(reader.got) == 3
    assert source.is_closed
    assert not reader.is_complete, "what was broken off must not look complete"


async def test_a_reader_that_reads_is_not_given_up(monkeypatch):
    monkeypatch.setattr(streams, "SEND_TIMEOUT", 0.05)
    source, reader = Source(), Reader()
    serving = asyncio.create_task(EventStream(source.chunks(), lambda: None)(SCOPE, reader.receive, reader.send))
    await asyncio.sleep(0.3)
    assert not serving.done()
    reader.gone.set()
    await serving
    assert source.is_closed


async def test_a_stream_is_complete_when_its_chunks_end():
    async def chunks() -> AsyncGenerator[bytes]:
        yield encoded("1", event="count", event_id=7)
        yield encoded("two\nlines", event="text")

    reader = Reader()
    await serve(EventStream(chunks(), lambda: None), reader)
    assert reader.got == [b"event: count\ndata: 1\nid: 7\n\n", b"event: text\ndata: two\ndata: lines\n\n", b""]
    assert reader.is_complete


async def test_an_error_of_the_chunks_is_the_streams():
    async def chunks() -> AsyncGenerator[bytes]:
        yield b": first\n\n"
        raise RuntimeError("lost")

    reader = Reader()
    with pytest.raises(RuntimeError, match="lost"):
        await serve(EventStream(chunks(), lambda: None), reader)
    assert not reader.is_complete


async def test_signs_of_life_are_asked_for(monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT", 0.02)
    beats = asyncio.Queue[None]()

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(2):
            await beats.get()
            yield b": beat\n\n"

    reader = Reader()
    await serve(EventStream(chunks(), lambda: beats.put_nowait(None)), reader)
    assert reader.got == [b": beat\n\n"] * 2 + [b""]
