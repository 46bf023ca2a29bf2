"""The frozen records of a transfer: what it is allowed, which version of a file it fetches, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """What the operator allows; sizes in bytes. It crosses a pipe as JSON.

    Attributes:
        allowed_endpoints: hosts and networks that are not public and may be reached, as the setting has them.
        cloud_endpoints: where `s3`, `gs` and `az` lead, if not to the public clouds.
        egress_proxy: through which everything goes; it may hold a password.
        bytes_per_second: the most that one download may take of the line.
        most_bytes: the largest file.
        room: how much the account may still store.
        reserve: what must stay free on the disk.
        silence: seconds without a byte after which a request counts as lost.
    """

    allowed_endpoints: tuple[str, ...] = ()
    cloud_endpoints: dict[str, str] = field(default_factory=dict)
    egress_proxy: str | None = field(default=None, repr=False)
    bytes_per_second: int | None = None
    most_bytes: int | None = None
    room: int | None = None
    reserve: int = 0
    silence: float = 60.0

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, for a pipe that nobody else reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The options from plain JSON values."""
        return cls(**{**values, "allowed_endpoints": tuple(values["allowed_endpoints"])})


@dataclass(frozen=True, slots=True)
class Version:
    """Which bytes a URL stands for at a moment.

    Attributes:
        size: how many bytes; None where the source does not tell.
        etag: as the source writes it, quotes included.
        generation: of a Google object.
        modified: the Last-Modified header.
    """

    size: int | None
    etag: str | None = None
    generation: str | None = None
    modified: str | None = None

    @property
    def is_certain(self) -> bool:
        """Whether another answer can be held against it: only then is anything put together from several."""
        return self.size is not None and bool(self.generation or self.strong_etag or self.modified)

    @property
    def strong_etag(self) -> str | None:
        """The ETag, if it stands for exactly these bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else None

    def is_same(self, other: Version) -> bool:
        """Whether both stand for the same bytes, as far as the source lets us know."""
        if self.size != other.size:
            return False
        if self.generation or other.generation:
            return self.generation == other.generation
        if self.etag or other.etag:
            return self.etag == other.etag
        return self.modified == other.modified

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The version from plain JSON values."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum that the source tells; the value in hexadecimal."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that has arrived whole.

    Attributes:
        bytes: its size.
        sha256: in hexadecimal.
        version: which bytes they are.
        verified: the checksums of the source that it was held against, which agreed.
        resumed: how many of the bytes were there from an earlier attempt.
        name: what the source calls it, if it does.
    """

    bytes: int
    sha256: str
    version: Version
    verified: tuple[Checksum, ...]
    resumed: int
    name: str | None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
