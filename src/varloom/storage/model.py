"""What a storage is: immutable objects and folders under keys that Varloom makes up itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_LONGEST_KEY = 1000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was written: its size, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class Storage(Protocol):
    """Where uploads, artefacts and datasets are kept.

    Keys are relative POSIX paths of safe characters, such as `uploads/<id>/source`; no text of a user is ever part of
    one, and any other key is a ValueError. What lies under a key is written once and never changed.
    All methods but `write_stream` block: a coroutine calls them by `asyncio.to_thread`.
    """

    def path(self, key: str) -> Path:
        """Where the object or folder is as a local path; it need not exist."""
        ...

    async def write_stream(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        limit: int | None = None,
        reserve: int = 0,
        expected: int | None = None,
    ) -> StoredObject:
        """Store the chunks as one object, which appears whole and durable, or not at all.

        Args:
            key: must not exist yet (FileExistsError).
            chunks: the bytes; it is not closed here.
            limit: the most bytes that are accepted.
            reserve: bytes of disk space that must stay free.
            expected: the length as the sender tells it, if it does: what cannot fit is refused before it is sent.

        Raises:
            VarloomError: `upload_too_large`, `storage_full` or `storage_unusable`. After these, as after any error of
                `chunks` and after cancellation, nothing is left behind.
        """
        ...

    def new_folder(self, key: str) -> Path:
        """Create an empty folder for the caller to fill, with its parents; FileExistsError if there is one."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object or folder."""
        ...

    def size(self, key: str) -> int:
        """The bytes of an object, or of all objects in a folder; FileNotFoundError if there is none."""
        ...

    def delete_tree(self, key: str) -> None:
        """Delete an object or a folder with all its contents; nothing happens if there is none."""
        ...

    def remove_leftovers(self, before: float) -> int:
        """Remove what a killed process left half written or half removed, if it last changed before this moment.

        Args:
            before: seconds since 1970.

        Returns:
            How many things were removed.
        """
        ...

    def list_prefix(self, key: str = "") -> Iterator[str]:
        """The keys of all objects in this folder and its folders, in order; of the whole storage by default."""
        ...


def checked_key(key: str) -> str:
    """The key itself if it is one.

    Raises:
        ValueError: it is empty, absolute, too long, or has a part with a character other than letters and digits of
            ASCII, `.`, `_` and `-`, or one that begins with `.`, `_` or `-`.
    """
    if len(key) > _LONGEST_KEY or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise ValueError(f"not a storage key: {key[:200]!r}")
    return key
