"""Credentials that people store by name. Every call is for one account; another account's credential does not exist.

The only module, beside the one of the worker, with the SQL of the table `credentials`. No secret leaves it.
"""
# ruff: noqa: S608 -- the statements are made of the names of columns

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import errors
from psycopg.rows import class_row

from varloom.errors import VarloomError
from varloom.services.access_tests import AccessTests
from varloom.services.audit import note
from varloom.services.names import checked_credential_name
from varloom.services.views import AccessTestView, CredentialList, CredentialView, ErrorView
from varloom.transfer.access import Credential, CredentialKind
from varloom.transfer.problems import (
    CREDENTIAL_INVALID,
    CREDENTIAL_NAME_TAKEN,
    CREDENTIAL_NOT_FOR_URL,
    CREDENTIAL_NOT_FOUND,
)
from varloom.transfer.questions import PROBE_SILENCE
from varloom.transfer.scopes import OPTIONAL, REQUIRED, account_of, checked_scope, covers
from varloom.transfer.source_url import parse_source_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.transfer.model import TransferOptions
    from varloom.transfer.source_url import SourceUrl
    from varloom.transfer.vault import Vault

logger = logging.getLogger(__name__)

MOST_CREDENTIALS = 200
LONGEST_VALUE = 16_384
"""Characters of one secret value; the JSON of a service account has 2,400."""

_REGION = re.compile("[A-Za-z0-9_-]{1,40}")
"""It becomes a part of the host that is asked."""

