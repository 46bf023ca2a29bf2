"""What every storage promises: a local folder, S3 on a real SeaweedFS, Azure on a real Azurite where there is one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from varloom.errors import VarloomError
from varloom.storage import LocalStorage, ObjectStorage, Storage, StorageAccess, connect
from varloom.storage.object_access import access_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.object_stores import ObjectStore

KEY = "uploads/7f3c/source"
PORTION = 8 * 1024**2

NO_KEYS = ["", "/", "/etc/passwd", "..", "a/../b", "a//b", "a/", ".", "a/.b", "-rf", "a b", "a\0b", "a\n", "ä"]
NO_KEYS += ["a\\b", "C:", "x" * 201, "a/" * 600 + "a"]


@pytest.fixture(params=["local", "s3", "az"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return LocalStorage(tmp_path / "storage")
    store: ObjectStore = request.getfixturevalue("s3" if request.param == "s3" else "azure")
    prefix = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]
    return ObjectStorage(access_of(f"{store.url}/{prefix}/below", store.environment))


async def _stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _folder(path: Path, **files: bytes) -> Path:
    for name, content in files.items():
        target = path / name.replace("__", "/").replace("_json", ".json")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return path


@pytest.mark.parametrize("key", NO_KEYS)
async def test_what_is_no_key_is_refused_everywhere(storage: Storage, tmp_path: Path, key: str) -> None:
    methods = (
        *(storage.local_path, storage.exists, storage.size, storage.changed_at, storage.delete_tree),
        *(storage.read_bytes, lambda key: storage.write_bytes(key, b"x")),
        lambda key: storage.fetch(key, tmp_path / "target"),
    )
    for method in methods:
        with pytest.raises(ValueError, match="storage key"):
            method(key)
    with pytest.raises(ValueError, match="storage key"):
        await storage.write_stream(key, _stream(b"x"))


@pytest.mark.parametrize(
    "chunks",
    [
        [b""],
        [b"abc", b"", b"def"],
        [b"x" * 3_000_000, b"y" * 1_048_576, b"z"],
        [b"q" * PORTION],
        [b"q" * (PORTION + 1)],
        [b"r" * 700_000] * 40,
    ],
)
async def test_a_stream_is_stored_whole_with_its_checksum(
    storage: Storage, tmp_path: Path, chunks: list[bytes]
) -> None:
    content = b"".join(chunks)
    stored = await storage.write_stream(KEY, _stream(*chunks))
    assert (stored.bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    seen: list[tuple[int, int | None]] = []
    assert storage.fetch(KEY, tmp_path / "copy", lambda done, total: seen.append((done, total))) == stored
    assert (tmp_path / "copy").read_bytes() == content
    assert not content or seen[-1] == (len(content), len(content))
    assert storage.read_bytes(KEY) == content
    assert list(storage.list_prefix()) == [KEY]


async def test_an_object_is_written_once(storage: Storage) -> None:
    await storage.write_stream(KEY, _stream(b"first"))
    with pytest.raises(FileExistsError):
        await storage.write_stream(KEY, _stream(b"second"))
    with pytest.raises(FileExistsError):
        storage.write_bytes(KEY, b"third")
    assert storage.read_bytes(KEY) == b"first"


async def test_nothing_is_visible_before_the_end(storage: Storage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 5_000_000
            assert not await asyncio.to_thread(storage.exists, KEY)
            assert await asyncio.to_thread(lambda: list(storage.list_prefix())) == []

    await storage.write_stream(KEY, chunks())
    assert list(storage.list_prefix()) == [KEY]


@pytest.mark.parametrize("portions", [1, 12])
async def test_nothing_is_left_when_the_sender_breaks_off(storage: Storage, portions: int) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(portions):
            yield b"x" * 2_000_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.write_stream(KEY, chunks())
    assert list(storage.list_prefix()) == []


async def test_nothing_is_left_when_it_is_cancelled(storage: Storage) -> None:
    flowing = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b"x" * 2_000_000
            if number == 11:
                flowing.set()

    task = asyncio.create_task(storage.write_stream(KEY, chunks()))
    await flowing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(storage.list_prefix()) == []


async def test_a_limit_ends_the_stream(storage: Storage) -> None:
    assert (await storage.write_stream("uploads/1/source", _stream(b"x" * 10), limit=10)).bytes == 10

    async def never() -> AsyncIterator[bytes]:
        pytest.fail("the stream was read")
        yield b""

    for stream, expected in ((_stream(b"x" * 10, b"x"), None), (never(), 11)):
        with pytest.raises(VarloomError, match="10 bytes") as caught:
            await storage.write_stream(KEY, stream, limit=10, expected=expected)
        assert caught.value.code == "upload_too_large"
    assert list(storage.list_prefix()) == ["uploads/1/source"]


def test_folders_are_stored_listed_measured_and_deleted(storage: Storage, tmp_path: Path) -> None:
    large = os.urandom(2 * PORTION + 5)
    folder = _folder(tmp_path / "made", dataset__part0=large, dataset__manifest_json=b"x" * 7, dataset_2__z=b"y")
    seen: list[tuple[int, int | None]] = []
    total = len(large) + 8
    begun = time.time()
    storage.store_folder("attempts/1/a", folder, last="manifest.json", on_bytes=lambda *counts: seen.append(counts))
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-2] == (total - 7, total), "the manifest comes last"
    keys = [f"attempts/1/a/{name}" for name in ("dataset/manifest.json", "dataset/part0", "dataset_2/z")]
    assert list(storage.list_prefix("attempts/1")) == keys
    assert list(storage.list_prefix("attempts/1/a/dataset")) == keys[:2], "a name that begins alike is another folder"
    assert list(storage.list_prefix("attempts/2")) == []
    assert storage.size("attempts/1") == total
    assert storage.size(keys[0]) == 7
    assert storage.exists("attempts/1/a")
    assert not storage.exists("attempts/1/a/data")
    assert begun - 5 < storage.changed_at("attempts/1/a") < time.time() + 5
    storage.delete_tree("attempts/1/a/dataset")
    storage.delete_tree("attempts/1/a/dataset")
    assert list(storage.list_prefix()) == keys[2:]
    storage.delete_tree("attempts/1")
    assert not storage.exists("attempts/1")
    for gone in ("attempts/1/a", keys[0]):
        with pytest.raises(FileNotFoundError):
            storage.size(gone)
        with pytest.raises(FileNotFoundError):
            storage.changed_at(gone)
        with pytest.raises(FileNotFoundError):
            storage.read_bytes(gone)
        with pytest.raises(FileNotFoundError):
            storage.fetch(gone, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_another_process_opens_the_same_storage(storage: Storage) -> None:
    storage.write_bytes("mark.json", b"{}")
    again = connect(StorageAccess.from_json(storage.access.as_json()))
    assert again.read_bytes("mark.json") == b"{}"
    assert again.local_path("mark.json") == storage.local_path("mark.json")
