"""How a request proves who asks: signed URLs and headers, made of a credential for one object.

Signing is done on this machine, nothing is asked of anyone for it: by obstore for S3 and Google, by `azure_sas` for
Azure. What is signed holds for an hour, and is made anew before that.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import unquote_to_bytes, urlsplit

from varloom.errors import VarloomError
from varloom.transfer.azure_sas import blob_sas
from varloom.transfer.problems import DOWNLOAD_SIGNATURE_WRONG, SOURCE_URL_INVALID
from varloom.transfer.source_url import AZURE_SUFFIX, Cloud, SourceUrl, asks_for_version, in_region, parse_source_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from obstore.store import GCSStore, S3Store

SIGNED_FOR = timedelta(hours=1)
SIGNED_ANEW_AFTER = 600.0
"""Seconds after which a URL is signed anew, long before it is over."""

CredentialKind = Literal["s3", "gcs", "azure_key", "azure_sas", "bearer"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves who asks. `values` are secret.

    `s3`: access_key, secret_key, and maybe session_token, region. `gcs`: service_account, the text of its
    JSON. `azure_key`: account, key. `azure_sas`: account, sas. `bearer`: token.
    """

    kind: CredentialKind
    values: dict[str, str] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, for a pipe that nobody else reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The credential from plain JSON values."""
        return cls(**values)


class Access:
    """The requests for one object: where to, and with which headers. Thread-safe."""

    def __init__(
        self, source: SourceUrl, credential: Credential | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source = source
        self._credential = credential
        self._clock = clock
        self._signed: tuple[float, str] | None = None

    @property
    def proves(self) -> bool:
        """Whether requests prove who asks."""
        return self._credential is not None or self.source.has_access

    def request(self) -> tuple[str, dict[str, str]]:
        """The web address to ask now, and headers that only its host may see.

        Raises:
            VarloomError: `source_url_invalid` or `download_signature_wrong`: the credential cannot be used.
        """
        headers = self._headers()
        match self._credential:
            case Credential("s3" | "gcs" | "azure_key"):
                return self._signed_url(), headers
            case Credential("azure_sas", values):
                url = _azure_url(self.source, values["account"])
                return f"{url}{'&' if '?' in url else '?'}{values['sas'].lstrip('?')}", headers
            case Credential("bearer", values):
                return _known_url(self.source), {**headers, "Authorization": f"Bearer {values['token']}"}
            case _:
                return _known_url(self.source), headers

    def learn_region(self, headers: Mapping[str, str]) -> bool:
        """Take note of the region that Amazon tells of a bucket; whether that was news, so that asking again helps."""
        region = headers.get("x-amz-bucket-region")
        if self.source.cloud is not Cloud.S3 or self.source.endpoint is not None or not region:
            return False
        if not re.fullmatch("[a-z0-9-]{1,30}", region) or region == self.source.region or self.source.has_access:
            return False
        self.source = in_region(self.source, region)
        self._signed = None
        return True

    def _headers(self) -> dict[str, str]:
        """Bytes are wanted as they are stored: Google unpacks gzip for those who do not say that they take it."""
        headers = {"Accept-Encoding": "gzip" if self.source.cloud is Cloud.GOOGLE else "identity"}
        if self.source.user is not None:
            user = base64.b64encode(unquote_to_bytes(self.source.user)).decode()
            headers["Authorization"] = f"Basic {user}"
        return headers

    def _signed_url(self) -> str:
        now = self._clock()
        if self._signed is None or now - self._signed[0] > SIGNED_ANEW_AFTER:
            self._signed = (now, self._sign())
        return self._signed[1]

    def _sign(self) -> str:
        source, credential = self.source, self._credential
        if credential is None or source.key is None:
            raise AssertionError("only objects are signed for")
        if asks_for_version(source.url):  # what is signed names the object alone
            raise VarloomError(
                SOURCE_URL_INVALID, "With a credential the newest version of an object is loaded; this URL names one."
            )
        try:
            signed = _signed(source, source.key, credential)
        except Exception as error:  # noqa: BLE001 - whatever it says could repeat a secret
            kind = type(error).__name__
            raise VarloomError(
                DOWNLOAD_SIGNATURE_WRONG, f"The credentials cannot be used to sign a request ({kind})."
            ) from None
        return signed


def _signed(source: SourceUrl, key: str, credential: Credential) -> str:
    """A web address that reads this object for an hour."""
    import obstore

    values = credential.values
    if credential.kind == "azure_key":
        account = source.account or values["account"]
        sas = blob_sas(account, values["key"], source.bucket or "", key, SIGNED_FOR)
        return f"{_azure_url(source, account)}?{sas}"
    if credential.kind == "gcs":
        key = key.replace("%", "%25")  # obstore decodes once more for Google than for others
    signed: str = obstore.sign(_store(source, credential), "GET", key, SIGNED_FOR)
    return signed


def _known_url(source: SourceUrl) -> str:
    if not source.url:
        raise VarloomError(
            SOURCE_URL_INVALID,
            f"az://CONTAINER/... needs credentials that name the account; without, give https://ACCOUNT{AZURE_SUFFIX}/...",
        )
    return source.url


def _azure_url(source: SourceUrl, account: str) -> str:
    return source.url or parse_source_url(f"az://{account}{AZURE_SUFFIX}/{source.bucket}/{source.key}").url


def _store(source: SourceUrl, credential: Credential) -> S3Store | GCSStore:
    """The client that signs. It never connects."""
    from obstore.store import GCSStore, S3Store

    values, bucket = credential.values, source.bucket or ""
    options: Any = {"allow_http": True}
    if credential.kind == "gcs":
        account = _service_account(values["service_account"], source.endpoint)
        return GCSStore(bucket, config={"service_account_key": account}, client_options=options)
    config: Any = {
        "access_key_id": values["access_key"],
        "secret_access_key": values["secret_key"],
        "region": source.region or values.get("region") or "us-east-1",
        "virtual_hosted_style_request": source.endpoint is None and "." not in bucket,
    }
    optional = {"session_token": values.get("session_token"), "endpoint": source.endpoint}
    config.update({name: value for name, value in optional.items() if value})
    return S3Store(bucket, config=config, client_options=options)


def _service_account(text: str, endpoint: str | None) -> str:
    """The service account, told to sign for the operator's endpoint if there is one."""
    import json

    account = json.loads(text)
    if endpoint:
        parts = urlsplit(endpoint)
        account["gcs_base_url"] = f"{parts.scheme}://{parts.netloc}"
    else:
        account.pop("gcs_base_url", None)
    return json.dumps(account)
