"""A file on its way to a server over several requests: after a broken connection it goes on where the server is."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from varloom.cli.output import is_terminal
from varloom.cli.problems import RESPONSE_UNEXPECTED, SERVER_UNREACHABLE, SOURCE_CHANGED, SOURCE_UNREADABLE
from varloom.cli.upload_body import CHUNK
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from varloom.cli.connection import Server
    from varloom.cli.live_view import TransferBar

PORTION = 32 * CHUNK
"""Bytes of one request. What the server has of one that broke off is not sent again."""
PATIENCE = 300.0
"""Seconds without any progress after which it is given up; what has arrived stays on the server."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0

_TUS = {"Tus-Resumable": "1.0.0"}
_BYTES = {**_TUS, "Content-Type": "application/offset+octet-stream"}
_PASSING = frozenset({SERVER_UNREACHABLE.code, "upload_offset_wrong", "upload_locked", "upload_interrupted"})
_SERVER_ERROR, _FULL = 500, 507


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
        self._file = file
        self._name = name
        self._size = size
        self._bar = bar
        self._key = key
        self._offset = 0
        self._before = _standing(os.fstat(file.fileno()))

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
                    self._go_to(self._server.exchange("HEAD", path, headers=_TUS))
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
            given = {"filename": self._name.encode("utf-8", "replace"), **_encoded(fields)}
        except UnicodeEncodeError:
            raise click.UsageError("An argument or a name is not UTF-8 text.") from None
        pairs = [f"{name} {base64.b64encode(value).decode()}" for name, value in given.items()]
        headers = {
            **_TUS,
            "Upload-Length": str(self._size),
            "Upload-Metadata": ",".join(pairs),
            "Idempotency-Key": self._key,
        }
        response = self._server.exchange("POST", "/uploads", headers=headers)
        return f"/uploads/{response.headers.get('Location', '').rpartition('/')[2]}"

    def _send_portion(self, path: str) -> None:
        headers = {**_BYTES, "Upload-Offset": str(self._offset)}
        size = min(PORTION, self._size - self._offset)
        headers["Content-Length"] = str(size)
        self._go_to(self._server.exchange("PATCH", path, content=self._portion(size), headers=headers))

    def _portion(self, size: int) -> Iterator[bytes]:
        """The next bytes of the file; the last ones only if it is still what it was when the first were read."""
        try:
            end = self._offset + size
            self._file.seek(self._offset)
            while size:
                chunk = self._file.read(min(CHUNK, size))
                if not chunk:
                    raise VarloomError(SOURCE_CHANGED, f"{self._name}: it became shorter while it was sent.")
                size -= len(chunk)
                if not size and end == self._size and not self._is_as_before():
                    raise VarloomError(SOURCE_CHANGED, f"{self._name}: it was changed while it was sent.")
                yield chunk
                self._bar.advance(len(chunk))
        except OSError as error:
            raise VarloomError(SOURCE_UNREADABLE, f"{self._name}: {error.strerror}.") from None

    def _is_as_before(self) -> bool:
        """Whether nobody has written to the file, replaced or removed it since it was opened."""
        try:
            return _standing(Path(self._file.name).stat()) == self._before
        except FileNotFoundError:
            return False

    def _discard(self, path: str) -> None:
        """Let the server forget what came; should it not hear of it, that expires by itself."""
        with contextlib.suppress(VarloomError):
            self._server.exchange("DELETE", path, headers=_TUS)

    def _go_to(self, response: httpx.Response) -> None:
        """Be where the server is."""
        offset = response.headers.get("Upload-Offset", "")
        if not offset.isdigit() or int(offset) > self._size:
            raise VarloomError(RESPONSE_UNEXPECTED, "The server does not say how much of the file it has.")
        self._offset = int(offset)
        self._bar.reach(self._offset, self._size)

    def _job(self, path: str) -> dict[str, Any]:
        """What the upload became, which may take a while where the file goes on to an object store."""
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            try:
                job: dict[str, Any] | None = self._server.get(path)["job"]
                if job is not None:
                    return job
                self._server.exchange("HEAD", path, headers=_TUS)  # has it created, should that have been cut off
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
        status = error.kind.status
        if error.code == "not_authenticated":
            return is_elsewhere
        return error.code in _PASSING or (status >= _SERVER_ERROR and status != _FULL)

    def _tell(self, pause: float) -> None:
        if is_terminal():
            click.echo(f"{self._name}: the connection broke; trying again in {pause:g} s.", err=True)


def _standing(told: os.stat_result) -> tuple[int, ...]:
    """What changes with a file's content, even where its length does not."""
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


def _encoded(fields: Mapping[str, str]) -> dict[str, bytes]:
    return {name: value.encode() for name, value in fields.items()}
