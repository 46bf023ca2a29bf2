"""Where a credential may be sent: to the bucket, container or host that it was stored for, and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.transfer.http_client import Origin
from varloom.transfer.problems import CREDENTIAL_INVALID
from varloom.transfer.source_url import Cloud, SourceUrl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.transfer.access import CredentialKind

_BUCKET = "[A-Za-z0-9$][A-Za-z0-9._-]{0,221}"
_S3 = re.compile(f"s3://({_BUCKET})?")
_GOOGLE = re.compile(f"gs://({_BUCKET})?")
_AZURE = re.compile(f"az://([a-z0-9]{{3,24}})(?:/({_BUCKET}))?")
_WEB = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")

REQUIRED: Mapping[CredentialKind, tuple[str, ...]] = {
    "s3": ("access_key", "secret_key"),
    "gcs": ("service_account",),
    "azure_key": ("key",),
    "azure_sas": ("sas",),
    "bearer": ("token",),
}
OPTIONAL: Mapping[CredentialKind, tuple[str, ...]] = {"s3": ("session_token", "region")}
EXAMPLES: Mapping[CredentialKind, str] = {
    "s3": "s3://BUCKET, or s3:// for all buckets",
    "gcs": "gs://BUCKET, or gs:// for all buckets",
    "azure_key": "az://ACCOUNT/CONTAINER, or az://ACCOUNT for all its containers",
    "azure_sas": "az://ACCOUNT/CONTAINER, or az://ACCOUNT for all its containers",
    "bearer": "https://HOST or https://HOST:PORT",
}
_FORMS = {"s3": _S3, "gcs": _GOOGLE, "azure_key": _AZURE, "azure_sas": _AZURE, "bearer": _WEB}


def checked_scope(kind: CredentialKind, scope: str) -> str:
    """The scope in the one form in which it is kept.

    Raises:
        VarloomError: `credential_invalid`.
    """
    trimmed = scope.strip().rstrip("/") if scope.strip() not in {"s3://", "gs://"} else scope.strip()
    if not _FORMS[kind].fullmatch(trimmed):
        raise VarloomError(CREDENTIAL_INVALID, f"scope: expected {EXAMPLES[kind]}.")
    if kind == "bearer":
        try:
            origin = Origin.of(trimmed)
        except ValueError:  # such as a port beyond the last one
            raise VarloomError(CREDENTIAL_INVALID, f"scope: expected {EXAMPLES[kind]}.") from None
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        return f"{origin.scheme}://{host}:{origin.port}"
    return trimmed


def covers(kind: CredentialKind, scope: str, source: SourceUrl) -> bool:
    """Whether a credential of this kind and scope may be sent for this source."""
    match kind:
        case "s3":
            bucket = scope.removeprefix("s3://")
            return source.cloud is Cloud.S3 and bucket in {"", source.bucket}
        case "gcs":
            bucket = scope.removeprefix("gs://")
            return source.cloud is Cloud.GOOGLE and bucket in {"", source.bucket}
        case "azure_key" | "azure_sas":
            account, _, container = scope.removeprefix("az://").partition("/")
            is_account = source.account in {None, account}
            return source.cloud is Cloud.AZURE and is_account and container in {"", source.bucket}
        case "bearer":
            return bool(source.url) and Origin.of(source.url) == Origin.of(scope)


def account_of(scope: str) -> str:
    """The storage account in a scope of Azure."""
    return scope.removeprefix("az://").partition("/")[0]
