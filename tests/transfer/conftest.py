"""Downloads within the test's own process, from servers on this machine."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.sources import make_authority, web_source

from varloom.transfer import patience
from varloom.transfer.access import Access, Credential
from varloom.transfer.download import Download
from varloom.transfer.model import TransferOptions
from varloom.transfer.source_url import parse_source_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sources import Source

    from varloom.transfer.model import Downloaded


class Fetching:
    """Fetches URLs into one folder, as the attempts of one job do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options: dict[str, Any] = {"silence": 5.0}
        self.reports: list[tuple[int, int | None]] = []

    def __call__(self, url: str, credential: Credential | None = None, **options: Any) -> Downloaded:
        given = TransferOptions(**{**self.options, **options})
        source = parse_source_url(url, given.cloud_endpoints)
        with Download(Access(source, credential), self.folder, given, self._report) as download:
            return download.run()

    def _report(self, done: int, total: int | None) -> None:
        self.reports.append((done, total))

    @property
    def content(self) -> bytes:
        return (self.folder / "part").read_bytes()


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes in which no part is like another."""
    return random.Random(seed).randbytes(size)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is the same, only sooner over."""
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.01)


@pytest.fixture
def source() -> Iterator[Source]:
    with web_source() as opened:
        yield opened


@pytest.fixture
def secure_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    authority = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with web_source(authority.issue("127.0.0.1", "localhost")) as opened:
        yield opened


@pytest.fixture
def fetch(tmp_path: Path, source: Source) -> Fetching:
    made = Fetching(tmp_path / "arriving")
    made.options["allowed_endpoints"] = (source.endpoint,)
    return made
