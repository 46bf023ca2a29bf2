"""What the URL of a source means: which cloud, which bucket, which object, and how it is shown without its secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from varloom.errors import VarloomError
from varloom.transfer.http_client import Origin
from varloom.transfer.problems import SOURCE_URL_INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

LONGEST_URL = 8192
"""Characters; presigned URLs with a session token have up to 3,000."""


class Cloud(StrEnum):
    """Whose rules a source follows."""

    S3 = "s3"
    GOOGLE = "gs"
    AZURE = "az"
    WEB = "https"


GOOGLE_ENDPOINT = "https://storage.googleapis.com"
AZURE_SUFFIX = ".blob.core.windows.net"

_S3_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:-accelerate|-website)?(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?"
    r"\.amazonaws\.com(?:\.cn)?"
)
_GOOGLE_API = re.compile(r"/(?:download/)?storage/v1/b/(?P<bucket>[^/]+)/o/(?P<key>.+)")
_GOOGLE_API_HOSTS = frozenset({"storage.googleapis.com", "www.googleapis.com"})
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,221}")
_SIGNED_BY = frozenset({"x-amz-signature", "x-goog-signature", "signature", "sig"})
"""Names of the parameters of a query that are a signature."""
_VERSIONED_BY = frozenset({"versionid", "generation", "snapshot"})
"""Names of those that ask for one version of an object."""


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """A file somewhere else.

    Attributes:
        url: the address of the file on the web, whole; what it holds beyond `shown` may be secret.
        cloud: whose rules it follows.
        shown: the URL as it may be shown, logged and kept: without anything that could be secret.
        name: what the file is called there.
        bucket: or container, of an object store.
        key: the object's name within it.
        endpoint: where the object store answers, without bucket and key; None for the cloud's own.
        account: of Azure.
        region: of S3, where the URL tells it.
        has_access: whether the URL itself carries a signature or a password.
        user: name and password that stood before the host, as they stood there.
    """

    url: str = field(repr=False)
    cloud: Cloud
    shown: str
    name: str
    bucket: str | None = None
    key: str | None = None
    endpoint: str | None = None
    account: str | None = None
    region: str | None = None
    has_access: bool = False
    user: str | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The host that is asked for it."""
        return urlsplit(self.url).hostname or ""


def parse_source_url(text: str, endpoints: Mapping[str, str] | None = None) -> SourceUrl:
    """Understand the URL of a source.

    Args:
        text: as the user gave it.
        endpoints: where `s3`, `gs` and `az` lead, if not to the public clouds (the setting `cloud_endpoints`).

    Raises:
        VarloomError: `source_url_invalid`; nothing of the URL's query is repeated.
    """
    given = text.strip()
    if not given or len(given) > LONGEST_URL or not given.isprintable():
        raise _invalid(f"A URL has 1 to {LONGEST_URL} characters, none of them a control character.")
    scheme, separator, rest = given.partition("://")
    if not separator:
        raise _invalid("A URL begins with https://, s3://, gs:// or az://.")
    endpoints = endpoints or {}
    match scheme.lower():
        case "s3":
            return _s3_object(*_bucket_and_key(rest, "s3"), endpoints.get("s3"))
        case "gs":
            return _google_object(*_bucket_and_key(rest, "gs"), endpoints.get("gs"))
        case "az":
            return _azure_object(*_bucket_and_key(rest, "az"), endpoints.get("az"))
        case "https" | "http":
            return _web_address(given, endpoints)
        case _:
            raise _invalid("Only https://, s3://, gs:// and az:// can be loaded.")


def shown_url(url: str) -> str:
    """A web address without what could be secret: user, password, the values of its query, and the fragment."""
    parts = urlsplit(url)
    user = "\u2026@" if "@" in parts.netloc else ""
    names = [name for name, value in parse_qsl(parts.query, keep_blank_values=True) if value.strip("=")]
    query = "?" + "&".join(f"{quote(name, safe='-_.~')}=\u2026" for name in names) if names else ""
    if parts.query and not names:
        query = "?\u2026"
    return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def _bucket_and_key(rest: str, scheme: str) -> tuple[str, str]:
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise _invalid(f"After {scheme}:// comes the name of a bucket or container, then / and the name of the object.")
    if not key or key.endswith("/"):
        raise _invalid(f"{scheme}://{bucket}/ is a bucket or folder; give the URL of one file.")
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise _invalid("Objects with empty parts, '.' or '..' between the slashes of their name cannot be loaded.")
    return bucket, key


