"""What URLs mean, and what of them is shown."""

from __future__ import annotations

import pytest

from varloom.errors import VarloomError
from varloom.transfer.access import Access, Credential
from varloom.transfer.source_url import Cloud, in_region, parse_source_url

SECRET = "canary-5f1d"


@pytest.mark.parametrize(
    ("url", "cloud", "bucket", "key", "asked"),
    [
        ("s3://b-1/a/x.vcf", Cloud.S3, "b-1", "a/x.vcf", "https://b-1.s3.amazonaws.com/a/x.vcf"),
        ("s3://b.dots/a b%.vcf", Cloud.S3, "b.dots", "a b%.vcf", "https://s3.amazonaws.com/b.dots/a%20b%25.vcf"),
        ("https://bk.s3.eu-west-1.amazonaws.com/k/x.vcf", Cloud.S3, "bk", "k/x.vcf", None),
        ("https://bk.s3.amazonaws.com/k%20x.vcf", Cloud.S3, "bk", "k x.vcf", None),
        ("https://s3.eu-west-1.amazonaws.com/bk/k/x.vcf", Cloud.S3, "bk", "k/x.vcf", None),
        ("https://bk.s3.dualstack.us-east-2.amazonaws.com/x", Cloud.S3, "bk", "x", None),
        ("gs://bk/k/x.vcf", Cloud.GOOGLE, "bk", "k/x.vcf", "https://storage.googleapis.com/bk/k/x.vcf"),
        ("https://storage.googleapis.com/bk/k/x.vcf", Cloud.GOOGLE, "bk", "k/x.vcf", None),
        ("https://bk.storage.googleapis.com/k/x.vcf", Cloud.GOOGLE, "bk", "k/x.vcf", None),
        ("https://acc.blob.core.windows.net/cont/k/x.vcf", Cloud.AZURE, "cont", "k/x.vcf", None),
        (
            "az://acc.blob.core.windows.net/cont/k/x.vcf",
            Cloud.AZURE,
            "cont",
            "k/x.vcf",
            "https://acc.blob.core.windows.net/cont/k/x.vcf",
        ),
        ("https://example.org/data/x.vcf.gz#part", Cloud.WEB, None, None, "https://example.org/data/x.vcf.gz"),
        ("https://s3.amazonaws.com.evil.org/bk/x", Cloud.WEB, None, None, None),
        ("https://evilstorage.googleapis.com/bk/x", Cloud.WEB, None, None, None),
    ],
)
def test_what_a_url_names(url, cloud, bucket, key, asked):
    source = parse_source_url(url)
    assert (source.cloud, source.bucket, source.key) == (cloud, bucket, key)
    assert source.url == (asked or url)
    assert not source.has_access


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            f"https://b.s3.amazonaws.com/x.vcf?X-Amz-Credential=A&X-Amz-Signature={SECRET}",
            "https://b.s3.amazonaws.com/x.vcf?X-Amz-Credential=\u2026&X-Amz-Signature=\u2026",
        ),
        (
            f"https://a.blob.core.windows.net/c/x?sv=1&sig={SECRET}",
            "https://a.blob.core.windows.net/c/x?sv=\u2026&sig=\u2026",
        ),
        (f"https://user:{SECRET}@example.org/x", "https://\u2026@example.org/x"),
        (f"https://example.org/x?{SECRET}", "https://example.org/x?\u2026"),
        (f"https://example.org/x?{SECRET}==", "https://example.org/x?\u2026"),
        (f"https://example.org/x?a=b&{SECRET}", "https://example.org/x?a=\u2026"),
    ],
)
def test_what_is_secret_is_not_shown(url, shown):
    source = parse_source_url(url)
    assert SECRET not in source.shown
    assert SECRET not in repr(source)
    assert source.shown == shown
    assert source.has_access == ("example.org/x?" not in url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/x.vcf",
        "ftp://example.org/x.vcf",
        "file:///etc/passwd",
        "s3://",
        "s3://bucket",
        "s3://bucket/folder/",
        "s3://bucket/a/../b",
        "s3://b!/x",
        "gs://bucket//x",
        "az://other.example.org/c/x",
        "https://",
        "https://example.org:99999/x",
        "https://exa\nmple.org/",
        "https://example.org/" + "x" * 9000,
    ],
)
def test_what_cannot_be_loaded_is_refused(url):
    with pytest.raises(VarloomError) as caught:
        parse_source_url(url)
    assert caught.value.code == "source_url_invalid"


