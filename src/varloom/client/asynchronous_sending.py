"""Sending a source: a file in portions, a stream as it comes, a URL by its name."""
# written by hand

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from varloom.client import async_io
from varloom.client.answers import checked
from varloom.client.asking import is_url, name_of
from varloom.client.problems import RESPONSE_UNEXPECTED, SOURCE_CHANGED, SOURCE_UNREADABLE
from varloom.client.resumable import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PATIENCE,
    PORTION,
    TUS,
    SentFile,
    creation_headers,
    may_pass,
    portion_headers,
    told_offset,
    upload_path,
)
from varloom.client.upload_body import UploadBody
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from varloom.client.asking import Source
    from varloom.client.asynchronous_transport import Transport

    Job = dict[str, Any]


class Sender:
    """Sends what becomes one job; use it once.

    Args:
        transport: where to.
        fields: what is asked for beside the source.
        key: the Idempotency-Key, which makes sure that it becomes one job.
        on_progress: told how many bytes of how many the server has.
    """

    def __init__(
        self,
        transport: Transport,
        fields: Mapping[str, str],
        key: str,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._transport = transport
        self._fields = fields
        self._key = key
        self._on_progress = on_progress

    async def send(self, source: Source, file_name: str | None) -> Job:
        """Send one source; the job."""
        if isinstance(source, str) and is_url(source):
            return await self._name_urls({"source_url": source})
        with _opened(source) as file:
            name = file_name or name_of(source)
            size = _size(file)
            if size:
                path = source if isinstance(source, (str, Path)) else None
                sent = SentFile(file, name, size, None if path is None else Path(path))
                return await self._job(await self._send_portions(sent, self._fields, self._key))
            body = UploadBody(file, name, self._fields)
            headers = {"Content-Type": body.content_type, "Idempotency-Key": self._key}
            answer = await self._transport.exchange("POST", "/jobs", content=_chunks(iter(body)), headers=headers)
            job: Job = checked(answer)
            return job

    async def send_together(self, sources: Sequence[str]) -> Job:
        """Send the files of one sample's reads; the one job."""
        if len(sources) == 1:
            return await self.send(sources[0], None)
        if sources and all(is_url(source) for source in sources):
            return await self._name_urls({"source_urls": list(sources)})
        path = ""
        asked = {**self._fields, "reads": "true", "set": self._key, "files": str(len(sources))}
        for position, source in enumerate(sources, 1):
            with _opened(source) as file:
                if not (size := _size(file)):
                    raise VarloomError(SOURCE_UNREADABLE, f"{source}: it is no file with bytes in it.")
                sent = SentFile(file, Path(source).name, size, Path(source))
                told = {**asked, "position": str(position)}
                path = await self._send_portions(sent, told, f"{self._key}-{position}")
        if not path:
            raise VarloomError(SOURCE_UNREADABLE, "No file was given.")
        return await self._job(path)

    async def _name_urls(self, urls: dict[str, Any]) -> Job:
        headers = {"Idempotency-Key": self._key}
        job: Job = await self._transport.post("/jobs", {**urls, **self._fields}, headers=headers)
        return job

    async def _send_portions(self, sent: SentFile, fields: Mapping[str, str], key: str) -> str:
        """Send a file in portions; where the upload is."""
        headers = creation_headers(sent.name, sent.size, fields, key)
        created = await self._transport.exchange("POST", "/uploads", headers=headers)
        path = upload_path(created.headers.get("Location"))
        patience = _Patience()
        offset, must_ask = 0, False
        while offset < sent.size:
            before = offset
            try:
                if must_ask:
                    answer = await self._transport.exchange("HEAD", path, headers=TUS)
                    must_ask = False
                else:
                    size = min(PORTION, sent.size - offset)
                    headers = portion_headers(offset, size)
                    content = _portion(sent, offset, size)
                    answer = await self._transport.exchange("PATCH", path, content=content, headers=headers)
                offset = told_offset(answer.headers.get("Upload-Offset"), sent.size)
            except VarloomError as error:
                if error.kind is SOURCE_CHANGED:
                    await self._discard(path)
                pause = patience.pause(error)
                must_ask = True
                await async_io.sleep(pause)
            if offset > before:
                patience = _Patience()
                if self._on_progress is not None:
                    self._on_progress(offset, sent.size)
        return path

    async def _job(self, path: str) -> Job:
        """What an upload became, which may take a while where the file goes on to an object store."""
        patience = _Patience()
        while True:
            try:
                job: Job | None = (await self._transport.get(path))["job"]
                if job is not None:
                    return job
                await self._transport.exchange("HEAD", path, headers=TUS)  # creates it, should that have been cut off
                pause = patience.pause(
                    VarloomError(_STILL_NONE, "The file has arrived, but the server made no job of it.")
                )
            except VarloomError as error:
                if error.kind is _STILL_NONE:
                    raise
                pause = patience.pause(error)
            await async_io.sleep(pause)

    async def _discard(self, path: str) -> None:
        """Let the server forget what came; should it not hear of it, that expires by itself."""
        with contextlib.suppress(VarloomError):
            await self._transport.exchange("DELETE", path, headers=TUS)


_STILL_NONE = RESPONSE_UNEXPECTED._replace(status=503)


class _Patience:
    """How long to go on with what does not get on."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + PATIENCE
        self._pause = FIRST_PAUSE

    def pause(self, error: VarloomError) -> float:
        """Seconds to wait before the next try; raises the error where none helps, or there were enough."""
        if not may_pass(error) or time.monotonic() > self._deadline:
            raise error
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return pause


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a source. Raises `source_unreadable`."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, (str, Path)):
        try:
            file = Path(source).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise VarloomError(SOURCE_UNREADABLE, f"{source}: {error.strerror}.") from None
        with file:
            yield file
    else:
        yield source


def _size(file: BinaryIO) -> int | None:
    """The bytes of a file that can be read from any place and stands at its beginning; else None."""
    try:
        if not file.seekable() or file.tell() != 0:
            return None
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    except (OSError, AttributeError):
        return None
    return size


async def _portion(sent: SentFile, offset: int, size: int) -> AsyncIterator[bytes]:
    """So many bytes of a file from an offset on."""
    end = offset + size
    while offset < end:
        chunk = await async_io.in_thread(sent.read, offset, end - offset)
        offset += len(chunk)
        yield chunk


async def _chunks(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The body of a form, read as it is sent."""
    while (chunk := await async_io.in_thread(next, body, None)) is not None:
        yield chunk
