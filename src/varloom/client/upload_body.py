"""The body of an upload: a multipart form whose file is read as it is sent, from a path or from the standard input."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, BinaryIO

from varloom.client.problems import SOURCE_UNREADABLE
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CHUNK = 1024 * 1024


class UploadBody:
    """A multipart form of text fields and one file; iterate it once, in chunks of at most a mebibyte or so."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        fields: Mapping[str, str],
        on_sent: Callable[[int], None] | None = None,
    ) -> None:
        self._boundary = f"varloom-{secrets.token_hex(16)}"
        self._file = file
        self._name = name
        self._fields = fields
        self._on_sent = on_sent

    @property
    def content_type(self) -> str:
        """The header that goes with the body."""
        return f"multipart/form-data; boundary={self._boundary}"

    def __iter__(self) -> Iterator[bytes]:
        for name, value in self._fields.items():
            yield self._part(name) + value.encode() + b"\r\n"
        yield self._part("file", self._name)
        while chunk := self._read():
            yield chunk
            if self._on_sent is not None:
                self._on_sent(len(chunk))
        yield f"\r\n--{self._boundary}--\r\n".encode()

    def _read(self) -> bytes:
        try:
            return self._file.read(CHUNK)
        except OSError as error:
            raise VarloomError(SOURCE_UNREADABLE, f"{self._name}: {error.strerror}.") from None

    def _part(self, name: str, file_name: str | None = None) -> bytes:
        disposition = f'form-data; name="{name}"'
        kind = ""
        if file_name is not None:
            disposition += f'; filename="{_quoted(file_name)}"'
            kind = "Content-Type: application/octet-stream\r\n"
        head = f"--{self._boundary}\r\nContent-Disposition: {disposition}\r\n{kind}\r\n"
        return head.encode("utf-8", "replace")


def _quoted(name: str) -> str:
    """A file name inside quotation marks, as browsers write it (WHATWG)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
