"""What tus 1.0 wants of a client: its headers, and a file that must not change while it is sent in portions."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from varloom.client.problems import RESPONSE_UNEXPECTED, SERVER_UNREACHABLE, SOURCE_CHANGED, SOURCE_UNREADABLE
from varloom.client.upload_body import CHUNK
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

PORTION = 32 * CHUNK
"""Bytes of one request. What the server has of one that broke off is not sent again."""
PATIENCE = 300.0
"""Seconds without any progress after which it is given up; what has arrived stays on the server."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0

TUS = {"Tus-Resumable": "1.0.0"}

_BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
_PASSING = frozenset({SERVER_UNREACHABLE.code, "upload_offset_wrong", "upload_locked", "upload_interrupted"})
_SERVER_ERROR, _FULL = 500, 507


def creation_headers(name: str, size: int, fields: Mapping[str, str], key: str) -> dict[str, str]:
    """The headers that begin an upload.

    Args:
        name: what the file is called.
        size: its bytes.
        fields: what is asked for beside it.
        key: the Idempotency-Key, which makes sure that it becomes one job.

    Raises:
        UnicodeEncodeError: where a field is not UTF-8 text.
    """
    given = {"filename": name.encode("utf-8", "replace"), **{field: text.encode() for field, text in fields.items()}}
    pairs = [f"{field} {base64.b64encode(value).decode()}" for field, value in given.items()]
    return {**TUS, "Upload-Length": str(size), "Upload-Metadata": ",".join(pairs), "Idempotency-Key": key}


def upload_path(location: str | None) -> str:
    """The path of an upload below the API, by the header Location of its creation."""
    return f"/uploads/{(location or '').rpartition('/')[2]}"


def portion_headers(offset: int, size: int) -> dict[str, str]:
    """The headers of a portion of so many bytes from an offset on."""
    return {**_BYTES, "Upload-Offset": str(offset), "Content-Length": str(size)}


def told_offset(header: str | None, size: int) -> int:
    """How many bytes of so many the server has. Raises `response_unexpected`."""
    offset = header or ""
    if not offset.isascii() or not offset.isdigit() or int(offset) > size:
        raise VarloomError(RESPONSE_UNEXPECTED, "The server does not say how much of the file it has.")
    return int(offset)


def may_pass(error: VarloomError) -> bool:
    """Whether the same request may succeed in a while."""
    status = error.kind.status
    return error.code in _PASSING or (status >= _SERVER_ERROR and status != _FULL)


class SentFile:
    """An open file that is sent, of which no byte may change before the last has gone.

    Args:
        file: the file, which can be read from any place.
        name: what it is called.
        size: its bytes.
        path: where it lies; None: what it is has no name in the file system, such as bytes in memory.
    """

    def __init__(self, file: BinaryIO, name: str, size: int, path: Path | None) -> None:
        self._file = file
        self.name = name
        self.size = size
        self._path = path
        self._before = None if path is None else _standing(os.fstat(file.fileno()))

    def read(self, offset: int, size: int) -> bytes:
        """At most so many bytes from an offset on, at least one; the last only of a file that is still what it was.

        Raises:
            VarloomError: `source_unreadable`, `source_changed`.
        """
        try:
            self._file.seek(offset)
            chunk = self._file.read(min(CHUNK, size))
            if not chunk:
                raise VarloomError(SOURCE_CHANGED, f"{self.name}: it became shorter while it was sent.")
            if offset + len(chunk) == self.size and not self._is_as_before():
                raise VarloomError(SOURCE_CHANGED, f"{self.name}: it was changed while it was sent.")
        except OSError as error:
            raise VarloomError(SOURCE_UNREADABLE, f"{self.name}: {error.strerror}.") from None
        return chunk

    def _is_as_before(self) -> bool:
        """Whether nobody has written to the file, replaced or removed it since it was opened."""
        if self._path is None:
            return True
        try:
            return _standing(self._path.stat()) == self._before
        except FileNotFoundError:
            return False


def _standing(told: os.stat_result) -> tuple[int, ...]:
    """What changes with a file's content, even where its length does not."""
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns
