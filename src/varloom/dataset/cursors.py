"""Cursors: where a list goes on, sealed so that only Varloom's own are taken."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import TYPE_CHECKING

from varloom.dataset.problems import CURSOR_INVALID
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEAL_BYTES = 10


def seal_cursor(place: bytes, question: Sequence[str]) -> str:
    """A cursor that holds a place in the answer to a question."""
    return base64.urlsafe_b64encode(_seal(place, question) + place).decode().rstrip("=")


def open_cursor(cursor: str, question: Sequence[str]) -> bytes:
    """The place that a cursor holds.

    Raises:
        VarloomError: `cursor_invalid` when it was altered or belongs to another question.
    """
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    seal, place = content[:_SEAL_BYTES], content[_SEAL_BYTES:]
    if seal != _seal(place, question):
        raise VarloomError(CURSOR_INVALID, "The cursor was altered, or belongs to another list, filter or sort order.")
    return place


def _seal(place: bytes, question: Sequence[str]) -> bytes:
    digest = hashlib.sha256()
    for part in (place, *(text.encode("utf-8", "surrogatepass") for text in question)):
        digest.update(struct.pack(">Q", len(part)) + part)
    return digest.digest()[:_SEAL_BYTES]