def _s3_object(bucket: str, key: str, endpoint: str | None, region: str | None = None) -> SourceUrl:
    path = quote(key, safe="/~-._")
    if endpoint is not None:
        url = f"{endpoint.rstrip('/')}/{bucket}/{path}"
    else:
        host = f"s3.{region}.amazonaws.com" if region else "s3.amazonaws.com"
        # a bucket with a dot in its name is not covered by the certificate of the hosts of buckets
        url = f"https://{host}/{bucket}/{path}" if "." in bucket else f"https://{bucket}.{host}/{path}"
    return SourceUrl(
        url, Cloud.S3, f"s3://{bucket}/{key}", _last(key), bucket=bucket, key=key, endpoint=endpoint, region=region
    )


def in_region(source: SourceUrl, region: str) -> SourceUrl:
    """An object of Amazon's S3, asked for in the region where its bucket is."""
    found = _s3_object(source.bucket or "", source.key or "", None, region)
    query = urlsplit(source.url).query
    return replace(source, url=f"{found.url}?{query}" if query else found.url, region=region)


def is_signed(url: str) -> bool:
    """Whether a web address itself proves who asks."""
    return bool(_parameters(url) & _SIGNED_BY) or urlsplit(url).username is not None


def asks_for_version(url: str) -> bool:
    """Whether a web address names one version of an object, be it the newest or not."""
    return bool(_parameters(url) & _VERSIONED_BY)


def _parameters(url: str) -> set[str]:
    return {name.lower() for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}


def _google_object(bucket: str, key: str, endpoint: str | None) -> SourceUrl:
    url = f"{(endpoint or GOOGLE_ENDPOINT).rstrip('/')}/{bucket}/{quote(key, safe='/~-._')}"
    return SourceUrl(url, Cloud.GOOGLE, f"gs://{bucket}/{key}", _last(key), bucket=bucket, key=key, endpoint=endpoint)


def _azure_object(container: str, key: str, endpoint: str | None) -> SourceUrl:
    """An Azure blob. Its account stands in the URL, in the operator's endpoint, or comes with the credentials."""
    shown = f"az://{container}/{key}"
    account = None
    if "." in container:
        host = container.lower()
        if not host.endswith(AZURE_SUFFIX):
            raise _invalid(f"az:// is followed by a container, or by ACCOUNT{AZURE_SUFFIX}/CONTAINER.")
        account = host.removesuffix(AZURE_SUFFIX)
        container, key = _bucket_and_key(key, "az")
        endpoint = f"https://{host}"
    elif endpoint is not None:
        account = urlsplit(endpoint).path.strip("/") or None
    url = f"{endpoint.rstrip('/')}/{container}/{quote(key, safe='/~-._')}" if endpoint else ""
    return SourceUrl(url, Cloud.AZURE, shown, _last(key), bucket=container, key=key, endpoint=endpoint, account=account)


def _web_address(given: str, endpoints: Mapping[str, str]) -> SourceUrl:
    """An https:// URL, which may be that of an object in a cloud."""
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _invalid("The host or the port in the URL cannot be read.") from None
    if not host or port == 0:
        raise _invalid("The URL names no host.")
    shown = shown_url(given)
    name = _last(unquote(parts.path)) or host
    user, _, place_of_host = parts.netloc.rpartition("@")
    url = parts._replace(scheme=parts.scheme.lower(), netloc=place_of_host, fragment="").geturl()
    try:
        Origin.of(url)
    except ValueError:
        raise _invalid("The host or the port in the URL cannot be read.") from None
    if (found := _google_api_object(parts, host, shown, endpoints)) is not None:
        return found
    has_access = is_signed(given)
    place = _object_of(parts, host, endpoints)
    if place is None:
        return SourceUrl(url, Cloud.WEB, shown, name, has_access=has_access, user=user or None)
    return SourceUrl(
        url,
        place.cloud,
        shown,
        name,
        bucket=place.bucket,
        key=place.key,
        endpoint=place.endpoint,
        account=place.account,
        region=place.region,
        has_access=has_access,
    )


