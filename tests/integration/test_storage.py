"""Objects appear whole or not at all, under keys that cannot lead anywhere else."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from varloom.errors import VarloomError
from varloom.settings import Settings
from varloom.storage import LocalStorage, Storage, open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

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


NO_KEYS = ["", "/", "/etc/passwd", "..", "a/../b", "a//b", "a/", ".", "a/.b", "-rf", "a b", "a\0b", "a\n", "ä"]
NO_KEYS += ["a\\b", "C:", "x" * 201, "a/" * 600 + "a"]


@pytest.mark.parametrize("key", NO_KEYS)
async def test_what_is_no_key_is_refused_everywhere(storage: LocalStorage, key: str) -> None:
    for method in (storage.path, storage.exists, storage.size, storage.new_folder, storage.delete_tree):
        with pytest.raises(ValueError, match="storage key"):
            method(key)
    with pytest.raises(ValueError, match="storage key"):
        await storage.write_stream(key, _stream(b"x"))
    assert _everything(storage) == []


@pytest.mark.parametrize(
    "chunks", [[], [b""], [b"abc", b"", b"def"], [b"x" * 3_000_000, b"y" * 1_048_576, b"z"], [b"q" * 70_000] * 40]
)
async def test_a_stream_is_stored_whole_with_its_checksum(storage: LocalStorage, chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    stored = await storage.write_stream(KEY, _stream(*chunks))
    assert stored.bytes == len(content)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert storage.path(KEY).read_bytes() == content
    assert _everything(storage) == ["uploads", "uploads/7f3c", KEY]


async def test_everything_is_private_whatever_the_umask(storage: LocalStorage) -> None:
    before = os.umask(0)
    try:
        await storage.write_stream(KEY, _stream(b"x"))
        folder = storage.new_folder("attempts/1/2")
    finally:
        os.umask(before)
    assert stat.S_IMODE(storage.path(KEY).stat().st_mode) == 0o600
    for path in (folder, folder.parent, folder.parents[1], folder.parents[2], storage.path("uploads")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


async def test_an_object_is_written_once(storage: LocalStorage) -> None:
    await storage.write_stream(KEY, _stream(b"first"))
    with pytest.raises(FileExistsError):
        await storage.write_stream(KEY, _stream(b"second"))
    assert storage.path(KEY).read_bytes() == b"first"
    storage.new_folder("attempts/1")
    with pytest.raises(FileExistsError):
        storage.new_folder("attempts/1")


async def test_nothing_is_visible_before_the_end(storage: LocalStorage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 2_000_000
            assert not storage.exists(KEY)
            assert list(storage.list_prefix()) == []

    await storage.write_stream(KEY, chunks())
    assert list(storage.list_prefix()) == [KEY]


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


async def test_folders_are_listed_measured_and_deleted(storage: LocalStorage) -> None:
    folder = storage.new_folder("attempts/1/a/dataset")
    (folder / "part-0.parquet").write_bytes(b"x" * 5)
    (folder / "manifest.json").write_bytes(b"x" * 7)
    await storage.write_stream(KEY, _stream(b"x" * 3))
    dataset = ["attempts/1/a/dataset/manifest.json", "attempts/1/a/dataset/part-0.parquet"]
    assert list(storage.list_prefix()) == [*dataset, KEY]
    assert list(storage.list_prefix("attempts/1")) == dataset
    assert list(storage.list_prefix("attempts/2")) == []
    assert storage.size("attempts/1") == 12
    assert storage.size(KEY) == 3
    storage.delete_tree("attempts/1/a")
    storage.delete_tree("attempts/1/a")
    storage.delete_tree(KEY)
    assert list(storage.list_prefix()) == []
    assert not storage.exists("attempts/1/a")
    for gone in ("attempts/1/a", KEY):
        with pytest.raises(FileNotFoundError):
            storage.size(gone)
    assert list((storage.path("x").parent / ".trash").iterdir()) == []


def test_the_settings_name_the_storage(tmp_path: Path) -> None:
    def opened(storage: str | None) -> Path:
        return open_storage(Settings(data=tmp_path / "data", storage=storage)).path("x").parent

    assert opened(None) == tmp_path / "data" / "storage"
    assert opened(str(tmp_path / "elsewhere")) == tmp_path / "elsewhere"
    assert opened((tmp_path / "with space").as_uri()) == tmp_path / "with space"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("s3://bucket/prefix", "storage_not_supported"),
        ("gs://bucket", "storage_not_supported"),
        ("az://container", "storage_not_supported"),
        ("S3://bucket", "storage_not_supported"),
        ("https://example.org/", "settings_invalid"),
        ("file://otherhost/srv", "settings_invalid"),
    ],
)
def test_other_storages_are_refused(tmp_path: Path, url: str, code: str) -> None:
    with pytest.raises(VarloomError) as caught:
        open_storage(Settings(data=tmp_path, storage=url))
    assert caught.value.code == code


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VarloomError) as caught:
        open_storage(Settings(data=tmp_path, storage=str(tmp_path / "file" / "storage")))
    assert caught.value.code == "storage_unusable"
