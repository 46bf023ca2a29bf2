"""What an object store or the way to it says, in Varloom's words.

The client's own messages are never passed on: they hold addresses, which for Azure can hold a signature.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from varloom.errors import ErrorKind, VarloomError
from varloom.storage.problems import (
    STORAGE_CREDENTIALS,
    STORAGE_FORBIDDEN,
    STORAGE_MISSING,
    STORAGE_UNREACHABLE,
    STORAGE_UNUSABLE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>|\"(?:reason|error)\": ?\"([A-Za-z_]{1,60})\"")

_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"}
_REFUSED = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
    *("RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed", "InvalidClientTokenId"),
    *("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "authError", "invalid_grant"),
}
_ASKED_FOR_CREDENTIALS = (
    *("performing token request", "/latest/api/token", "/security-credentials", "/computemetadata/"),
    *("/metadata/identity", "/oauth2/", "webidentity", "credentials"),
)
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@contextlib.contextmanager
def told(name: str, key: str) -> Iterator[None]:
    """Turn what the client raises into a VarloomError, or into FileNotFoundError when the object is not there.

    Args:
        name: the storage, as people know it: `s3://bucket/prefix`.
        key: what was asked for.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError, PermissionError) as error:
        text = str(error)
        if is_absent(error):
            raise FileNotFoundError(f"{name}: {key}") from None
        kind, what = _kind_of(text)
        raise VarloomError(kind, f"{name}: {what}") from None


def is_absent(error: BaseException) -> bool:
    """Whether the object is not there, and its bucket is."""
    return isinstance(error, FileNotFoundError) and _code(str(error)) not in _NO_BUCKET


def was_answered(error: BaseException) -> bool:
    """Whether the object store has answered at all."""
    return _STATUS.search(str(error)) is not None


def _kind_of(text: str) -> tuple[ErrorKind, str]:
    """The kind of failure, and what is told of it."""
    summary = text.lower().partition("debug source")[0]
    found = _STATUS.search(text)
    status, code = int(found[1]) if found else None, _code(text)
    if any(sign in summary for sign in _ASKED_FOR_CREDENTIALS) and code not in _REFUSED:
        return STORAGE_CREDENTIALS, "no credentials are in the environment, and none could be had elsewhere."
    if status is None:
        return STORAGE_UNREACHABLE, f"no answer: {_network_fault(text)}."
    return _kind_of_answer(status, code), f"it answers {status}" + (f" ({code})." if code else ".")


def _kind_of_answer(status: int, code: str | None) -> ErrorKind:
    """The kind of failure by what the object store answered."""
    match status:
        case _ if code in _NO_BUCKET or status == 404:
            return STORAGE_MISSING
        case _ if code in _REFUSED or status == 401:
            return STORAGE_CREDENTIALS
        case 403:
            return STORAGE_FORBIDDEN
        case _ if status in _BUSY:
            return STORAGE_UNREACHABLE
        case _:
            return STORAGE_UNUSABLE


def _code(text: str) -> str | None:
    """The error code in the body of an answer."""
    found = _CODE.search(text)
    return (found[1] or found[2]) if found else None


def _network_fault(text: str) -> str:
    """What the network said, in a few words of ours."""
    lowered = text.lower()
    faults = {
        "dns error": "its name is not known",
        "connection refused": "the connection was refused",
        "certificate": "its certificate is not trusted",
        "invalidcontenttype": "it does not speak TLS",
        "badscheme": "its address begins with http://, which has to be allowed",
        "kind: timeout": "it was silent for too long",
        "timedout": "it was silent for too long",
        "network is unreachable": "the network is down",
        "no route": "there is no way to it",
        "reset": "the connection broke off",
    }
    return next((words for sign, words in faults.items() if sign in lowered), "the connection failed")
