"""The storage in a local folder; what holds for every storage is in test_storage_contract.py."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from varloom.errors import VarloomError
from varloom.settings import Settings
from varloom.storage import LocalStorage, Storage, open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEY = "uploads/7f3c/source"


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "storage")


async def _stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _everything(storage: Storage) -> list[str]:
    """Every name in the storage, hidden ones included."""
    root = storage.path("x").parent
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


async def test_everything_is_private_whatever_the_umask(storage: LocalStorage) -> None:
    before = os.umask(0)
    try:
        await storage.write_stream(KEY, _stream(b"x"))
    finally:
        os.umask(before)
    path = storage.path(KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in list(path.parents)[:3]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_nothing_is_left_when_the_sender_breaks_off(storage: LocalStorage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.write_stream(KEY, chunks())
    assert _everything(storage) == ["uploads"]


async def test_nothing_is_left_when_it_is_cancelled(storage: LocalStorage) -> None:
    flowing = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 2_000_000
            flowing.set()

    task = asyncio.create_task(storage.write_stream(KEY, chunks()))
    await flowing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _everything(storage) == ["uploads"]


async def test_a_limit_ends_the_stream(storage: LocalStorage) -> None:
    assert (await storage.write_stream("uploads/1/source", _stream(b"x" * 10), limit=10)).bytes == 10
    with pytest.raises(VarloomError, match="10 bytes") as caught:
        await storage.write_stream(KEY, _stream(b"x" * 10, b"x"), limit=10)
    assert caught.value.code == "upload_too_large"
    assert list(storage.list_prefix()) == ["uploads/1/source"]


async def test_what_cannot_fit_is_refused_before_it_is_sent(storage: LocalStorage, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free

    async def never() -> AsyncIterator[bytes]:
        pytest.fail("the stream was read")
        yield b""

    with pytest.raises(VarloomError) as caught:
        await storage.write_stream(KEY, never(), expected=11, limit=10)
    assert caught.value.code == "upload_too_large"
    with pytest.raises(VarloomError) as caught:
        await storage.write_stream(KEY, never(), expected=free * 2)
    assert caught.value.code == "storage_full"
    with pytest.raises(VarloomError, match="must stay free") as caught:
        await storage.write_stream(KEY, never(), expected=1, reserve=free * 2)
    assert caught.value.code == "storage_full"
    assert _everything(storage) == []


async def test_the_reserve_is_kept_when_the_length_is_unknown(storage: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(VarloomError) as caught:
        await storage.write_stream(KEY, _stream(b"x"), reserve=shutil.disk_usage(tmp_path).free * 2)
    assert caught.value.code == "storage_full"
    assert _everything(storage) == ["uploads"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("needs to mount a small disk, which only root may")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_is_full_is_told_and_left_as_it_was(small_disk: Path) -> None:
    storage = LocalStorage(small_disk / "storage")
    with pytest.raises(VarloomError) as caught:
        await storage.write_stream(KEY, _stream(*[b"x" * 1_000_000] * 6))
    assert caught.value.code == "storage_full"
    assert _everything(storage) == ["uploads"]
    assert (await storage.write_stream(KEY, _stream(*[b"x" * 1_000_000] * 3))).bytes == 3_000_000


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "storage_full"), (errno.EDQUOT, "storage_full"), (errno.EIO, "storage_unusable")],
)
@pytest.mark.parametrize("step", ["write", "fsync"])
async def test_what_the_disk_refuses_is_told(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, step: str, number: int, code: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(VarloomError) as caught:
        await storage.write_stream(KEY, _stream(b"x"))
    assert caught.value.code == code
    assert _everything(storage) == ["uploads"]


async def test_short_writes_lose_nothing(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: max(1, len(data) // 3)]))
    content = os.urandom(100_000)
    await storage.write_stream(KEY, _stream(content))
    assert storage.path(KEY).read_bytes() == content


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder that cannot be reached by a rename."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_folder_of_the_storage_may_lie_on_another_disk(storage: LocalStorage, other_disk: Path) -> None:
    storage.path("uploads").symlink_to(other_disk)
    storage.write_bytes("uploads/a/source", b"x")
    storage.write_bytes("uploads/b/source", b"x")
    assert list(storage.list_prefix("uploads")) == ["uploads/a/source", "uploads/b/source"]
    storage.delete_tree("uploads/a")
    assert sorted(path.name for path in other_disk.iterdir()) == ["b"]

    (other_disk / ".a.0123.part" / "deep").mkdir(parents=True)
    (other_disk / "b" / ".source.0123.part").write_bytes(b"half")
    assert storage.remove_leftovers(time.time() + 1) == 2
    assert sorted(path.name for path in other_disk.rglob("*")) == ["b", "source"]


def test_a_link_is_removed_and_what_it_leads_to_stays(storage: LocalStorage, tmp_path: Path) -> None:
    """Somebody moved an upload elsewhere, and left a link; its removal must not stop every sweep from then on."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "source").write_bytes(b"x")
    storage.write_bytes("uploads/a/source", b"x")
    storage.path("uploads/b").symlink_to(elsewhere)
    storage.delete_tree("uploads/b")
    storage.path("uploads").parent.joinpath(".trash", "0123").symlink_to(elsewhere)
    assert storage.remove_leftovers(time.time() + 1) == 1
    assert _everything(storage) == [".trash", "uploads", "uploads/a", "uploads/a/source"]
    assert (elsewhere / "source").read_bytes() == b"x"


def test_the_settings_name_the_storage(tmp_path: Path) -> None:
    def opened(storage: str | None) -> Path:
        return open_storage(Settings(data=tmp_path / "data", storage=storage)).path("x").parent

    assert opened(None) == tmp_path / "data" / "storage"
    assert opened(str(tmp_path / "elsewhere")) == tmp_path / "elsewhere"
    assert opened((tmp_path / "with space").as_uri()) == tmp_path / "with space"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("s3://", "settings_invalid"),
        ("s3://key:secret@bucket/prefix", "settings_invalid"),
        ("s3://bucket/a b", "settings_invalid"),
        ("s3://bucket/../b", "settings_invalid"),
        ("gs://bucket/x?a=secret", "settings_invalid"),
        ("az://con tainer", "settings_invalid"),
        ("https://example.org/", "settings_invalid"),
        ("file://otherhost/srv", "settings_invalid"),
    ],
)
def test_other_storages_are_refused(tmp_path: Path, url: str, code: str) -> None:
    with pytest.raises(VarloomError) as caught:
        open_storage(Settings(data=tmp_path, storage=url))
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VarloomError) as caught:
        open_storage(Settings(data=tmp_path, storage=str(tmp_path / "file" / "storage")))
    assert caught.value.code == "storage_unusable"
