"""What a source answers, in Varloom's words: which version of the file, which checksums, and why it refuses.

Nothing of an answer's text is passed on but its error code: the rest can hold addresses with signatures.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from varloom.errors import ErrorKind, Place, VarloomError
from varloom.transfer import problems
from varloom.transfer.model import Checksum, Version
from varloom.transfer.source_url import Cloud, SourceUrl, is_signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.transfer.http_client import Answer

_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>|\"(?:reason|code|error)\": ?\"([A-Za-z_]{1,60})\"")
_AZURE_CODE = re.compile("[A-Za-z_]{1,60}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_EXPIRED_TEXT = re.compile(r"has expired|expired|not valid in the specified time frame", re.IGNORECASE)
_SIGNATURE = {
    *("SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "AuthorizationHeaderMalformed", "InvalidSecurity"),
    *("RequestTimeTooSkewed", "InvalidClientTokenId", "AuthorizationQueryParametersError", "IncompleteSignature"),
    *("AuthenticationFailed", "InvalidAuthenticationInfo", "authError", "invalid_grant", "invalid_token"),
}
_NOT_PUBLIC = {"PublicAccessNotPermitted", "NoAuthenticationInformation", "ResourceNotFound"}
_KIND_OF_CODE = {
    **dict.fromkeys(("InvalidObjectState", "BlobArchived"), problems.DOWNLOAD_ARCHIVED),
    **dict.fromkeys(
        ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "ContainerBeingDeleted", "InvalidResourceName"),
        problems.DOWNLOAD_NO_BUCKET,
    ),
    **dict.fromkeys(
        ("SlowDown", "ServerBusy", "TooManyRequests", "RequestLimitExceeded", "rateLimitExceeded"),
        problems.DOWNLOAD_RATE_LIMITED,
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "ExpiredPresignRequest"),
        problems.DOWNLOAD_EXPIRED,
    ),
}
_KIND_OF_STATUS = {
    404: problems.DOWNLOAD_NOT_FOUND,
    408: problems.DOWNLOAD_SERVER_ERROR,
    410: problems.DOWNLOAD_NOT_FOUND,
    412: problems.DOWNLOAD_SOURCE_CHANGED,
    425: problems.DOWNLOAD_SERVER_ERROR,
}
_LONGEST_WAIT = 3600.0
_SETTLED_AFTER = timedelta(seconds=2)
"""By the source's own clock; the header has whole seconds."""
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
"""Nothing of it is tried twice, so that no answer can keep us: a hundred comments could be split in 2 ** 100 ways."""
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Extent:
    """Which bytes of the file an answer brings: from `start` up to `end`, which is not known of an endless one."""

    start: int
    end: int | None


def extent_of(answer: Answer) -> Extent:
    """Which bytes the answer brings; VarloomError `download_unexpected_answer` if it does not say."""
    if answer.status == 200:
        return Extent(0, _length(answer.headers))
    found = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if found is None:
        raise VarloomError(problems.DOWNLOAD_UNEXPECTED_ANSWER, "A part was asked for, and which came is not said.")
    return Extent(int(found[1]), int(found[2]) + 1)


def version_of(answer: Answer) -> Version:
    """Which version of the file the answer comes from."""
    headers = answer.headers
    if answer.status == 200:
        size = _length(headers)
    else:
        found = _RANGE.fullmatch(headers.get("content-range", "").strip())
        size = int(found[3]) if found and found[3] != "*" else None
    return Version(size, headers.get("etag"), headers.get("x-goog-generation"), _settled_change(headers))


def _settled_change(headers: Mapping[str, str]) -> str | None:
    """When the file was changed last, unless it could be changed again within the second that this names."""
    text = headers.get("last-modified", "")
    changed, now = _moment(text), _moment(headers.get("date", ""))
    return text if changed and now and now - changed >= _SETTLED_AFTER else None


def _length(headers: Mapping[str, str]) -> int | None:
    return _number(headers.get("content-length", ""))


