"""Each way in which a download fails has a class of its own, which says whether another try can help."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest
from tests.ports import free_port
from tests.sources import Served, make_authority, web_source

from varloom.errors import VarloomError
from varloom.transfer import patience
from varloom.transfer.access import Credential

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sources import Source
    from tests.transfer.conftest import Fetching

CANARY = "canary-33f0"
BEARER = Credential("bearer", {"token": CANARY})


def failure(fetch: Fetching, url: str, credential: Credential | None = None, **options) -> VarloomError:
    with pytest.raises(VarloomError) as caught:
        fetch(url, credential, **options)
    assert CANARY not in f"{caught.value.message} {caught.value.place}"
    assert caught.value.place.url
    return caught.value


def code(text: str) -> bytes:
    return f"<Error><Code>{text}</Code><Message>{CANARY}</Message></Error>".encode()


ANSWERS = [
    (401, {}, b"", None, "download_not_public", False),
    (403, {}, b"", None, "download_not_public", False),
    (401, {}, b"", BEARER, "download_signature_wrong", False),
    (
        401,
        {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="The token has expired"'},
        b"",
        BEARER,
        "download_expired",
        False,
    ),
    (403, {}, b"", BEARER, "download_forbidden", False),
    (400, {}, code("ExpiredToken"), BEARER, "download_expired", False),
    (403, {}, code("SignatureDoesNotMatch"), BEARER, "download_signature_wrong", False),
    (403, {}, code("RequestTimeTooSkewed"), BEARER, "download_signature_wrong", False),
    (403, {}, code("InvalidObjectState"), BEARER, "download_archived", False),
    (403, {"x-ms-error-code": f"https://host/?sig={CANARY}"}, b"", BEARER, "download_forbidden", False),
    (404, {}, b"", None, "download_not_found", False),
    (404, {}, code("NoSuchKey"), None, "download_not_found", False),
    (404, {}, code("NoSuchBucket"), None, "download_no_bucket", False),
    (410, {}, b"", None, "download_not_found", False),
    (409, {}, b"", None, "download_unexpected_answer", False),
    (429, {}, b"", None, "download_rate_limited", True),
    (503, {}, code("SlowDown"), None, "download_rate_limited", True),
    (500, {}, b"", None, "download_server_error", True),
    (503, {}, b"", None, "download_server_error", True),
]


@pytest.mark.parametrize(("status", "headers", "body", "credential", "expected", "retryable"), ANSWERS)
def test_refusals(source: Source, fetch: Fetching, status, headers, body, credential, expected, retryable) -> None:
    source.serve("/x", status=status, headers=headers, body=body)
    error = failure(fetch, source.url(f"/x?token={CANARY}"), credential)
    assert (error.code, error.kind.retryable) == (expected, retryable)
    assert str(status) in error.message
    assert len(source.asked) == (patience.PATIENT_TRIES if retryable else 1)


def test_what_passes_by_itself_is_waited_for(source: Source, fetch: Fetching) -> None:
    answers = [Served(status=503), Served(status=429, headers={"Retry-After": "1"}), Served(b"data")]
    source.serve("/x", script=lambda _: answers[min(len(source.asked), len(answers)) - 1])
    began = time.monotonic()
    assert fetch(source.url("/x")).bytes == 4
    assert time.monotonic() - began >= 1


def test_a_source_that_gives_a_byte_for_each_request_is_not_asked_for_each(source: Source, fetch: Fetching) -> None:
    source.serve("/x", b"data" * 10_000, cut_after=[1] * 1000)
    assert failure(fetch, source.url("/x")).code == "download_interrupted"
    assert len(source.asked) == patience.PATIENT_TRIES


def test_a_long_wait_is_left_to_the_retry_of_the_stage(source: Source, fetch: Fetching) -> None:
    source.serve("/x", status=429, headers={"Retry-After": "120"})
    error = failure(fetch, source.url("/x"))
    assert (error.code, error.retry_after) == ("download_rate_limited", 120)
    assert error.as_dict()["retry_after"] == 120
    assert len(source.asked) == 1


def test_a_wait_that_the_stage_would_be_stopped_in_is_left_to_its_retry(source: Source, fetch: Fetching) -> None:
    source.serve("/x", status=503, headers={"Retry-After": "15"})
    assert failure(fetch, source.url("/x"), silence=4.0).retry_after == 15
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><title>Login</title>", b"\xef\xbb\xbf\n <html>", b"<!-- x -->\n<HTML lang=en>", b"<head>"]
)
def test_a_page_instead_of_data(source: Source, fetch: Fetching, page: bytes) -> None:
    source.serve("/x.vcf", page)
    assert failure(fetch, source.url("/x.vcf")).code == "download_is_page"


def test_data_that_looks_a_bit_like_a_page_is_data(source: Source, fetch: Fetching) -> None:
    content = b"<DEL>,1\n##fileformat=VCFv4.2 <html>"
    source.serve("/x.vcf", content, headers={"Content-Type": "text/html"})
    assert fetch(source.url("/x.vcf")).bytes == len(content)


def test_a_name_that_is_not_known(fetch: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(fetch, "https://nosuch.example.org/x")
    assert (error.code, error.kind.retryable) == ("download_dns", True)
    assert "nosuch.example.org" in error.message


def test_a_port_where_nobody_listens(fetch: Fetching) -> None:
    port = free_port()
    error = failure(fetch, f"http://127.0.0.1:{port}/x", allowed_endpoints=("127.0.0.1",))
    assert (error.code, error.kind.retryable) == ("download_unreachable", True)
    assert "refuses" in error.message


def test_a_server_that_only_listens_is_silent(fetch: Fetching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = failure(fetch, f"http://127.0.0.1:{port}/x", allowed_endpoints=("127.0.0.1",), silence=0.2)
    assert (error.code, error.kind.retryable) == ("download_stalled", True)


def test_a_server_that_does_not_speak_tls(source: Source, fetch: Fetching) -> None:
    source.serve("/x", b"data")
    error = failure(fetch, source.url("/x").replace("http://", "https://"))
    assert (error.code, error.kind.retryable) == ("download_tls", False)


@pytest.mark.parametrize("case", ["unknown authority", "expired", "another host"])
def test_certificates_that_are_not_accepted(
    fetch: Fetching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    authority = make_authority(tmp_path)
    names = ["other.example.org"] if case == "another host" else ["127.0.0.1"]
    certificate = authority.issue(*names, days=-1 if case == "expired" else 2)
    trusted = authority.file
    if case == "unknown authority":
        (tmp_path / "other").mkdir()
        trusted = make_authority(tmp_path / "other").file
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with web_source(certificate) as secure:
        secure.serve("/x", b"data")
        error = failure(fetch, secure.url("/x"), allowed_endpoints=(secure.endpoint,))
        assert (error.code, error.kind.retryable) == ("download_tls", False)
        assert secure.asked == []


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x", "download_redirect_refused"),
        ("ftp://127.0.0.1/x", "download_redirect_refused"),
        ("https://127.0.0.1:99999/x", "download_redirect_refused"),
        ("https://[::1/x", "download_redirect_refused"),
        ("file:///etc/passwd", "download_redirect_refused"),
        ("http://93.184.215.14/x", "download_redirect_refused"),
        ("https://169.254.169.254/latest/meta-data", "download_address_refused"),
        ("https://[::ffff:10.0.0.1]/x", "download_address_refused"),
        ("https://2130706433:1/x", "download_address_refused"),
    ],
)
def test_redirects_that_are_not_followed(source: Source, fetch: Fetching, location: str, expected: str) -> None:
    source.serve("/x", status=302, headers={"Location": location})
    assert failure(fetch, source.url("/x")).code == expected


def test_from_https_to_http_nothing_is_followed(secure_source: Source, source: Source, fetch: Fetching) -> None:
    source.serve("/y", b"data")
    secure_source.serve("/x", status=302, headers={"Location": source.url("/y")})
    allowed = (secure_source.endpoint, source.endpoint)
    assert failure(fetch, secure_source.url("/x"), allowed_endpoints=allowed).code == "download_redirect_refused"
    assert source.asked == []


def test_a_redirect_is_followed_but_the_token_stays_behind(source: Source, fetch: Fetching) -> None:
    with web_source() as other:
        other.serve("/z", b"data")
        source.serve("/x", status=302, headers={"Location": "/y"})
        source.serve("/y", status=307, headers={"Location": other.url("/z")})
        fetch(source.url("/x"), BEARER, allowed_endpoints=(source.endpoint, other.endpoint))
        assert [asked.headers.get("authorization") for asked in source.asked] == [f"Bearer {CANARY}"] * 2
        assert [asked.headers.get("authorization") for asked in other.asked] == [None]


def test_a_redirect_behind_a_backslash_does_not_get_the_token(source: Source, fetch: Fetching) -> None:
    """Whoever takes `HOST:1\\@OTHER:2` for a name at OTHER sends what is for OTHER to HOST."""
    with web_source() as other:
        other.served = {"/\\@" + source.endpoint + "/z": Served(b"data")}
        source.serve("/x", status=302, headers={"Location": f"http://{other.endpoint}\\@{source.endpoint}/z"})
        fetch(source.url("/x"), BEARER, allowed_endpoints=(source.endpoint, other.endpoint))
        assert [asked.headers.get("authorization") for asked in other.asked] == [None]


HEADERS = [
    (200, {"Content-Length": "\u00b2"}),
    (200, {"Content-Length": "9" * 5000}),
    (206, {"Content-Range": f"bytes 0-3/{'9' * 5000}"}),
    (429, {"Retry-After": "\u00b2"}),
    (403, {"Date": "Mon, 01 Jan 2035 00:00:00 -0000"}),
    (200, {f"X-{number}": "x" for number in range(200)}),
    (200, {"X": "x" * 70_000}),
]


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_no_header_is_more_than_a_failure_of_the_download(source: Source, fetch: Fetching, number: int) -> None:
    status, headers = HEADERS[number]
    source.serve("/x", b"data", status=status, headers={**headers}, body=b"data")
    with contextlib.suppress(VarloomError):  # and nothing else
        fetch(source.url("/x?Expires=1700000000&Signature=a"))


def test_a_beginning_of_many_comments_keeps_nobody(source: Source, fetch: Fetching) -> None:
    source.serve("/x", b"<!---->" * 146 + b"data")
    begun = time.process_time()
    fetch(source.url("/x"))
    assert time.process_time() - begun < 20


def test_name_and_password_of_a_url_go_to_its_host(source: Source, fetch: Fetching) -> None:
    source.serve("/x", b"data")
    fetch(source.url("/x").replace("://", "://ann:se%20cret@"))
    assert source.asked[0].headers["authorization"] == "Basic YW5uOnNlIGNyZXQ="
