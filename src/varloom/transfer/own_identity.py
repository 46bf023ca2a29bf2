"""The server's own identity in a cloud, for the buckets for which the operator allows it, and for no others.

It is what stands in the environment of the worker: nothing is asked of a metadata service.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.transfer.access import Credential, CredentialKind
from varloom.transfer.scopes import REQUIRED, account_of, checked_scope, covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from varloom.transfer.source_url import SourceUrl

_KINDS: Mapping[str, CredentialKind] = {"s3": "s3", "gs": "gcs", "az": "azure_key"}


def own_credential(scopes: Iterable[str], source: SourceUrl, environment: Mapping[str, str]) -> Credential | None:
    """What proves that this server asks for the source; None where the operator does not allow it, or has none.

    Args:
        scopes: of the setting `own_identity`.
        source: what is to be fetched.
        environment: of the worker.

    Raises:
        VarloomError: `settings_invalid`.
    """
    for scope in scopes:
        kind = checked_own_scope(scope)
        if not source.has_access and covers(kind, scope, source):
            return _of_environment(kind, scope, environment)
    return None


def checked_own_scope(scope: str) -> CredentialKind:
    """The kind of credential for a scope of the setting.

    Raises:
        VarloomError: `settings_invalid`.
    """
    kind = _KINDS.get(scope.partition("://")[0])
    with contextlib.suppress(VarloomError):
        if kind is not None and checked_scope(kind, scope) == scope:
            return kind
    raise VarloomError(
        SETTINGS_INVALID, "own_identity: expected s3://BUCKET, gs://BUCKET, az://ACCOUNT or az://ACCOUNT/CONTAINER."
    )


def _of_environment(kind: CredentialKind, scope: str, environment: Mapping[str, str]) -> Credential | None:
    values: dict[str, str | None]
    match kind:
        case "s3":
            values = {
                "access_key": environment.get("AWS_ACCESS_KEY_ID"),
                "secret_key": environment.get("AWS_SECRET_ACCESS_KEY"),
                "session_token": environment.get("AWS_SESSION_TOKEN"),
                "region": environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
            }
        case "gcs":
            values = {"service_account": _text(environment.get("GOOGLE_APPLICATION_CREDENTIALS"))}
        case _:
            is_account = environment.get("AZURE_STORAGE_ACCOUNT_NAME") == account_of(scope)
            key = environment.get("AZURE_STORAGE_ACCOUNT_KEY") if is_account else None
            values = {"account": account_of(scope), "key": key}
    given = {name: value for name, value in values.items() if value}
    return Credential(kind, given) if all(name in given for name in REQUIRED[kind]) else None


def _text(path: str | None) -> str | None:
    """The file of a service account's key, if it is there."""
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
