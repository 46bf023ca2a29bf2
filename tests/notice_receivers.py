"""Those who are told of jobs, on this machine: a web server that takes calls, and a mail server that takes mails."""

from __future__ import annotations

import contextlib
import email
import email.policy
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from tests.ports import free_port
from tests.sources import WebHandler, WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage
    from pathlib import Path

HOST = "127.0.0.1"
USER, PASSWORD = "varloom", "kanarienvogel-smtp"


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition comes to, once it is anything."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return found


@dataclass
class Call:
    """One request that came whole."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A web server that is called. `answers` says with what; by default 204.

    Attributes:
        hold: while it is set, no call is answered.
        location: where redirects lead.
        endless: answers have a body without end.
    """

    calls: list[Call] = field(default_factory=list)
    answers: Callable[[Call], int] = lambda _: 204
    hold: threading.Event = field(default_factory=threading.Event)
    location: str = ""
    endless: bool = False
    sent: int = 0
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"{HOST}:{self.port}"

    def url(self, path: str = "/hook") -> str:
        return f"http://{self.endpoint}{path}"


class _Handler(WebHandler):
    def do_POST(self) -> None:  # noqa: N802 - the name that http.server wants
        receiver: Receiver = self.server.receiver
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # who called was killed in the midst of it
            return
        call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        receiver.calls.append(call)
        while receiver.hold.is_set():
            time.sleep(0.02)
        status = receiver.answers(call)
        if not receiver.endless:
            self.answer(status, {"Location": receiver.location} if receiver.location else {})
            return
        self.begin(status, {"Transfer-Encoding": "chunked"})
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                receiver.sent += 65536


@contextlib.contextmanager
def receiving(certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A receiver for the length of the block."""
    receiver = Receiver()
    server = WebServer((HOST, 0), _Handler)
    server.receiver = receiver
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.clear()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailBox:
    """What a mail server was given."""

    raw: list[bytes] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    refusal: str = ""
    port: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        return [email.message_from_bytes(one, policy=email.policy.default) for one in self.raw]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        self.to.append(envelope.rcpt_tos)
        self.raw.append(envelope.content)  # last: who waits for a mail finds all of it
        return "250 OK"


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=known)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.SMTP_kwargs)


@contextlib.contextmanager
def mail_server(box: MailBox, certificate: tuple[Path, Path], port: int = 0) -> Iterator[MailBox]:
    """A mail server that takes mails of those who log in, over STARTTLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    controller = _Controller(
        box,
        hostname=HOST,
        port=port or free_port(),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=_authenticate,
    )
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
