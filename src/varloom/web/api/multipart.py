"""Multipart bodies, read part by part as they arrive: a file of any size passes through in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from varloom.errors import VarloomError
from varloom.services.problems import REQUEST_INVALID, UPLOAD_INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIELD_LIMIT = 1024 * 1024
"""The most bytes of all fields that are not files together."""
PARTS_LIMIT = 100
BOUNDARY_LIMIT = 70
"""RFC 2046, section 5.1.1."""


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a part. `file_name` is None for a plain field."""

    name: str
    file_name: str | None


@dataclass(frozen=True, slots=True)
class _Data:
    """Bytes of the current part."""

    data: bytes


class _End:
    """The end of the current part."""


class _Finished:
    """The closing boundary: the body is complete."""


_Event = Part | _Data | _End | _Finished


class MultipartBody:
    """The parts of one request body, in the order in which the client sent them."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._events: deque[_Event] = deque()
        self._parser = _parser(content_type, self._events)
        self._parts = 0
        self._text_bytes = 0

    async def next_part(self) -> Part | None:
        """The next part, after what is left of the current one was passed over; None at the end of the body."""
        while not isinstance(event := await self._next(), _Finished):
            if isinstance(event, Part):
                self._parts += 1
                if self._parts > PARTS_LIMIT:
                    raise VarloomError(REQUEST_INVALID, f"The form has more than {PARTS_LIMIT} fields.")
                return event
        return None

    async def data(self) -> AsyncIterator[bytes]:
        """The bytes of the current part, as they arrive."""
        while isinstance(event := await self._next(), _Data):
            yield event.data

    async def text(self) -> str:
        """The whole of the current part, which is a plain field, as text."""
        kept = bytearray()
        async for chunk in self.data():
            kept += chunk
            self._text_bytes += len(chunk)
            if self._text_bytes > FIELD_LIMIT:
                raise VarloomError(
                    REQUEST_INVALID, f"The form's fields are longer than {FIELD_LIMIT:,} bytes together."
                )
        try:
            return kept.decode("utf-8")
        except UnicodeDecodeError:
            raise VarloomError(REQUEST_INVALID, "A field of the form is not UTF-8 text.") from None

    async def _next(self) -> _Event:
        while not self._events:
            chunk = await anext(self._body, None)
            if chunk is None:
                raise VarloomError(UPLOAD_INTERRUPTED, "The form ended before its closing boundary.")
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise VarloomError(REQUEST_INVALID, f"The multipart form is malformed: {error}.") from None
        return self._events.popleft()


def _parser(content_type: str, events: deque[_Event]) -> MultipartParser:
    """A push parser that fills the queue with what it finds."""
    kind, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary or len(boundary) > BOUNDARY_LIMIT:
        raise VarloomError(REQUEST_INVALID, "Content-Type: expected multipart/form-data with a boundary.")
    headers: dict[bytes, bytes] = {}
    name, value = bytearray(), bytearray()

    def on_header_end() -> None:
        headers[bytes(name).lower()] = bytes(value).strip(b" \t")
        name.clear()
        value.clear()

    def on_headers_finished() -> None:
        events.append(_part(headers.pop(b"content-disposition", b"")))
        headers.clear()

    return MultipartParser(
        boundary,
        {
            "on_header_field": lambda data, start, end: name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: value.extend(data[start:end]),
            "on_header_end": on_header_end,
            "on_headers_finished": on_headers_finished,
            "on_part_data": lambda data, start, end: events.append(_Data(data[start:end])),
            "on_part_end": lambda: events.append(_End()),
            "on_end": lambda: events.append(_Finished()),
        },
    )


def _part(disposition: bytes) -> Part:
    kind, parameters = parse_options_header(disposition)
    field = parameters.get(b"name")
    if kind != b"form-data" or field is None:
        raise VarloomError(REQUEST_INVALID, "A part of the multipart form has no name.")
    file_name = parameters.get(b"filename")
    return Part(_decoded(field), None if file_name is None else _decoded(file_name))


def _decoded(raw: bytes) -> str:
    """A name as browsers send it: UTF-8, with quotation marks and line breaks percent-encoded (WHATWG)."""
    text = raw.decode("utf-8", "replace")
    return text.replace("%22", '"').replace("%0D", "").replace("%0A", " ")
