"""What only the worker that fetches a file learns: its whole URL and the credential that was chosen for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

import psycopg

from varloom.errors import VarloomError
from varloom.pipeline.problems import SOURCE_URL_GONE
from varloom.transfer.access import Credential
from varloom.transfer.own_identity import own_credential
from varloom.transfer.problems import CREDENTIAL_NOT_FOR_URL, CREDENTIAL_NOT_FOUND
from varloom.transfer.scopes import covers

if TYPE_CHECKING:
    from varloom.jobs.model import Job
    from varloom.transfer.source_url import SourceUrl
    from varloom.transfer.vault import Vault

_URL: LiteralString = """
SELECT uploads.url, upload_secrets.secret FROM uploads
LEFT JOIN upload_secrets ON upload_secrets.upload_id = uploads.id
WHERE uploads.id = %s AND uploads.account_id = %s
"""
_FURTHER_URLS: LiteralString = "SELECT url, secret FROM upload_files WHERE upload_id = %s ORDER BY position"
_CREDENTIAL: LiteralString = """
SELECT kind, scope, secret FROM credentials WHERE account_id = %s AND lower(name) = lower(%s)
"""

CONNECT_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class SourceSecrets:
    """Reads what the database keeps encrypted. It blocks.

    Attributes:
        conninfo: of the database.
        vault: decrypts it.
        own_identity: the scopes for which the server's own identity is used where no credential was chosen.
    """

    conninfo: str
    vault: Vault
    own_identity: tuple[str, ...] = ()

    def urls_of(self, job: Job) -> list[str]:
        """The URLs of a job's files, whole.

        Raises:
            VarloomError: `source_url_gone`, or `source_secret_unreadable`.
        """
        with psycopg.connect(self.conninfo, connect_timeout=CONNECT_TIMEOUT) as conn:
            row = conn.execute(_URL, [job.upload_id, job.account_id]).fetchone()
            further = conn.execute(_FURTHER_URLS, [job.upload_id]).fetchall()
        if row is None or row[0] is None:
            raise VarloomError(SOURCE_URL_GONE, "The URL of this job is no longer known.")
        return [str(url if secret is None else self.vault.decrypt(secret)["url"]) for url, secret in (row, *further)]

    def credential_of(self, job: Job, source: SourceUrl) -> Credential | None:
        """The credential that was chosen for a job, as it is now; without one, the server's own where that is allowed.

        Raises:
            VarloomError: `credential_not_found`, `credential_not_for_url` or `source_secret_unreadable`.
        """
        name = job.options.get("credential")
        if name is None:
            return own_credential(self.own_identity, source, os.environ)
        with psycopg.connect(self.conninfo, connect_timeout=CONNECT_TIMEOUT) as conn:
            row = conn.execute(_CREDENTIAL, [job.account_id, name]).fetchone()
        if row is None:
            raise VarloomError(CREDENTIAL_NOT_FOUND, f"There is no credential {name!r} any more.")
        kind, scope, secret = row
        if not covers(kind, scope, source):
            raise VarloomError(CREDENTIAL_NOT_FOR_URL, f"The credential {name!r} is for {scope} alone.")
        return Credential(kind, self.vault.decrypt(secret))
