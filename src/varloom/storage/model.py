"""What a storage is: immutable objects and folders under keys that Varloom makes up itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_LONGEST_KEY = 1000

BytesDone = Callable[[int, int | None], None]
"""Told the bytes done and, where it is known, of how many."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was written: its size, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StorageAccess:
    """All that another process needs to open the same storage. `options` hold credentials and are never shown."""

    url: str
    options: dict[str, str] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, for a pipe that nobody else reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The access from plain JSON values."""
        return cls(**values)


class Storage(Protocol):
    """Where uploads, artefacts and datasets are kept.

    Keys are relative POSIX paths of safe characters, such as `uploads/<id>/source`; no text of a user is ever part of
    one, and any other key is a ValueError. What lies under a key is written once and never changed. A folder is what
    its objects have in common: there is none without an object.
    All methods but `write_stream` block: a coroutine calls them by `asyncio.to_thread`.

    Every method may raise a VarloomError: `storage_unusable`, or for an object store `storage_unreachable`,
    `storage_credentials`, `storage_forbidden` or `storage_missing`.
    """

    @property
    def access(self) -> StorageAccess:
        """How another process opens it, by `connect`."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object or folder is, or will be, on this machine; None where it has to be fetched and stored."""
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
            reserve: bytes of disk space that must stay free; an object store has no such bound.
            expected: the length as the sender tells it, if it does: what cannot fit is refused before it is sent.

        Raises:
            VarloomError: `upload_too_large` or `storage_full` too. After these, as after any error of `chunks` and
                after cancellation, nothing is left behind.
        """
        ...

    def gathering_place(self) -> Path | None:
        """A folder of this machine whose files `adopt` takes without copying; None for an object store."""
        ...

    async def adopt(self, key: str, path: Path) -> None:
        """Store a durable file of this machine as one object, whole and durable, or not at all.

        A file of the gathering place is moved; any other stays. Nothing happens if there is such an object: an earlier
        try may have been cut off after it had stored the file.
        """
        ...

    def write_bytes(self, key: str, content: bytes) -> None:
        """Store a few bytes as one object, whole and durable; FileExistsError if there is one."""
        ...

    def read_bytes(self, key: str) -> bytes:
        """A small object; FileNotFoundError if there is none. It waits for a silent object store a short time only."""
        ...

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes of an object from `start` on and before `end`; FileNotFoundError if there is none."""
        ...

    def fetch(self, key: str, target: Path, on_bytes: BytesDone | None = None) -> StoredObject:
        """Write the object to a new file of this machine, in bounded memory; FileNotFoundError if there is none."""
        ...

    def store_folder(self, key: str, folder: Path, *, last: str, on_bytes: BytesDone | None = None) -> None:
        """Store all files of a local folder and its folders under the key; those with the name `last` after the others.

        So whoever finds a file of that name finds the others, too.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object or folder."""
        ...

    def size(self, key: str) -> int:
        """The bytes of an object, or of all objects in a folder; FileNotFoundError if there is none."""
        ...

    def changed_at(self, key: str) -> float:
        """When an object or folder was last changed, in seconds since 1970; FileNotFoundError if there is none."""
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


def files_to_store(folder: Path, last: str) -> list[tuple[str, Path]]:
    """The files of a folder with their names in it; those with the name `last` after the others."""
    found = [(path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda item: (item[1].name == last, item[0]))
