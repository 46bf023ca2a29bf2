"""Cursors of lists that are newest first: opaque to users, so that what they hold may change."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from uuid import UUID

from varloom.errors import VarloomError
from varloom.services.problems import REQUEST_INVALID

PAGE_LIMIT = 500
"""The most entries of one page."""


def check_limit(limit: int) -> None:
    """See that a page of this size can be asked for.

    Raises:
        VarloomError: `request_invalid`.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise VarloomError(REQUEST_INVALID, f"limit: expected 1 to {PAGE_LIMIT}, not {limit}.")


def checked_search(search: str | None) -> str | None:
    """A part of a name to look for; None when nothing was given.

    Raises:
        VarloomError: `request_invalid` for a NUL character: no name has one, and the database refuses to look for it.
    """
    if search and "\0" in search:
        raise VarloomError(REQUEST_INVALID, "search: contains a NUL character, which no name has.")
    return search or None


def encode_cursor(created_at: datetime, entry_id: UUID) -> str:
    """The cursor of the page that begins after this entry."""
    text = json.dumps([created_at.isoformat(), str(entry_id)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The creation time and id of the last entry of the page before.

    Raises:
        VarloomError: `request_invalid`.
    """
    try:
        at, entry_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(at).astimezone(UTC), UUID(entry_id)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise VarloomError(REQUEST_INVALID, "cursor: not one that this server gave out.") from None