def _number(text: str) -> int | None:
    """A number as a header has it; None for what is none, or could be no length."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def checksums_of(answer: Answer, source: SourceUrl) -> tuple[Checksum, ...]:
    """The checksums of the whole file that the answer tells, the strongest first."""
    headers, whole = answer.headers, answer.status == 200
    told = [
        ("sha256", _item(headers.get("repr-digest", ""), "sha-256")),
        ("sha256", _item(headers.get("digest", ""), "sha-256") if whole else None),
        ("crc32c", _item(headers.get("x-goog-hash", ""), "crc32c")),
        ("md5", _item(headers.get("x-goog-hash", ""), "md5")),
        ("md5", _hexadecimal(headers.get("x-ms-blob-content-md5", ""))),
        ("md5", _hexadecimal(headers.get("content-md5", "")) if whole else None),
        ("md5", _md5_of_etag(answer, source)),
    ]
    first = {name: value for name, value in reversed(told) if value}
    return tuple(Checksum(name, first[name]) for name in ("sha256", "crc32c", "md5") if name in first)


def _item(header: str, wanted: str) -> str | None:
    """A checksum of a header that lists several as NAME=VALUE."""
    for item in header.split(","):
        name, _, value = item.strip().partition("=")
        if name.lower() == wanted:
            return _hexadecimal(value.strip(":"))
    return None


def _md5_of_etag(answer: Answer, source: SourceUrl) -> str | None:
    """The ETag of an object that Amazon holds in one part is its MD5, unless a key of the customer encrypts it."""
    host = urlsplit(answer.url).hostname or ""
    etag = answer.headers.get("etag", "").strip('"').lower()
    encrypted = answer.headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or any(
        name.lower().startswith("x-amz-server-side-encryption-customer") for name in answer.headers
    )
    is_amazon = source.cloud is Cloud.S3 and ".amazonaws.com" in host
    return etag if is_amazon and not encrypted and re.fullmatch("[0-9a-f]{32}", etag) else None


def _hexadecimal(text: str) -> str | None:
    """A checksum in base64, in hexadecimal; None for what is none."""
    with contextlib.suppress(binascii.Error, ValueError):
        return base64.b64decode(text.strip(), validate=True).hex() or None
    return None


def file_name_of(answer: Answer) -> str | None:
    """What the source calls the file, if it says so."""
    found = re.search(r'filename\s*=\s*"?([^";]+)', answer.headers.get("content-disposition", ""), re.IGNORECASE)
    return found[1].strip() if found else None


def refuse_page(first: bytes, source: SourceUrl) -> None:
    """Refuse content that begins as an HTML page does.

    Raises:
        VarloomError: `download_is_page`.
    """
    if _PAGE.match(first):
        raise VarloomError(problems.DOWNLOAD_IS_PAGE, f"{source.host} answers with an HTML page.")


def failure_of(answer: Answer, source: SourceUrl, *, has_access: bool) -> VarloomError:
    """Why the source refuses.

    Args:
        answer: its answer, of which the body is read here.
        source: what was asked for.
        has_access: whether the request proved who asks.
    """
    body = answer.error_body()
    answer.drop()
    found = _CODE.search(body)
    azure = _AZURE_CODE.fullmatch(answer.headers.get("x-ms-error-code", ""))
    code = azure[0] if azure else ((found[1] or found[2]) if found else None)
    challenge = answer.headers.get("www-authenticate", "")
    expired = _has_expired(answer.url, answer.headers) or bool(_EXPIRED_TEXT.search(body + challenge))
    has_access = has_access or is_signed(answer.url)
    if code == "AuthorizationFailure" and "failed to authenticate" in body:
        code = "AuthenticationFailed"  # Azure's emulator calls it so
    kind = _kind_of(answer.status, code, source, has_access=has_access, expired=expired)
    told = f" ({code})" if code else ""
    host = urlsplit(answer.url).hostname
    error = VarloomError(kind, f"{host} answers {answer.status}{told}.", Place(url=source.shown))
    error.retry_after = _retry_after(answer.headers)
    return error


def _kind_of(status: int, code: str | None, source: SourceUrl, *, has_access: bool, expired: bool) -> ErrorKind:
    """The class of a refusal."""
    denied = status in {401, 403} or code in _SIGNATURE
    if code in _KIND_OF_CODE:
        return _KIND_OF_CODE[code]
    if status == 429:
        return problems.DOWNLOAD_RATE_LIMITED
    if not has_access and (denied or (code in _NOT_PUBLIC and source.cloud is Cloud.AZURE)):
        return problems.DOWNLOAD_NOT_PUBLIC
    if denied:
        return _kind_of_denial(status, code, expired=expired)
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    return problems.DOWNLOAD_SERVER_ERROR if status >= 500 else problems.DOWNLOAD_UNEXPECTED_ANSWER


def _kind_of_denial(status: int, code: str | None, *, expired: bool) -> ErrorKind:
    """Why somebody who proved who asks is denied."""
    if expired:
        return problems.DOWNLOAD_EXPIRED
    if code in _SIGNATURE or status == 401:
        return problems.DOWNLOAD_SIGNATURE_WRONG
    return problems.DOWNLOAD_FORBIDDEN


def _has_expired(url: str, headers: Mapping[str, str]) -> bool:
    """Whether a signed URL is over by the clock of the source, or by ours."""
    query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    end: datetime | None = None
    with contextlib.suppress(ValueError, KeyError, OverflowError):
        if "se" in query:
            end = datetime.fromisoformat(query["se"])
            end = end if end.tzinfo else end.replace(tzinfo=UTC)
        elif "expires" in query:
            end = datetime.fromtimestamp(int(query["expires"]), UTC)
        else:
            prefix = "x-amz" if "x-amz-date" in query else "x-goog"
            begin = datetime.strptime(query[f"{prefix}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            end = begin + timedelta(seconds=int(query[f"{prefix}-expires"]))
    if end is None:
        return False
    return end < (_moment(headers.get("date", "")) or datetime.now(UTC))


def _moment(text: str) -> datetime | None:
    """A moment as a header has it."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        found = parsedate_to_datetime(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the source asks to wait."""
    text = headers.get("retry-after", "").strip()
    if (seconds := _number(text)) is not None:
        return min(_LONGEST_WAIT, float(seconds))
    if (moment := _moment(text)) is not None:
        return min(_LONGEST_WAIT, max(0.0, (moment - datetime.now(UTC)).total_seconds()))
    return None
