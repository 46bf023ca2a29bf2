"""What went wrong on the way to a source, in Varloom's words."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

import urllib3

from varloom.errors import VarloomError
from varloom.transfer import problems
from varloom.transfer.http_client import ConnectFailedError, proxy_failure

if TYPE_CHECKING:
    from varloom.errors import ErrorKind

_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")


def network_failure(error: Exception, host: str) -> VarloomError:
    """The failure of a request that got no answer, or not all of it.

    Args:
        error: what urllib3 or the system says.
        host: who was asked.
    """
    for cause in (error, *_causes(error)):
        if isinstance(cause, VarloomError):
            return cause
        if isinstance(cause, urllib3.exceptions.ProxyError):
            found = _TUNNEL_STATUS.match(str(cause.original_error))
            return proxy_failure(int(found[1]) if found else None)
        told = _told(cause, host, connecting=isinstance(error, ConnectFailedError))
        if told is not None:
            return VarloomError(*told)
    if isinstance(error, ConnectFailedError):
        reason = getattr(error.__cause__, "strerror", None) or "the connection failed"
        return VarloomError(problems.DOWNLOAD_UNREACHABLE, f"{host} cannot be reached: {reason}.")
    return VarloomError(problems.DOWNLOAD_INTERRUPTED, f"The connection to {host} broke off.")


def _told(cause: BaseException, host: str, *, connecting: bool) -> tuple[ErrorKind, str] | None:
    """The class and the words for one of the errors that a failure came from; None where it tells nothing."""
    told: tuple[ErrorKind, str] | None = None
    match cause:
        case ssl.SSLCertVerificationError():
            told = problems.DOWNLOAD_TLS, f"The certificate of {host} is not accepted: {cause.verify_message}."
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            told = problems.DOWNLOAD_INTERRUPTED, f"The connection to {host} broke off."
        case ssl.SSLError():
            told = problems.DOWNLOAD_TLS, f"{host} does not speak TLS as it should."
        case socket.gaierror():
            told = problems.DOWNLOAD_DNS, f"The name {host} is not known."
        case TimeoutError() | urllib3.exceptions.TimeoutError():
            what = "does not take the connection" if connecting else "sent nothing"
            told = problems.DOWNLOAD_STALLED, f"{host} {what} for too long."
        case ConnectionRefusedError():
            told = problems.DOWNLOAD_UNREACHABLE, f"{host} refuses the connection."
    return told


def _causes(error: BaseException) -> list[BaseException]:
    """What an error came from, innermost last."""
    found: list[BaseException] = []
    queue: list[BaseException | None] = [error.__cause__, error.__context__, *_inner(error)]
    while queue:
        one = queue.pop(0)
        if one is not None and one not in found and one is not error:
            found.append(one)
            queue += [one.__cause__, one.__context__, *_inner(one)]
    return found


def _inner(error: BaseException) -> list[BaseException]:
    """The errors that an error carries among its arguments."""
    return [one for one in (*error.args, getattr(error, "reason", None)) if isinstance(one, BaseException)]
