"""Each cloud, public and private, on its real server or the nearest that runs here; and each way to be refused."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from obstore.store import AzureStore, S3Store
from tests.object_stores import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    BUCKET,
    KEY,
    PUBLIC_BUCKET,
    READER_KEY,
    READER_SECRET,
    SECRET,
    STRANGER_KEY,
    STRANGER_SECRET,
    google_server,
    put_google_object,
)
from tests.transfer.conftest import Fetching, noise, sha256

from varloom.errors import VarloomError
from varloom.transfer.access import Credential

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.object_stores import ObjectStore

CONTENT = noise(20 * 1024**2 + 5)
NAME = "folder/a b+c%20.vcf.gz"


def put(store: S3Store | AzureStore, key: str = NAME, content: bytes = CONTENT) -> None:
    store.put(key, content, use_multipart=False)


def fetching(tmp_path: Path, scheme: str, endpoint: str) -> Fetching:
    made = Fetching(tmp_path / "arriving")
    made.options["allowed_endpoints"] = (urlsplit(endpoint).netloc,)
    made.options["cloud_endpoints"] = {scheme: endpoint}
    return made


def refusal(fetch: Fetching, url: str, credential: Credential | None = None) -> str:
    with pytest.raises(VarloomError) as caught:
        fetch(url, credential)
    assert caught.value.place.url
    shown = f"{caught.value.message} {caught.value.place.url}"
    for secret in (SECRET, AZURE_KEY, "Signature=", "sig="):
        assert secret not in shown.replace("=\u2026", "\u2026")
    assert not caught.value.kind.retryable
    return caught.value.code


# --- S3 --------------------------------------------------------------------------------------------------------------


def s3_store(s3: ObjectStore, bucket: str = BUCKET) -> S3Store:
    config = {"endpoint": s3.environment["AWS_ENDPOINT_URL"], "region": "us-east-1"}
    config |= {"access_key_id": KEY, "secret_access_key": SECRET}
    return S3Store(bucket, config=config, client_options={"allow_http": True})


def s3_keys(key: str = READER_KEY, secret: str = READER_SECRET, **more: str) -> Credential:
    return Credential("s3", {"access_key": key, "secret_key": secret, **more})


@pytest.fixture
def s3_fetch(tmp_path: Path, s3: ObjectStore) -> Fetching:
    return fetching(tmp_path, "s3", s3.environment["AWS_ENDPOINT_URL"])


def test_s3_with_keys_or_presigned_or_public(s3: ObjectStore, s3_fetch: Fetching) -> None:
    put(s3_store(s3))
    arrived = s3_fetch(f"s3://{BUCKET}/{NAME}", s3_keys())
    assert arrived.sha256 == sha256(CONTENT)
    assert s3_fetch(f"s3://{BUCKET}/{NAME}", s3_keys()).resumed == len(CONTENT)
    signed = obstore.sign(s3_store(s3), "GET", NAME, timedelta(minutes=5))
    assert s3_fetch(signed).sha256 == sha256(CONTENT)
    put(s3_store(s3, PUBLIC_BUCKET), "x.vcf")
    assert s3_fetch(f"s3://{PUBLIC_BUCKET}/x.vcf").sha256 == sha256(CONTENT)


def test_s3_refusals(s3: ObjectStore, s3_fetch: Fetching) -> None:
    put(s3_store(s3), "x.vcf", b"x")
    short = obstore.sign(s3_store(s3), "GET", "x.vcf", timedelta(seconds=1))
    url = f"s3://{BUCKET}/x.vcf"
    assert refusal(s3_fetch, url) == "download_not_public"
    assert refusal(s3_fetch, url, s3_keys(secret="wrong")) == "download_signature_wrong"
    assert refusal(s3_fetch, url, s3_keys(key="UNKNOWNKEY")) == "download_signature_wrong"
    assert refusal(s3_fetch, url, s3_keys(STRANGER_KEY, STRANGER_SECRET)) == "download_forbidden"
    assert refusal(s3_fetch, f"s3://{BUCKET}/none.vcf", s3_keys()) == "download_not_found"
    assert refusal(s3_fetch, "s3://nosuchbucket/x.vcf", s3_keys(KEY, SECRET)) == "download_no_bucket"
    time.sleep(2.1)  # signatures count in whole seconds
    assert refusal(s3_fetch, short) == "download_expired"
    assert refusal(s3_fetch, short.replace("x.vcf", "y.vcf")) == "download_expired"
    tampered = obstore.sign(s3_store(s3), "GET", "x.vcf", timedelta(hours=1)).replace("x.vcf", "y.vcf")
    assert refusal(s3_fetch, tampered) == "download_signature_wrong"


# --- Azure -----------------------------------------------------------------------------------------------------------


def azure_store(azure: ObjectStore, container: str = BUCKET) -> AzureStore:
    config = {"account_name": AZURE_ACCOUNT, "account_key": AZURE_KEY}
    config["endpoint"] = azure.environment["AZURE_STORAGE_ENDPOINT"]
    return AzureStore(container, config=config, client_options={"allow_http": True})


def azure_key(key: str = AZURE_KEY) -> Credential:
    return Credential("azure_key", {"account": AZURE_ACCOUNT, "key": key})


def azure_sas(azure: ObjectStore, key: str, method: str = "GET", seconds: float = 600) -> Credential:
    signed = obstore.sign(azure_store(azure), method, key, timedelta(seconds=seconds))
    return Credential("azure_sas", {"account": AZURE_ACCOUNT, "sas": "?" + urlsplit(signed).query})


@pytest.fixture
def azure_fetch(tmp_path: Path, azure: ObjectStore) -> Fetching:
    return fetching(tmp_path, "az", azure.environment["AZURE_STORAGE_ENDPOINT"])


def test_azure_with_key_or_sas_or_public(azure: ObjectStore, azure_fetch: Fetching) -> None:
    put(azure_store(azure))
    arrived = azure_fetch(f"az://{BUCKET}/{NAME}", azure_key())
    assert arrived.sha256 == sha256(CONTENT)
    assert [one.algorithm for one in arrived.verified] == ["md5"]
    put(azure_store(azure), "y.vcf")
    assert azure_fetch(f"az://{BUCKET}/y.vcf", azure_sas(azure, "y.vcf")).sha256 == sha256(CONTENT)
    signed = obstore.sign(azure_store(azure), "GET", "y.vcf", timedelta(minutes=5))
    assert azure_fetch(signed).sha256 == sha256(CONTENT)
    put(azure_store(azure, PUBLIC_BUCKET), "x.vcf")
    assert azure_fetch(f"az://{PUBLIC_BUCKET}/x.vcf").sha256 == sha256(CONTENT)


def test_azure_refusals(azure: ObjectStore, azure_fetch: Fetching) -> None:
    put(azure_store(azure), "x.vcf", b"x")
    url = f"az://{BUCKET}/x.vcf"
    short = azure_sas(azure, "x.vcf", seconds=1)
    assert refusal(azure_fetch, url) == "download_not_public"
    assert refusal(azure_fetch, url, azure_key("d3Jvbmc=")) == "download_signature_wrong"
    assert refusal(azure_fetch, url, azure_key("not base64!")) == "download_signature_wrong"
    assert refusal(azure_fetch, url, azure_sas(azure, "x.vcf", "PUT")) == "download_forbidden"
    assert refusal(azure_fetch, f"az://{BUCKET}/none.vcf", azure_key()) == "download_not_found"
    assert refusal(azure_fetch, "az://nosuchcontainer/x.vcf", azure_key()) == "download_no_bucket"
    assert refusal(azure_fetch, f"az://{PUBLIC_BUCKET}/none.vcf") == "download_not_found"
    time.sleep(2.1)
    assert refusal(azure_fetch, url, short) == "download_expired"


# --- Google ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with google_server(tmp_path_factory.mktemp("google")) as store:
        yield store


@pytest.fixture
def google_fetch(tmp_path: Path, google: ObjectStore) -> Fetching:
    return fetching(tmp_path, "gs", google.environment["endpoint"])


@pytest.fixture(scope="module")
def service_account() -> Credential:
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "private_key": key.decode(),
        "private_key_id": "1",
        "client_email": "reader@example.org",
    }
    return Credential("gcs", {"service_account": json.dumps(account)})


def test_google_public_or_with_a_service_account(
    google: ObjectStore, google_fetch: Fetching, service_account: Credential
) -> None:
    put_google_object(google, NAME, CONTENT)
    arrived = google_fetch(f"gs://{BUCKET}/{NAME}")
    assert arrived.sha256 == sha256(CONTENT)
    assert [one.algorithm for one in arrived.verified] == ["crc32c"]
    assert arrived.version.generation
    assert google_fetch(f"gs://{BUCKET}/{NAME}", service_account).sha256 == sha256(CONTENT)


def test_google_by_the_addresses_of_its_json_api(google: ObjectStore, google_fetch: Fetching) -> None:
    put_google_object(google, "deep/er/by api.vcf", CONTENT)
    endpoint = google.environment["endpoint"].rstrip("/")
    for path in ("/storage/v1/b/", "/download/storage/v1/b/"):
        for query in ("", "?alt=media", "?alt=media&userProject=lab"):
            arrived = google_fetch(f"{endpoint}{path}{BUCKET}/o/deep%2Fer%2Fby%20api.vcf{query}")
            assert arrived.sha256 == sha256(CONTENT), path + query
            assert [one.algorithm for one in arrived.verified] == ["crc32c"]


def test_google_refusals(google: ObjectStore, google_fetch: Fetching) -> None:
    assert refusal(google_fetch, f"gs://{BUCKET}/none.vcf") == "download_not_found"
    unusable = Credential("gcs", {"service_account": '{"private_key": "canary"}'})
    assert refusal(google_fetch, f"gs://{BUCKET}/x.vcf", unusable) == "download_signature_wrong"


def test_google_objects_that_were_replaced_are_noticed(google: ObjectStore, google_fetch: Fetching) -> None:
    put_google_object(google, "replaced.vcf", CONTENT)
    first = google_fetch(f"gs://{BUCKET}/replaced.vcf")
    other = noise(len(CONTENT), 2)
    put_google_object(google, "replaced.vcf", other)
    second = google_fetch(f"gs://{BUCKET}/replaced.vcf")
    assert (second.sha256, second.resumed) == (sha256(other), 0)
    assert first.version.generation != second.version.generation