_COLUMNS = "id, name, kind, scope, created_at, changed_at"
_LIST: LiteralString = f"SELECT {_COLUMNS} FROM credentials WHERE account_id = %(account)s ORDER BY lower(name)"
# The account's row is locked, so that two requests cannot both add the last one that is allowed.
# Held by a statement of its own: one that counts in the same breath would count what was there before it waited.
_HOLD: LiteralString = "SELECT FROM accounts WHERE id = %(account)s FOR UPDATE"
_INSERT: LiteralString = f"""
INSERT INTO credentials (account_id, name, kind, scope, secret)
SELECT %(account)s, %(name)s, %(kind)s, %(scope)s, %(secret)s
WHERE (SELECT count(*) FROM credentials WHERE account_id = %(account)s) < %(most)s
RETURNING {_COLUMNS}
"""
_REPLACE: LiteralString = f"""
UPDATE credentials SET kind = %(kind)s, scope = %(scope)s, secret = %(secret)s, changed_at = now()
WHERE account_id = %(account)s AND lower(name) = lower(%(name)s)
RETURNING {_COLUMNS}
"""
_DELETE: LiteralString = "DELETE FROM credentials WHERE id = %s AND account_id = %s"
_FIND: LiteralString = "SELECT kind, scope, secret FROM credentials WHERE account_id = %s AND "


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account's credentials."""

    pool: AsyncConnectionPool
    vault: Vault
    transfer: TransferOptions
    tests: AccessTests = field(default_factory=AccessTests)

    async def all(self, account_id: UUID) -> CredentialList:
        """All credentials, by name."""
        return CredentialList(credentials=await self._run(_LIST, {"account": account_id}))

    async def add(
        self,
        account_id: UUID,
        *,
        name: str,
        kind: CredentialKind,
        scope: str,
        values: Mapping[str, str],
        replace_old: bool = False,
    ) -> CredentialView:
        """Store a credential.

        Args:
            account_id: whose it is.
            name: by which jobs choose it.
            kind: what it is.
            scope: where alone it is sent.
            values: the secret values of its kind; see `varloom.transfer.access.Credential`.
            replace_old: whether it takes the place of one of the same name.

        Raises:
            VarloomError: `credential_invalid` or `credential_name_taken`; `source_secret_unreadable` without a key.
        """
        row = {
            "account": account_id,
            "name": checked_credential_name(name),
            "kind": kind,
            "scope": (kept := checked_scope(kind, scope)),
            "secret": self.vault.encrypt(_checked_values(kind, kept, values)),
            "most": MOST_CREDENTIALS,
        }
        note(name=name, kind=kind, scope=kept)
        if replace_old and (found := await self._run(_REPLACE, row)):
            return found[0]
        found = await self._run(_INSERT, row)
        if not found:
            raise VarloomError(CREDENTIAL_INVALID, f"The account has {MOST_CREDENTIALS} credentials already.")
        return found[0]

    async def delete(self, account_id: UUID, credential_id: UUID) -> None:
        """Forget a credential. Raises `credential_not_found`."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(_DELETE, [credential_id, account_id])
        if cursor.rowcount == 0:
            raise _not_found()

    async def check(self, account_id: UUID, name: str, source: SourceUrl) -> None:
        """See that there is a credential of this name, and that it is for the source.

        Raises:
            VarloomError: `credential_not_found` or `credential_not_for_url`.
        """
        await self._secret_for(account_id, "lower(name) = lower(%s)", name, source)

    async def test(self, account_id: UUID, credential_id: UUID, url: str) -> AccessTestView:
        """Ask for the first bytes of a file with a credential.

        Raises:
            VarloomError: `source_url_invalid`, `credential_not_found` or `credential_not_for_url`.
        """
        source = parse_source_url(url, self.transfer.cloud_endpoints)
        kind, secret = await self._secret_for(account_id, "id = %s", credential_id, source)
        credential = Credential(kind, self.vault.decrypt(secret))
        options = replace(self.transfer, silence=min(self.transfer.silence, PROBE_SILENCE))
        outcome = await self.tests.outcome(url, credential, options)
        if "error" in outcome:
            told = ErrorView.model_validate({**outcome["error"], "url": source.shown})
            return AccessTestView(ok=False, url=source.shown, bytes=None, error=told)
        return AccessTestView(ok=True, url=source.shown, bytes=outcome["bytes"], error=None)

    async def _secret_for(
        self, account_id: UUID, condition: LiteralString, value: Any, source: SourceUrl
    ) -> tuple[CredentialKind, bytes]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(_FIND + condition, [account_id, value])
            row = await cursor.fetchone()
        if row is None:
            raise _not_found()
        kind, scope, secret = row
        if not covers(kind, scope, source):
            raise VarloomError(CREDENTIAL_NOT_FOR_URL, f"The credential is for {scope} alone.")
        return kind, secret

    async def _run(self, statement: LiteralString, values: dict[str, Any]) -> list[CredentialView]:
        async with self.pool.connection() as conn, conn.cursor(row_factory=class_row(CredentialView)) as cursor:
            try:
                if statement is _INSERT:
                    await cursor.execute(_HOLD, values)
                await cursor.execute(statement, values)
            except errors.UniqueViolation:
                raise VarloomError(CREDENTIAL_NAME_TAKEN, f"The account has a credential {values['name']!r}.") from None
            return await cursor.fetchall()


def _checked_values(kind: CredentialKind, scope: str, values: Mapping[str, str]) -> dict[str, str]:
    """The secret values, complete and in the form in which they are used."""
    known = (*REQUIRED[kind], *OPTIONAL.get(kind, ()))
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise VarloomError(CREDENTIAL_INVALID, f"values: {kind} has {', '.join(known)}, and nothing else.")
    given = {name: value.strip() for name, value in values.items() if value.strip()}
    missing = [name for name in REQUIRED[kind] if name not in given]
    if missing:
        raise VarloomError(CREDENTIAL_INVALID, f"values.{missing[0]}: it is needed for {kind}.")
    if any(len(value) > LONGEST_VALUE for value in given.values()):
        raise VarloomError(CREDENTIAL_INVALID, f"values: at most {LONGEST_VALUE:,} characters each.")
    _check_form(kind, given)
    return {**given, "account": account_of(scope)} if kind in {"azure_key", "azure_sas"} else given


def _check_form(kind: CredentialKind, given: Mapping[str, str]) -> None:
    """Refuse what can be seen to be no such credential."""
    match kind:
        case "gcs":
            try:
                account = json.loads(given["service_account"])
                whole = {"private_key", "client_email"} <= account.keys() and account.get("type") == "service_account"
            except (ValueError, AttributeError, RecursionError):
                whole = False
            if not whole:
                raise VarloomError(
                    CREDENTIAL_INVALID, "values.service_account: expected the JSON file of a service account's key."
                )
        case "azure_sas":
            if "sig=" not in given["sas"] or not given["sas"].isascii() or not given["sas"].isprintable():
                raise VarloomError(CREDENTIAL_INVALID, "values.sas: expected the part of a SAS URL after the '?'.")
        case _:
            if not _REGION.fullmatch(given.get("region", "us-east-1")):
                raise VarloomError(CREDENTIAL_INVALID, "values.region: expected one such as eu-central-1.")
            name = next((name for name, value in given.items() if not (value.isascii() and value.isprintable())), None)
            if name is not None:
                raise VarloomError(CREDENTIAL_INVALID, f"values.{name}: it has characters that none has.")


def _not_found() -> VarloomError:
    return VarloomError(CREDENTIAL_NOT_FOUND, "There is no such credential in this account.")
