"""A web server on this machine that serves files well or badly, as a test asks: ranges, cuts, stalls, refusals."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
HOST = "127.0.0.1"


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0


@dataclass
class Served:
    """What the server has at one path.

    Attributes:
        content: the bytes.
        status: instead of 200 and 206.
        headers: further ones.
        body: of another status.
        cut_after: bytes of the body after which the connection is closed, one for each of the next answers.
        hold: answers send so many bytes and then wait until `released`.
        ranges: whether ranges are understood.
        etag: the ETag; None: that of the content; "": none.
        pace: bytes a second of each answer.
    """

    content: bytes = b""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: list[int] = field(default_factory=list)
    hold: int | None = None
    ranges: bool = True
    etag: str | None = None
    pace: int | None = None
    released: threading.Event = field(default_factory=threading.Event)
    script: Callable[[Asked], Served] | None = None


class Source:
    """A running server. `serve` puts something at a path; `asked` is all that was asked for."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.served: dict[str, Served] = {}
        self.asked: list[Asked] = []
        self._server = _Server((HOST, 0), _Handler)
        self._server.source = self
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme = "https"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """As an operator lists it."""
        return f"{HOST}:{self.port}"

    def url(self, path: str, host: str = HOST) -> str:
        """The address of a path."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def serve(self, path: str, content: bytes = b"", **how: Any) -> Served:
        """Put something at a path."""
        served = self.served[path] = Served(content, **how)
        return served

    def serve_to_bearer(self, path: str, content: bytes, token: str) -> Served:
        """Put something at a path for those who send the token; others are not known (401)."""

        def look(asked: Asked) -> Served:
            known = asked.headers.get("authorization") == f"Bearer {token}"
            return Served(content) if known else Served(status=401)

        return self.serve(path, script=look)

    def sent(self) -> int:
        """All bytes of bodies that were sent."""
        return sum(asked.sent for asked in self.asked)

    def close(self) -> None:
        """End it; answers that are held break off."""
        for served in self.served.values():
            served.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class WebServer(ThreadingHTTPServer):
    """A thread for each connection; clients that go away, or do not trust it, are what tests are about."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class WebHandler(BaseHTTPRequestHandler):
    """Says nothing of what it does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send all that comes before the body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """A whole answer; its Content-Length may be among the headers."""
        self.begin(status, {"Content-Length": str(len(body)), **headers})
        self.wfile.write(body)

    def break_off(self) -> None:
        """Close the connection, whatever was promised."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _Server(WebServer):
    source: Source


class _Handler(WebHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        self.server.source.asked.append(asked)
        served = self.server.source.served.get(
            unquote(urlsplit(self.path).path), Served(status=404, body=b"no such page")
        )
        if served.script is not None:
            served = served.script(asked)
        if served.status is not None:
            self.answer(served.status, served.headers, served.body)
        else:
            self._send(served, asked)

    do_HEAD = do_GET  # noqa: N815 - the library wants this name

    def _send(self, served: Served, asked: Asked) -> None:
        content = served.content
        etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"' if served.etag is None else served.etag
        wanted = _RANGE.fullmatch(asked.headers.get("range", "")) if served.ranges else None
        if wanted and asked.headers.get("if-range", etag) not in {etag, served.headers.get("Last-Modified")}:
            wanted = None
        start, end = 0, len(content)
        if wanted:
            start, end = int(wanted[1]), min(len(content), int(wanted[2] or len(content) - 1) + 1)
        if wanted and start >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        headers = {"Content-Length": str(end - start), "Content-Type": "application/octet-stream"}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        if etag:
            headers["ETag"] = etag
        self.begin(206 if wanted else 200, {**headers, **served.headers})
        if self.command != "HEAD":
            self._send_body(served, asked, content[start:end])

    def _send_body(self, served: Served, asked: Asked, body: bytes) -> None:
        cut = served.cut_after.pop(0) if served.cut_after else None
        stop = len(body) if cut is None else min(cut, len(body))
        held = served.hold
        for at in range(0, stop, 64 * 1024):
            chunk = body[at : min(stop, at + 64 * 1024)]
            if held is not None and at + len(chunk) > held:
                self.wfile.write(chunk[: held - at])
                asked.sent += max(0, held - at)
                self.wfile.flush()
                served.released.wait()
                chunk, held = chunk[max(0, held - at) :], None
            self.wfile.write(chunk)
            asked.sent += len(chunk)
            if served.pace:
                time.sleep(len(chunk) / served.pace)
        if cut is not None and cut < len(body):
            self.break_off()


@contextlib.contextmanager
def web_source(certificate: tuple[Path, Path] | None = None) -> Iterator[Source]:
    """A server for the length of the block."""
    source = Source(certificate)
    try:
        yield source
    finally:
        source.close()


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test: its own certificate, and what it makes."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        """For SSL_CERT_FILE."""
        return self.folder / "authority.pem"

    def issue(self, *names: str, days: int = 2, name: str = "server") -> tuple[Path, Path]:
        """A certificate and its key for these hosts and addresses; already expired where `days` is negative."""
        import ipaddress

        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = []
        for host in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                alternatives.append(x509.DNSName(host))
        certificate = _certificate("server", key, self.certificate.subject, self.key, days, alternatives)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(_pem(key))
        return paths


def make_authority(folder: Path) -> Authority:
    """A new authority, whose certificate lies in the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    made = Authority(folder, key, _certificate("test authority", key, subject, key, 3, None))
    made.file.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    return made


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
    alternatives: list[x509.GeneralName] | None,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=alternatives is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