def _google_api_object(parts: SplitResult, host: str, shown: str, endpoints: Mapping[str, str]) -> SourceUrl | None:
    """The object that an address of Google's JSON API names, as its `selfLink` and `mediaLink` do.

    It is asked for as any other object of Google, but where its query says more than which version is meant.
    """
    found = _GOOGLE_API.fullmatch(parts.path)
    own = endpoints.get("gs")
    base = urlsplit(own) if own else None
    is_own = base is not None and (base.scheme, base.netloc) == (parts.scheme.lower(), parts.netloc)
    if found is None or not (is_own or host in _GOOGLE_API_HOSTS):
        return None
    bucket, key = unquote(found["bucket"]), unquote(found["key"])
    if not _BUCKET.fullmatch(bucket) or key.endswith("/"):
        raise _invalid("The URL of Google's JSON API names no object.")
    plain = _google_object(bucket, key, own if is_own else None)
    query = parse_qsl(parts.query, keep_blank_values=True)
    names = {name.lower() for name, _ in query}
    if names <= {"alt"} and "@" not in parts.netloc:
        return plain
    if names <= {"alt", "generation"} and "@" not in parts.netloc:
        version = urlencode([pair for pair in query if pair[0].lower() == "generation"])
        return replace(plain, url=f"{plain.url}?{version}", shown=shown)
    asked = urlencode([*(pair for pair in query if pair[0].lower() != "alt"), ("alt", "media")])
    user, _, place_of_host = parts.netloc.rpartition("@")
    url = parts._replace(scheme=parts.scheme.lower(), netloc=place_of_host, query=asked, fragment="").geturl()
    return replace(plain, url=url, shown=shown, has_access="access_token" in names or bool(user), user=user or None)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a web address leads in a cloud."""

    cloud: Cloud
    bucket: str
    key: str
    endpoint: str | None = None
    account: str | None = None
    region: str | None = None


def _object_of(parts: SplitResult, host: str, endpoints: Mapping[str, str]) -> _Place | None:
    """The object that a web address names, if it does."""
    place = _at_endpoint(parts, endpoints) or _in_public_cloud(host, unquote(parts.path).lstrip("/"))
    return place if place and place.key else None


def _at_endpoint(parts: SplitResult, endpoints: Mapping[str, str]) -> _Place | None:
    """The object at an endpoint of the operator."""
    path = unquote(parts.path).lstrip("/")
    for scheme, endpoint in endpoints.items():
        base = urlsplit(endpoint)
        prefix = base.path.strip("/")
        if (base.scheme, base.netloc) == (parts.scheme.lower(), parts.netloc) and path.startswith(prefix):
            bucket, _, key = path.removeprefix(prefix).lstrip("/").partition("/")
            return _Place(Cloud(scheme), bucket, key, endpoint, prefix or None)
    return None


def _in_public_cloud(host: str, path: str) -> _Place | None:
    """The object of a public cloud, whose bucket stands in the host's name or first in the path."""
    bucket, _, key = path.partition("/")
    google = f".{urlsplit(GOOGLE_ENDPOINT).hostname}"
    if found := _S3_HOST.fullmatch(host):
        bucket, key = (found["bucket"], path) if found["bucket"] else (bucket, key)
        return _Place(Cloud.S3, bucket, key, region=found["region"])
    if f".{host}".endswith(google):
        bucket, key = (bucket, key) if f".{host}" == google else (host.removesuffix(google), path)
        return _Place(Cloud.GOOGLE, bucket, key)
    if host.endswith(AZURE_SUFFIX):
        return _Place(Cloud.AZURE, bucket, key, f"https://{host}", host.removesuffix(AZURE_SUFFIX))
    return None


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _invalid(message: str) -> VarloomError:
    return VarloomError(SOURCE_URL_INVALID, message)
