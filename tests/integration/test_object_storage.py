"""What only an object store can do: refuse in many ways, be away, keep parts of an upload that nobody sees."""

from __future__ import annotations

import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.object_stores import READER_KEY, READER_SECRET, SECRET, s3_environment
from tests.ports import free_port

from varloom.errors import VarloomError
from varloom.storage import ObjectStorage, object_access, objects
from varloom.storage.object_access import access_of
from varloom.storage.object_upload import MOST_PORTIONS, PORTION, portion_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.object_stores import ObjectStore

KEY = "uploads/7f3c/source"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits through all the tries that a real outage deserves."""
    monkeypatch.setattr(object_access, "RETRIES", 1)


def _at(store: ObjectStore, url: str | None = None, **environment: str) -> ObjectStorage:
    return ObjectStorage(access_of(url or f"{store.url}/faults", {**store.environment, **environment}))


async def _stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _endpoint(store: ObjectStore) -> str:
    return store.environment["AWS_ENDPOINT_URL"]


@pytest.fixture
def refusals(s3: ObjectStore) -> dict[str, ObjectStorage]:
    return {
        "unknown key": _at(s3, AWS_ACCESS_KEY_ID="NOBODY"),
        "wrong secret": _at(s3, AWS_SECRET_ACCESS_KEY="wrong-secret-of-somebody"),
        "read only": _at(s3, **s3_environment(_endpoint(s3), READER_KEY, READER_SECRET)),
        "no bucket": _at(s3, "s3://varloom-nowhere/x"),
        "refused": _at(s3, AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}"),
        "no such name": _at(s3, AWS_ENDPOINT_URL="http://storage.invalid"),
        "no TLS": _at(s3, AWS_ENDPOINT_URL=_endpoint(s3).replace("http:", "https:")),
    }


@pytest.mark.parametrize(
    ("case", "code", "told"),
    [
        ("unknown key", "storage_credentials", "403 (InvalidAccessKeyId)"),
        ("wrong secret", "storage_credentials", "403 (SignatureDoesNotMatch)"),
        ("read only", "storage_forbidden", "403 (AccessDenied)"),
        ("no bucket", "storage_missing", "404 (NoSuchBucket)"),
        ("refused", "storage_unreachable", "the connection was refused"),
        ("no such name", "storage_unreachable", "its name is not known"),
        ("no TLS", "storage_unreachable", "it does not speak TLS"),
    ],
)
async def test_every_refusal_is_told_by_its_cause(
    refusals: dict[str, ObjectStorage], tmp_path: Path, case: str, code: str, told: str
) -> None:
    storage = refusals[case]
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "part").write_bytes(b"x" * 9_000_000)

    def upload(*chunks: bytes) -> None:
        asyncio.run(storage.write_stream(KEY, _stream(*chunks)))

    writing = (
        lambda: upload(b"x"),
        lambda: upload(*[b"x" * 9_000_000] * 3),
        lambda: storage.store_folder("attempts/1/2", tmp_path / "made", last="part"),
        lambda: storage.write_bytes("mark.json", b"x"),
    )
    reading = (
        lambda: storage.exists(KEY),
        lambda: storage.fetch(KEY, tmp_path / "target"),
        lambda: storage.read_bytes(KEY),
        lambda: list(storage.list_prefix("attempts")),
        lambda: storage.delete_tree("attempts/1"),
    )
    for ask in writing if case == "read only" else writing + reading:
        with pytest.raises(VarloomError) as caught:
            await asyncio.to_thread(ask)
        assert (caught.value.code, caught.value.kind.retryable) == (code, True)
        assert told in caught.value.message
        assert caught.value.message.startswith("s3://varloom")
        assert SECRET not in caught.value.message + repr(caught.value) + repr(caught.value.__cause__)
        assert "secret" not in caught.value.message


def test_an_access_shows_no_secret(s3: ObjectStore) -> None:
    storage = _at(s3)
    assert SECRET in str(storage.access.as_json())
    assert SECRET not in repr(storage) + repr(storage.access) + str(storage.access)


def test_only_the_variables_of_the_kind_of_store_are_taken() -> None:
    environment = {"AWS_REGION": "x", "AWS_NO_SUCH_THING": "y", "GOOGLE_BASE_URL": "z", "HOME": "/", "PGPASSWORD": "p"}
    assert access_of("s3://bucket", environment).options == {"AWS_REGION": "x", "AWS_NO_SUCH_THING": "y"}
    assert access_of("gs://bucket", environment).options == {"GOOGLE_BASE_URL": "z"}
    assert access_of("az://container", environment).options == {}
    assert access_of("S3://bucket/a/b/", {}).url == "s3://bucket/a/b"


def test_what_the_environment_gets_wrong_is_told_without_its_value() -> None:
    broken = ObjectStorage(access_of("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_KEY": "a-secret-that-is-no-json"}))
    with pytest.raises(VarloomError) as caught:
        broken.exists(KEY)
    assert caught.value.code == "settings_invalid"
    assert "a-secret" not in str(caught.value)


def test_no_object_has_more_parts_than_stores_take() -> None:
    assert portion_size(None) == portion_size(1) == PORTION
    for total in (PORTION * MOST_PORTIONS, PORTION * MOST_PORTIONS + 1, 200 * 1024**3):
        assert -(-total // portion_size(total)) <= MOST_PORTIONS


def _unfinished(store: ObjectStore) -> list[str]:
    """The uploads that were begun and neither finished nor aborted, as SeaweedFS keeps them."""
    response = httpx.get(store.uploads_url, headers={"Accept": "application/json"}, trust_env=False)
    return [entry["FullPath"] for entry in response.json()["Entries"] or []] if response.status_code == 200 else []


@pytest.mark.parametrize("how", ["broken off", "cancelled", "too large"])
async def test_no_part_of_an_upload_stays(s3: ObjectStore, how: str) -> None:
    storage = _at(s3)
    begun = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 2_000_000
            if _unfinished(s3):
                begun.set()
                break
        assert begun.is_set(), "the test would say nothing if no part had been sent"
        if how == "broken off":
            raise ConnectionResetError
        while True:
            yield b"x" * 2_000_000
            await asyncio.sleep(0.01)

    limit = 100_000_000 if how == "too large" else None
    task = asyncio.create_task(storage.write_stream(KEY, chunks(), limit=limit))
    await begun.wait()
    if how == "cancelled":
        task.cancel()
    with pytest.raises((ConnectionResetError, asyncio.CancelledError, VarloomError)):
        await task
    assert _unfinished(s3) == []
    assert list(storage.list_prefix("uploads")) == []


class _Stub(BaseHTTPRequestHandler):
    """Answers with one status and body, or not at all."""

    status, body = 503, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[tuple[type[_Stub], str]]:
    handler = type("Handler", (_Stub,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, b"<Error><Code>ExpiredToken</Code></Error>", "storage_credentials"),
        (400, b"<Error><Code>ExpiredToken</Code></Error>", "storage_credentials"),
        (403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>", "storage_credentials"),
        (401, b"", "storage_credentials"),
        (403, b"", "storage_forbidden"),
        (429, b"", "storage_unreachable"),
        (503, b"<Error><Code>SlowDown</Code></Error>", "storage_unreachable"),
        (500, b"", "storage_unreachable"),
        (400, b"<Error><Code>EntityTooLarge</Code></Error>", "storage_unusable"),
        (507, b"", "storage_unusable"),
    ],
)
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_every_answer_has_its_kind(
    stub: tuple[type[_Stub], str], scheme: str, status: int, body: bytes, code: str
) -> None:
    handler, address = stub
    handler.status, handler.body = status, body
    environment = {
        **s3_environment(address),
        "GOOGLE_BASE_URL": address,
        "GOOGLE_BEARER_TOKEN": "a-secret-token",
        "AZURE_STORAGE_ENDPOINT": address,
        "AZURE_STORAGE_ACCOUNT_NAME": "somebody",
        "AZURE_STORAGE_SAS_TOKEN": "sv=2024-01-01&sig=a-secret-signature",
    }
    storage = ObjectStorage(access_of(f"{scheme}://bucket/p", environment))
    for ask in (lambda: storage.exists(KEY), lambda: storage.read_bytes(KEY), lambda: list(storage.list_prefix("u"))):
        with pytest.raises(VarloomError) as caught:
            ask()
        assert (caught.value.code, "secret" in str(caught.value)) == (code, False)


def test_a_store_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_access, "QUICK_SILENCE", object_access.CONNECT_TIMEOUT / 10)
    monkeypatch.setattr(object_access, "RETRIES", 0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = s3_environment(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(VarloomError) as caught:
            ObjectStorage(access_of("s3://bucket", environment)).read_bytes(KEY)
    assert (caught.value.code, "silent for too long" in caught.value.message) == ("storage_unreachable", True)


async def test_a_fetch_of_a_large_object_takes_little_memory(s3: ObjectStore, tmp_path: Path) -> None:
    """Only a few portions are on their way at a time, however slowly they are written."""
    storage = _at(s3)
    await storage.write_stream(KEY, _stream(*[b"x" * 8_000_000] * 15))
    store, under_way, most = storage._store, 0, 0

    class Counting:
        def get_range(self, key: str, *, start: int, end: int) -> object:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            return store.get_range(key, start=start, end=end)

    def taken(done: int, total: int | None) -> None:
        nonlocal under_way
        under_way -= 1

    storage.__dict__["_store"] = Counting()
    assert storage.fetch(KEY, tmp_path / "copy", taken).bytes == 120_000_000
    assert 1 < most <= objects.PORTIONS_AT_ONCE + 1
    del storage.__dict__["_store"]
    storage.delete_tree("uploads")
