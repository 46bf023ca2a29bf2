"""Mails of Varloom: plain text, made here, and sent through the operator's mail server.

No header holds anything that a user wrote but their own address, which is checked to be nothing else. The text tells
no sample names unless the operator wants it, and nothing of any file.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import threading
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import TYPE_CHECKING

from varloom.errors import counted, safe_excerpt
from varloom.services.notices.outcome import Outcome
from varloom.transfer.http_client import tls_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from varloom.services.notices.payload import ToldJob
    from varloom.settings import Settings

MOST_LISTED = 100
"""Jobs of one mail that are told of one by one; failed ones come first."""
ANSWER_TIMEOUT = 20.0
"""Seconds that each answer of the mail server may take."""
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is to be sent. `number` is the same at each attempt."""

    to: str
    number: str
    at: datetime
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class MailServer:
    """The operator's mail server."""

    settings: Settings

    @property
    def is_there(self) -> bool:
        """Whether mails can be sent at all."""
        return self.settings.smtp_host is not None

    async def sent(self, mail: Mail) -> Outcome:
        """Hand one mail over, in a thread that does not keep the process from ending; how it went."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        outcomes: list[Outcome] = []

        def send() -> None:
            outcomes.append(self.send(mail))
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=send, name="mail", daemon=True).start()
        await ended.wait()
        return outcomes[0]

    def send(self, mail: Mail) -> Outcome:
        """Hand one mail over, waiting for it; how it went. It never raises for what the other side does."""
        try:
            with self._connected() as server:
                server.send_message(self.message_of(mail), from_addr=self.settings.mail_from, to_addrs=[mail.to])
        except (smtplib.SMTPException, OSError) as error:
            return _failure(error, mail.to)
        return Outcome(status=250, delivered=True)

    def greeted(self) -> Outcome:
        """Connect and log in as for a mail, and send none; how that went."""
        try:
            with self._connected() as server:
                server.noop()
        except (smtplib.SMTPException, OSError) as error:
            return _failure(error, "")
        return Outcome(status=250, delivered=True)

    def message_of(self, mail: Mail) -> EmailMessage:
        """The mail with its headers; the policy refuses line ends in them."""
        sender = self.settings.mail_from or ""
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = Address("Varloom", addr_spec=sender)
        message["To"] = Address(addr_spec=mail.to)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.number}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(mail.text, cte="quoted-printable")
        return message

    def _connected(self) -> smtplib.SMTP:
        """A connection that is secured and logged in as the settings say; nothing is sent in clear text otherwise."""
        settings, security = self.settings, self.settings.smtp_security
        host, port = settings.smtp_host or "", settings.smtp_port or _PORTS[security]
        own_name = (settings.mail_from or "").rpartition("@")[2] or None
        if security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, local_hostname=own_name, timeout=ANSWER_TIMEOUT, context=tls_context()
            )
        else:
            server = smtplib.SMTP(host, port, local_hostname=own_name, timeout=ANSWER_TIMEOUT)
        try:
            if security == "starttls":
                server.starttls(context=tls_context())
            if settings.smtp_user is not None and settings.smtp_password is not None:
                server.login(settings.smtp_user, settings.smtp_password)
        except BaseException:
            server.close()
            raise
        return server


def _failure(error: smtplib.SMTPException | OSError, to: str) -> Outcome:
    """Why a mail was not taken, in words that may be shown to whom it was for."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, said = error.recipients.get(to, (0, b""))
            return Outcome(status=code or None, problem=f"The mail server refused the address: {_said(code, said)}.")
        case smtplib.SMTPAuthenticationError():  # what it says is for the operator alone
            return Outcome(status=error.smtp_code, problem="The mail server does not let this server in.")
        case smtplib.SMTPNotSupportedError():
            told = "The mail server does not offer what the settings ask for, such as STARTTLS."
        case smtplib.SMTPResponseException():
            answer = _said(error.smtp_code, error.smtp_error)
            return Outcome(status=error.smtp_code, problem=f"The mail server refused the mail: {answer}.")
        case ssl.SSLCertVerificationError():
            told = f"The certificate of the mail server is not trusted: {error.verify_message}."
        case _:
            told = "The mail server cannot be reached, or ended the connection."
    return Outcome(problem=told)


def jobs_mail(to: str, number: str, at: datetime, jobs: Sequence[ToldJob], public_url: str) -> Mail:
    """The mail that tells of jobs that have ended."""
    ended = sorted(jobs, key=lambda job: (job.state != "failed", job.finished_at))
    failed = sum(job.state == "failed" for job in ended)
    parts = [counted(failed, "job") + " failed"] if failed else []
    if completed := len(ended) - failed:
        parts.append(f"{completed:,} completed" if failed else counted(completed, "job") + " completed")
    subject = "Varloom: " + ", ".join(parts)
    lines = [_line(job) for job in ended[:MOST_LISTED]]
    if more := len(ended) - MOST_LISTED:
        lines += [f"And {more:,} more: {public_url}/jobs"] if more > 0 else []
    return Mail(to, number, at, subject, "\n\n".join([*lines, _foot(public_url)]))


def test_mail(to: str, number: str, at: datetime, public_url: str) -> Mail:
    """The mail of *Send a test*."""
    text = f"This is a test. No job has ended.\n\n{_foot(public_url)}"
    return Mail(to, number, at, "Varloom: a test", text)


def confirmation_mail(to: str, number: str, at: datetime, link: str, hours: float) -> Mail:
    """The mail with the link that confirms an address. It tells nothing else: somebody may have mistyped theirs."""
    text = (
        "Somebody asked for notices of Varloom at this address. If it was you, open this link, log in and confirm:\n\n"
        f"{link}\n\nIt works once, within {hours:g} hours. If it was not you, do nothing: nothing else is sent here.\n"
    )
    return Mail(to, number, at, "Varloom: confirm this address", text)


def _line(job: ToldJob) -> str:
    """One job: its sample where that may be told, what became of it, and where to look."""
    name = f"{safe_excerpt(job.sample_name, 100)}: " if job.sample_name else ""
    if job.error is not None:
        where = f" ({job.error.stage})" if job.error.stage else ""
        told = f"failed{where}: {job.error.code} - {job.error.title}"
    else:
        told = "completed" + (f" with {counted(job.records, 'record')}" if job.records is not None else "")
    return f"{name}{told}\n{job.url}"


def _foot(public_url: str) -> str:
    return f"--\nWhat you are sent is chosen at {public_url}/account/notices\n"


def _said(code: int, said: bytes | str) -> str:
    """What a mail server said, as far as it is short and plain."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"{code} {safe_excerpt(text, 120)}".strip().rstrip(".")
