"""A file on its way to a server over several requests: after a broken connection it goes on where the server is."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from varloom.cli.output import is_terminal
from varloom.cli.problems import RESPONSE_UNEXPECTED, SOURCE_CHANGED
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
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from varloom.cli.connection import Server
    from varloom.cli.live_view import TransferBar


class ResumableUpload:
    """Sends one file of a known size; use it once.

    Args:
        server: where to.
        file: the open file, whose `name` is its path.
        name: what it is called.
        size: its bytes.
        bar: shows how far it is.
        key: the Idempotency-Key, which makes sure that it becomes one job.
    """

    def __init__(self, server: Server, file: BinaryIO, name: str, size: int, bar: TransferBar, *, key: str) -> None:
        self._server = server
        self._sent = SentFile(file, name, size, Path(file.name))
        self._name = name
        self._size = size
        self._bar = bar
        self._key = key
        self._offset = 0

    def send(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Send the file; the job that it became. Raises as `send_bytes` does."""
        return self._job(self.send_bytes(fields))

    def send_bytes(self, fields: Mapping[str, str]) -> str:
        """Send the file, of which a job may be made only when others are there, too; where the upload is.

        Raises:
            VarloomError: `source_unreadable`, `source_changed`, `server_unreachable` when it stays away for too long,
                and whatever the server refuses, which may be the file itself by its beginning.
        """
        path = self._begin(fields)
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        must_ask = False
        while self._offset < self._size:
            before = self._offset
            try:
                if must_ask:
                    self._go_to(self._server.exchange("HEAD", path, headers=TUS))
                    must_ask = False
                else:
                    self._send_portion(path)
            except VarloomError as error:
                if error.kind is SOURCE_CHANGED:
                    self._discard(path)
                if not self._may_pass(error) or time.monotonic() > deadline:
                    raise
                self._tell(pause)
                time.sleep(pause)
                must_ask, pause = True, min(2 * pause, LONGEST_PAUSE)
            if self._offset > before:
                deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        return path

    def _begin(self, fields: Mapping[str, str]) -> str:
        try:
            headers = creation_headers(self._name, self._size, fields, self._key)
        except UnicodeEncodeError:
            raise click.UsageError("An argument or a name is not UTF-8 text.") from None
        response = self._server.exchange("POST", "/uploads", headers=headers)
        return upload_path(response.headers.get("Location"))

    def _send_portion(self, path: str) -> None:
        size = min(PORTION, self._size - self._offset)
        headers = portion_headers(self._offset, size)
        self._go_to(self._server.exchange("PATCH", path, content=self._portion(size), headers=headers))

    def _portion(self, size: int) -> Iterator[bytes]:
        """The next bytes of the file."""
        at, end = self._offset, self._offset + size
        while at < end:
            chunk = self._sent.read(at, end - at)
            at += len(chunk)
            yield chunk
            self._bar.advance(len(chunk))

    def _discard(self, path: str) -> None:
        """Let the server forget what came; should it not hear of it, that expires by itself."""
        with contextlib.suppress(VarloomError):
            self._server.exchange("DELETE", path, headers=TUS)

    def _go_to(self, response: httpx.Response) -> None:
        """Be where the server is."""
        self._offset = told_offset(response.headers.get("Upload-Offset"), self._size)
        self._bar.reach(self._offset, self._size)

    def _job(self, path: str) -> dict[str, Any]:
        """What the upload became, which may take a while where the file goes on to an object store."""
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            try:
                job: dict[str, Any] | None = self._server.get(path)["job"]
                if job is not None:
                    return job
                self._server.exchange("HEAD", path, headers=TUS)  # has it created, should that have been cut off
            except VarloomError as error:
                if not self._may_pass(error) or time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise VarloomError(RESPONSE_UNEXPECTED, "The file has arrived, but the server made no job of it.")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _may_pass(self, error: VarloomError) -> bool:
        """Whether the same may succeed in a while. A server that was started anew has a new token for its commands."""
        is_elsewhere = self._server.find_again()
        if error.code == "not_authenticated":
            return is_elsewhere
        return may_pass(error)

    def _tell(self, pause: float) -> None:
        if is_terminal():
            click.echo(f"{self._name}: the connection broke; trying again in {pause:g} s.", err=True)