GOOGLE_API = "https://storage.googleapis.com/storage/v1/b/bk/o/k%2Fa%20%25x.vcf.gz"
DOWNLOAD_API = GOOGLE_API.replace("com/", "com/download/")
PLAIN = "https://storage.googleapis.com/bk/k/a%20%25x.vcf.gz"


@pytest.mark.parametrize(
    ("url", "asked", "shown"),
    [
        (f"{DOWNLOAD_API}?alt=media", PLAIN, "gs://bk/k/a %x.vcf.gz"),
        (GOOGLE_API, PLAIN, "gs://bk/k/a %x.vcf.gz"),
        (GOOGLE_API.replace("storage.google", "www.google"), PLAIN, "gs://bk/k/a %x.vcf.gz"),
        (
            f"{DOWNLOAD_API}?generation=17&alt=media",
            f"{PLAIN}?generation=17",
            f"{DOWNLOAD_API}?generation=\u2026&alt=\u2026",
        ),
        (f"{GOOGLE_API}?userProject=p", f"{GOOGLE_API}?userProject=p&alt=media", f"{GOOGLE_API}?userProject=\u2026"),
        (
            f"{GOOGLE_API}?alt=json&access_token={SECRET}",
            f"{GOOGLE_API}?access_token={SECRET}&alt=media",
            f"{GOOGLE_API}?alt=\u2026&access_token=\u2026",
        ),
    ],
)
def test_an_address_of_googles_json_api_is_that_of_its_object(url, asked, shown):
    source = parse_source_url(url)
    assert (source.cloud, source.bucket, source.key) == (Cloud.GOOGLE, "bk", "k/a %x.vcf.gz")
    assert (source.url, source.shown, source.name) == (asked, shown, "a %x.vcf.gz")
    assert source.has_access == ("access_token" in url)
    assert SECRET not in source.shown + repr(source)


def test_an_operators_endpoint_takes_the_place_of_the_public_cloud():
    endpoints = {"s3": "http://minio.lab:9000", "az": "http://127.0.0.1:10000/acc"}
    source = parse_source_url("s3://bk/k/x.vcf", endpoints)
    assert source.url == "http://minio.lab:9000/bk/k/x.vcf"
    assert parse_source_url("http://minio.lab:9000/bk/k/x.vcf", endpoints).bucket == "bk"
    blob = parse_source_url("az://cont/x.vcf", endpoints)
    assert (blob.url, blob.account) == ("http://127.0.0.1:10000/acc/cont/x.vcf", "acc")


VERSIONED = "https://bk.s3.amazonaws.com/x.vcf?versionId=A1"


def test_a_version_that_a_url_names_is_never_exchanged_for_the_newest():
    assert in_region(parse_source_url(VERSIONED), "eu-west-1").url.endswith(
        ".eu-west-1.amazonaws.com/x.vcf?versionId=A1"
    )
    access = Access(parse_source_url(VERSIONED), Credential("s3", {"access_key": "A", "secret_key": SECRET}))
    with pytest.raises(VarloomError) as caught:
        access.request()
    assert caught.value.code == "source_url_invalid"
    blob = parse_source_url("https://acc.blob.core.windows.net/c/x?snapshot=2025-01-01T00:00:00.0000000Z")
    url, _ = Access(blob, Credential("azure_sas", {"account": "acc", "sas": f"?sv=1&sig={SECRET}"})).request()
    assert url == f"{blob.url}&sv=1&sig={SECRET}"
